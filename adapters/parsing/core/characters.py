"""How likely a text is in a language, by its characters alone: what tells encodings apart when nothing else does.

An encoding that is wrong turns common characters into rare ones. So the same bytes are read in every way that is possible, and the reading
whose characters are the most ordinary wins. Values are natural logarithms of probabilities, rough on purpose: classes of characters, not a
table of each.
"""

import re
import unicodedata
from collections import Counter
from functools import cache
from typing import Literal

Language = Literal["simplified", "traditional", "japanese", "korean", "latin", "other"]
LANGUAGES: tuple[Language, ...] = ("simplified", "traditional", "japanese", "korean", "latin", "other")

# characters that make up most of a text, commonest first
SIMPLIFIED = (
    "的年一为在是中有于大国人后以和学上成地时月个部与日及不之会出西名了长分作路本其线公生主被用发而行他位下由到南区家第斯道至物海可体多北方自来前东球新亚站所子开特代并最三加现尔法经文动小称场等内同山赛高车市电也入港这建马种对"
    "天利要间军都因得任期队台世里色此平克当水米理两全王度面次华政民德二合设原过教化式外将约但士立号事能员香正通工鳍布业龙美系明定机巴者州四联使广重进鱼十金目岛条或科制兰城数相罗达形列安语表起拉力尼类英战省河性共从常元曾运比关"
    "无们院头乐统如则太属首门湾司格近基又保直治向花品然计处改古交阿该传影心界亦口著江带铁纪始包书受就单程总量府林具接意陆星食提非视已游音洲级实取演校帝组选县群流角风郡白画连足武社务委卡身只结说居参产点黄字族史获村管型指朝少石"
    "应万五较今街历集背园各片往青奥手先张回剧女京官神活果汉展标资权更版初知别皇专兴议座曲引创即空造些齿每银律转还认师术博那侧节清康观打塔命状存氏记播堂变湖夫维冠放光信志括火镇义印育层供据塞领哥反研举宗干它我你她您好吗呢吧啊么"
    "什请问谢客户服库件账付款息话邮箱址姓订需求测试错误配置装网络软硬盘容查询登录密码周确附报价票质技项审批李赵钱孙吴郑编备注支气蛇九超枚死决随班深复牠见究馆离威骨越论伊完六黑土令收局再八环团落商医季卫没亲阳波未推很言均尾叶底"
    "田故奇早际助争红盖段构解源萨象室歌半去示导划击职器纳济调圆圣普百题艺才且植情另甲图洛案藏诺吉域何整洋持兵准强升树森修易短楼景破载速根儿围飞协弹鳞姆办众边酸投份致温父授留伯念效失老福佛索庙含毛低富简护除派范许桥终端戏排给盟"
    "模规川木岁射欧料值封仍缘秀泰伦嘉停积率刘爱奖步永精拿七漫杀境样柱退瓦筑细独般副母沙响杯几松莱增邻征宣左突泽双营住皮余耶真隆右例考块宽乘续担练澳尚哈防依云男止功胜黎丽莫席希败鲁伤看爆灵占便显延额呈岸消牙肉候岩草把满末吸费友"
    "序春津邦货币负继钟谷油宝荷仅届夏弟顿告眼棘辑走写屋亡税验盐声病臣启宋野祖店证沿己须丹透移严忠攻央牌宁却像千牛陈热异售译快菲毕似洞魏临远胸降朱极齐采郎久评曼玉臀习虫距雷俗蓝旧态做词换珠途轨氧优板厂让豪频限托纽执雄瑞佳素塘峰"
    "酒轮绝党责药昆杆苏归辖晚农织裂典思章守宫浦蒙拍鸟辽靠预猎猫轻潘禅唱拥闻喜顶杂唐乙坡读识竹鼓卷勒佩帮算雅颜虽腹埃灰汇幼庆灭判君航阵感鹿善秋曹甚险凤训监夺晋顺略绿艾韦邨鲜旅迪听径泳宇况革弗氟箭役栖房誉若扎跑适熊巨诸籍坐杨羽弓"
    "陵乌魔亮刊乱断仙礼棱"
)
TRADITIONAL = (
    "的國年在為中一大人是和有以地於學了後成時會民主與不日之上政南行發部月來區西其而自多北個方軍到東出對斯生法及家由他經分代世公同戰作被市這立要文等也開用德並最爾建高名重動海期教外第亞此新共統內位所特機現利下業都因進本理產過馬"
    "長前稱克灣府聯三力美體可定化加度當工間得將但使至球全治山電合臺總通性物羅拉相面州王事港韓十義次能入朝數員語城任議量兩權天星金二明種華平制子路式比界正然院著元達口者黨原基領里約古科從省表布設或帝實展各關台尼道始運場少士英心"
    "則如起改史河常就香林蘭交小島紀些四水直族受提接系計流校向認安社意太江濟爭首屬選阿們組萬結傳洲邦保縣務廣際包已賽別線反變車司持格字無清周土導巴影資居張形漢歐空殺普決帶武隊說條舉更命團書維還光恆許皇造術局報近目亦質京商管較易"
    "劉點福據類五陸風境恩規率手括宗派解歷官先活放女擊該指龍處言即研集取它非卡納蘇曾很獨隨論程網氣型委神速參門強聲除功支兵沒構列增視究圖源繼只獲奧域且響記應劃早初級鐵演夫又樂回仍托號興專品求眾宣續九汗另育信我你她您好嗎呢吧啊麼"
    "什請問謝客戶服庫料件帳付款訊息話郵箱址姓訂單需測試錯誤配置裝版軟硬碟容查詢登密碼週確附絡價票技案審批李趙錢孫吳鄭編備註石破未革再越慶哈收色去均創轉令辦致督今米威伯根薩盟移每題溫例推修落伊模塞引鮮離連波往積半完遠魯低拿極央"
    "存標音觀蒙希祖身職八失環片終席群情攻圍幣必具投飛示六給烈死雙白抗份烏邊承黑整協頭勢陽施察思拜住毛奇農知詞策調親森降器滿兒藝幾超角止鬥印轄遊歌段略魚依見層俄控師諾足果杜館己班營核才防典復護僅占赫樣織那製婚階園吉博富七項塔態"
    "般聖係母逐步守便突航射考把擁雖責雷倫象嚴效衛陳敗候曼籍良想快壓採父站打封鎮熱負律洋築遷唱故何岸愛勒排範宋裁千獎貴屆瓦埃澤值銀憲讓斷百留季勝洛素做仁劇證顯男火座索郡志助副牙湖漸亡精費萊準望卻消哥餘供載氏併遭升紅錄坦狀像真耳"
    "殖億丁青堂老久念黃梅裡深絕束鄉照柏景節寧醫船看臨限花識畫難食爆驗昆宮木硫耶寫歸甚沙算險堡雲簽貨駐艦貿企底永曲樓閩臣潮差佔益署康昌諸忽擔彈崙裕遺若減禁退似執礎播預判街植君停歲舊匯油唐友隆亂荷擴況室告姻泰異役病評姆佛瑞固感旅"
    "散沿廠細習融葉抵甲走財譯廢滅隸養衝村伽頓禮草輸輕予須春汽聚迫勞誠臘旗蔣優末含川菲簡豐尚端延侵田距奉夠徒麻危貝討害短炸奴紐奪章麗換澳按后喀召雨釣左監晉詩雄述缺股坡腦穩廷授庭盃聞学賓獻巨沃切盧幕免送右燃暴麥征援透血混国欽戲陵"
    "敵槍否聽夏徵伐啟弟儀"
)
JAPANESE = (
    "日一国人年大十二本中長出三時行見月分後前生五間上東四今金九入学高円子外八六下来気小七山話女北午百書先名川千水半男西電校語土木聞食車何南万毎白天母火右読友左休父雨会社的業部事者地方法動場員立開手力問代明目定内通用理実新自合"
    "同発表体主度化当対要作回経市取第全公数最関家以思現調議教政民連成持記決向強加品意性制使料変運考機報送受組集求情建世界安知済信面期設保付点権資進野区工税込確認説類株式注文商番号住所氏御願致様"
)
KOREAN = (
    "이다는의에을를가은로고하한지사기도인어시대자리그서정해나수부있일보전제과들주상아것으장구동라성공소원유니용만조스여국비문계오경위관마면년개우분방적선연미치무세게생중식화행와러음트회교드안내물신모려합습데래터설요간실체말바"
    "당반본재양현술진역단저람입학법금직또후처살명산권추운약태야각존달결품속확번매메누파초카남북점십천네록료목건청강늘임급접통타움심감질므론영업편두호피름외등크프루토버레르포능변색코민노"
)

