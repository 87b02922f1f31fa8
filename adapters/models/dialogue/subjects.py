"""What a short question is about, told without a model: its own subject, nothing, or mere courtesy.

Chinese: the words that remain when question words, properties (价格, 流程), common verbs (申请, 办理) and particles are taken away.
English: the content word behind ``is``, ``does`` and the like (``Where is the gym?``), which is not one of the properties either.
"""

import re
from collections.abc import Iterator

from adapters.text.keywords import AMOUNT, UNIT
from adapters.text.language import content_terms
from adapters.text.segments import segment
from schemas.chats import Courtesy

PLEASANTRY_CHARS_MAX = 60

_INTRODUCTION = (
    "(?:你|您)(?:到底|究竟)?是(?:谁|什么(?:模型|ai|人工智能|机器人|助手|东西|人)?|哪个模型|(?:机器人|真人|ai|人工智能)吗)[呀啊呢]?"
    "|(?:你|您)叫什么(?:名字)?[呀啊呢]?"
    "|(?:你|您)(?:都|还)?(?:能|会|可以)(?:做|干|帮(?:我|我们|助我)?(?:做|干)?|回答)(?:些?什么|啥|哪些)(?:事情?|忙|问题)?[呀啊呢]?"
    "|(?:你|您)(?:都|还)?会(?:些?什么|啥)[呀啊呢]?|(?:你|您)有(?:什么|哪些)(?:功能|能力|用)[呀啊呢]?"
    "|(?:你|您)?(?:请|先)?(?:自我介绍|介绍(?:一?下)?(?:你|您)?自己)(?:一下)?[吧呀]?"
    "|who are you|what are you|what(?:'s| is) your name|what can you do(?: for me)?|what do you do|how can you help(?: me)?"
    "|what can i ask(?: you)?|what can you help(?: me)? with|(?:please )?introduce yourself|tell me about yourself"
    "|are you an? (?:bot|robot|human|ai|person|real person|machine)"
)
_COURTESY = (
    "你好啊?|您好|大家好|早上好|上午好|中午好|下午好|晚上好|早安|晚安|嗨|哈[喽啰罗]"
    "|在吗|在不在|(?:非常|十分|多|太)?(?:感谢|谢谢|多谢|谢了|谢)(?:你们?|您|啦|了)?"
    "|辛苦(?:你|您)?了|麻烦你?您?了|不客气|好的?|行|可以|嗯+|哦+|噢+"
    "|对的?|是的|没错"
    "|明白了?|知道了|了解了?|收到|懂了|清楚了|没事了?|没问题了?|再见|拜拜|回见"
    "|哈+|呵+|太?好了|太棒了|真?棒|不错"
    "|厉害|好吧|行吧|吗|啊|呀|啦|哈|我"
    "|hello|hi|hey|good (?:morning|afternoon|evening|night|day)|greetings|there"
    "|thanks?(?: (?:you|a lot|so much|very much|again|a million))*|thx|ty|cheers"
    "|much appreciated|appreciate it|you(?:'re| are) welcome|welcome|no problem|okay|ok|k|yes|yep|yeah|no|nope|sure"
    "|fine|great|good|nice|cool|perfect|awesome"
    ""
    "|excellent|wonderful|got it|i see|i understand|understood|noted|all right|alright|right|bye|goodbye|see you"
    "|for your help|for the help|that helps?|(?:that is |that's )?good to know"
    "|that's (?:great|all|good|fine)|very|so much|a lot|everyone|all|team"
    "|how are you"
)
_PHRASE = re.compile(f"{_INTRODUCTION}|{_COURTESY}")
_PHRASE_CHARS_MAX = 32
_NO_WORD = re.compile(r"[\W_]")
_WORDLESS = re.compile(r"[\W_]*")
_KINDS: tuple[tuple[Courtesy, re.Pattern[str]], ...] = (  # the first that is in a pleasantry is what it is answered as
    ("introduction", re.compile(_INTRODUCTION)),
    ("thanks", re.compile(r"谢|辛苦|麻烦|\b(?:thanks?|thx|ty|cheers|appreciate[ d]?)\b")),
    ("farewell", re.compile(r"再见|拜拜|回见|晚安|\b(?:bye|goodbye|see you|good night)\b")),
    (
        "greeting",
        re.compile(r"[你您]好|大家好|[早晚]上好|[上中下]午好|早安|嗨|哈[喽啰罗]|在吗|在不在|\b(?:hello|hi|hey|greetings|how are you)\b"),
    ),
    ("greeting", re.compile(r"\bgood (?:morning|afternoon|evening|day)\b")),
)

# Words of a Chinese question that name nothing it could be about: what is asked of a thing, what is done with it, when and how much.
_EMPTY = frozenset(
    """
    请问 请 多少钱 钱 要钱 大 小 高 长 久 远 深 宽 重 快 厚 里 上 下 中 内 外 前 后 左右 间 只 只有 不 是 在 的 地 得 了 着 过 吗 呢 吧 啊
    呀 么 嘛 什么 甚么 时候 什么时候 谁 怎 怎么 怎样 怎么样 如何 如果 为什么 是否 是不是 能不能 可不可以 有没有 会不会 要不要 有 没 没有
    无 和 与 及 或 跟 把 被 叫 让 给 对 从 向 往 到 由 用 为 以 按 比 于 将 能 会 要 想 应 该 应该 可 可以 能够 必须 需 需要 做 办 说 算
    写 拿 看 问 找 去 来 开 还 再 也 都 就 才 又 很 更 最 太 已 已经 曾 曾经 我 你 您 他 她 它 我们 你们 他们 它们 这 那 这个 那个 这些
    那些 这里 那里 那儿 其 此 一下 一点 一些 一共 总共 大概 一样 价格 价钱 单价 售价 费用 收费 金额 时间 日期 地点 地址 位置 电话 号码
    手机号 手机号码 邮箱 联系 方式 流程 步骤 手续 条件 要求 材料 资料 文件 原因 理由 结果 期限 有效期 高度 长度 宽度 深度 面积 体积 重量
    大小 尺寸 人数 数量 规模 名字 名称 全称 简称 作者 负责人 责任人 联系人 经办人 职责 作用 用途 功能 优点 缺点 优势 区别 差别 不同 特点
    标准 规定 规则 范围 例外 方法 办法 细节 内容 意思 定义 含义 例子 情况 问题 影响 好处 坏处 历史 背景 年份 版本 比例 上限 下限 限制 额度
    期间 周期 频率 次数 状态 进度 东西 部门 地方 申请 办理 报销 提交 使用 计算 开始 结束 生效 成立 建成 建立 修建 建造 落成 发布 上线 支持
    包括 包含 属于 负责 审批 批准 处理 解决 取消 修改 更改 安装 配置 操作 查询 查看 获得 享受 享有 参加 加入 知道 介绍 说明 解释 详细 具体
    继续 补充 举例 列出 总结 翻译 告诉 确认 准备 填写 领取 支付 付款 退款 延长 超过 满足 适用 有效 一般 通常 现在 目前 以前 之前 之后 以后
    后来 今天 明天 昨天 今年 明年 去年 最后 最近 最多 最少 最高 最低 最大 最小 其他 其它 别的 全部 所有 还有 然后 另外 那么 但是 所以 因为
    不过 例如 比如 再说 到账 入账 发放 关门 开门 开放 发车 出发 到达 营业 休息 开饭 过期
    """.split()
)
_TOPICS = frozenset("报销 退款 付款".split())  # where a question begins with them
_SECONDS = frozenset("会用应对为开中上下里外前后间")  # that are no word of their own behind a lone character: 年会
_HAN_RUN = re.compile("[㐀-鿿豈-﫿]{2,}")
_LATIN = re.compile(r"(?<![a-z0-9])(?:[a-z][a-z0-9-]{2,}|[a-z]+[0-9][a-z0-9-]*)")
_ENGLISH = re.compile(
    r"\b(?:is|are|was|were|does|do|did|can|could|should|will|has|have|'s)(?: (?:the|a|an|our|my|your|any|there))*"
    r" (?P<word>[a-z][a-z0-9-]{2,})"
)
_ENGLISH_EMPTY = frozenset(
    "the this that these those there they them their its his her you your our any some all more most less"
    " many much price prices cost costs fee fees"
    " amount time times date dates address location place phone number name names title author owner process"
    " steps procedure requirement requirements"
    " reason reasons result results limit limits deadline height length width size area weight count version example examples difference"
    " differences advantage advantages disadvantage disadvantages rule rules exception exceptions range"
    " purpose meaning definition details detail"
    " one ones same other others else such only not possible necessary required allowed needed available"
    " valid true false right wrong used made"
    " built created done called named located responsible happen happens work works mean need apply change"
    " start end begin cost take get use make"
    " know explain help tell show give look say long tall high old far big large deep wide fast often soon"
    " it's what who when where why how which".split()
)