_KANA_COMMON = "のにはをたがでてとしれさいるあっかなもりこらすよんうくまけ"
_HAN_PUNCTUATION = "，。、；：？！“”‘’（）《》【】「」『』—…·　"
_LATIN_COMMON = "äöüßéèàçêáíóúñãõâôåæø"
_LATIN_UPPER = "ÄÖÜÉÈÀÇÊÁÍÓÚÑÃÕÂÔÅÆØ"
_LATIN_SYMBOLS = "\xa0§«»·©®²³½¿¡£±µ¼"
_LATIN_TYPOGRAPHY = "°œ“”‘’–—…•€™"

_ALPHABETS = re.compile("[\u0370-\u10ff]")  # Greek to Georgian
_IDEOGRAPHS = re.compile("[\u3400-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff61-\uff9f\U00020000-\U0003ffff]")  # and Hangul, narrow kana
_JUNK = re.compile("[\ufffd\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]+")
_WIDE = "\u2e80-\ud7ff\ue000-\ufaff"
_TORN = re.compile(f"[A-Za-z](?=[{_WIDE}])|[{_WIDE}](?=[A-Za-z])")
_ALONE = re.compile(f"(?<![{_WIDE}])[{_WIDE}](?![{_WIDE}])")
_MIXED = re.compile("[A-Za-z](?=[\u0370-\u10ff])|[\u0370-\u10ff](?=[A-Za-z])")
_PILED = re.compile("[\x80-\u02ff](?=[\x80-\u02ff])")