def is_pleasantry(folded: str) -> bool:
    """Whether a folded turn is a greeting, thanks, consent or a question about who answers, and nothing else, or has no words at all."""
    text = folded.strip()
    return len(text) <= PLEASANTRY_CHARS_MAX and _is_made_of_phrases(text)


def courtesy_of(folded: str) -> Courtesy | None:
    """What a folded turn is answered as when it is a pleasantry; None for a question."""
    if not is_pleasantry(folded):
        return None
    if _WORDLESS.fullmatch(folded):
        return "wordless"
    return next((kind for kind, pattern in _KINDS if pattern.search(folded)), "consent")


def _is_made_of_phrases(text: str) -> bool:
    """Whether phrases of courtesy follow each other from the beginning of the text to its end, with anything between them that is no word.

    By the places that can be reached: one expression with a repetition of phrases would try every way to cut 哈哈哈哈 into them.
    """
    reached = [True, *(False for _ in text)]
    for start in range(len(text)):
        if not reached[start]:
            continue
        if _NO_WORD.match(text, start):
            reached[start + 1] = True
            continue
        for end in range(start + 1, min(len(text), start + _PHRASE_CHARS_MAX) + 1):
            reached[end] = reached[end] or _PHRASE.fullmatch(text, start, end) is not None
    return reached[-1]


def own_subject(folded: str) -> str:
    """The words of a short folded question that name what it is about, "" when it names nothing."""
    words = [word for run in _HAN_RUN.finditer(folded) for word in _names_in(run.group(), begins=not run.start())]
    words += [found["word"] for found in _ENGLISH.finditer(folded) if found["word"] not in _ENGLISH_EMPTY]
    if not folded.isascii():  # a Latin name among Chinese: "Kafka 有几个分区？"
        words += _LATIN.findall(folded)
    return " ".join(dict.fromkeys(words))


def is_empty(folded: str) -> bool:
    """Whether folded English words name nothing that a question could be about."""
    return content_terms(" ".join(word for word in folded.split() if word.strip("?.!,") not in _ENGLISH_EMPTY)) == frozenset()


def _names_in(run: str, *, begins: bool = False) -> Iterator[str]:
    """What stands between the empty words of a run of Chinese: neighbouring words are one name. A unit is empty behind a number only.

    ``begins``: the question begins with the run, and some words name there what it is about: 报销找谁, and not 怎么报销.
    """
    name, counted = "", False
    for at, word in enumerate((*segment(run), "")):
        amount = bool(word) and AMOUNT.fullmatch(word) is not None
        says = bool(word) and word not in _EMPTY and not amount and not (counted and UNIT.fullmatch(word))
        topic = begins and not at and word in _TOPICS
        if says or topic or (len(name) == 1 and word in _SECONDS):
            name += word
        else:
            if len(name) > 1:
                yield name
            name = ""
        counted = amount