JUNK_RUN, JUNK = -12.0, -6.0  # what no text has: damage, which comes in runs
TORN, ALONE = -1.5, -2.5  # a wide character beside a Latin letter; one wide character by itself
MIXED, PILED = -7.0, -2.0  # a letter of another alphabet beside a Latin one; accents side by side
IMPOSSIBLE = -25.0


def likelihood(text: str, language: Language) -> float:
    """Logarithm, comparable between readings of the same bytes only. U+FFFD stands for what could not be read."""
    junk = _JUNK.findall(text)
    total = sum(JUNK_RUN + JUNK * len(run) for run in junk)
    known = _log_probabilities(language)
    for character, count in Counter(_JUNK.sub("", text) if junk else text).items():
        value = known.get(character)
        total += count * (value if value is not None else _class_probability(character, language))
    if language == "latin":
        return total + PILED * len(_PILED.findall(text))
    if language == "other":
        return total + MIXED * len(_MIXED.findall(text))
    return total + TORN * len(_TORN.findall(text)) + ALONE * len(_ALONE.findall(text))


@cache
def _log_probabilities(language: Language) -> dict[str, float]:
    values = {chr(code): -5.0 for code in range(0x20, 0x7F)}
    values |= dict.fromkeys("etaoinshrdlcumwfgypbvk ", -3.4) | dict.fromkeys("ETAOINSHRDLCUMWFGYPBVKjxqz0123456789.,-", -4.5)
    values |= dict.fromkeys("\n\r\t", -4.0) | dict.fromkeys("\x0c\x1b", -8.0) | {"\ufeff": -18.0}
    if language == "simplified":
        values |= _han_probabilities(_charset_rows("gb2312", 0xB0, 0xD7), _charset_rows("gb2312", 0xD8, 0xF7), SIMPLIFIED)
    elif language == "traditional":
        values |= _han_probabilities(_charset_rows("big5", 0xA4, 0xC6), _charset_rows("big5", 0xC9, 0xF9), TRADITIONAL)
    elif language == "japanese":
        values |= _han_probabilities(_charset_rows("euc_jp", 0xB0, 0xCF), _charset_rows("euc_jp", 0xD0, 0xF4), JAPANESE)
        values |= dict.fromkeys(map(chr, range(0x3041, 0x3094)), -6.0) | dict.fromkeys(map(chr, range(0x30A1, 0x30FD)), -6.6)
        values |= dict.fromkeys(_KANA_COMMON, -4.3) | dict.fromkeys(map(chr, range(0xFF61, 0xFFA0)), -11.0)
    elif language == "korean":
        values |= dict.fromkeys(_charset_rows("euc_kr", 0xB0, 0xC8), -9.6) | dict.fromkeys(KOREAN, -5.8)
        values |= dict.fromkeys(_charset_rows("euc_kr", 0xCA, 0xFD), -13.8)
    elif language == "latin":
        values |= dict.fromkeys(map(chr, range(0xA0, 0x100)), -11.5) | dict.fromkeys(map(chr, range(0x100, 0x180)), -9.5)
        values |= dict.fromkeys("ąćęłńśźżčďěňřšťůžőűăşţğı", -7.2)
        values |= dict.fromkeys("ýìòùîïûë", -8.0) | dict.fromkeys(_LATIN_COMMON, -6.5) | dict.fromkeys(_LATIN_UPPER, -8.5)
        values |= dict.fromkeys(_LATIN_SYMBOLS, -9.5) | dict.fromkeys(_LATIN_TYPOGRAPHY, -8.0) | dict.fromkeys("ŠŒŽšžŸ†‡‰‹›„‚", -10.0)
    return values


def _han_probabilities(ordinary: str, rare: str, common: str) -> dict[str, float]:
    """The first hundred make 40 % of a text, five hundred make three quarters, a thousand nine tenths."""
    values = dict.fromkeys(rare, -13.5) | dict.fromkeys(ordinary, -10.4)
    values |= dict.fromkeys(common, -8.2) | dict.fromkeys(common[:500], -7.1) | dict.fromkeys(common[:100], -5.5)
    return values | dict.fromkeys(_HAN_PUNCTUATION, -5.1)


def _charset_rows(codec: str, first: int, last: int) -> str:
    """The characters of these rows of a national standard, which puts the common ones first."""
    pairs = (bytes((row, cell)).decode(codec, "ignore") for row in range(first, last + 1) for cell in range(0x40, 0xFF))
    return "".join(character for character in pairs if not character.isascii())


@cache
def _class_probability(character: str, language: Language) -> float:
    """What is in no list."""
    category = unicodedata.category(character)
    if category in ("Cn", "Co", "Cs", "Cc"):
        return IMPOSSIBLE
    if language == "other" and _ALPHABETS.match(character):
        return {"Ll": -3.6, "Lo": -4.0, "Lu": -6.5}.get(category, -7.0)
    return -16.0 if _IDEOGRAPHS.match(character) else -12.0
