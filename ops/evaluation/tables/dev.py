"""The tables on which table answers are developed. All of it is invented."""

from ops.evaluation.tables.case import TableCase, TableQuestion, names_of

Q = TableQuestion

_TEA = (
    ("云雾岭", "石盘乡", "铁观音", "120", "5,400", "860", "是", "1998"),
    ("青溪坪", "石盘乡", "龙井", "85", "3,910", "420", "否", "2005"),
    ("白鹭湾", "枫桥镇", "毛尖", "64", "2,240", "310", "是", "2011"),
    ("老鹰嘴", "枫桥镇", "铁观音", "150", "6,150", "980", "否", "1987"),
    ("月牙塘", "柳溪乡", "白茶", "48", "1,296", "550", "是", "2016"),
    ("三叠泉", "柳溪乡", "龙井", "97", "4,365", "610", "否", "2002"),
    ("红石垭", "柳溪乡", "红茶", "110", "4,180", "730", "是", "1994"),
)
TEA = TableCase(
    name="tea",
    format="csv",
    language="zh",
    title="茶园登记表",
    header=(("茶园", "所在乡镇", "品种", "面积（亩）", "年产量（公斤）", "海拔（米）", "有机认证", "建园年份"),),
    rows=_TEA,
    questions=(
        Q("月牙塘的年产量是多少？", "lookup", ("1,296",), ("月牙塘",)),
        Q("老鹰嘴种的是什么品种？", "lookup", ("铁观音",), ("老鹰嘴",)),
        Q("柳溪乡有几个茶园？", "count", ("3",), ("月牙塘", "三叠泉", "红石垭")),
        Q("哪个茶园的海拔最高？", "extreme", ("老鹰嘴", "980"), ("老鹰嘴",)),
        Q("面积最小的茶园是哪个？", "extreme", ("月牙塘", "48"), ("月牙塘",)),
        Q("所有茶园的面积一共是多少亩？", "total", ("674",), names_of(_TEA)),
        Q("有哪些茶园通过了有机认证？", "filter", ("云雾岭", "白鹭湾", "月牙塘", "红石垭"), ("云雾岭", "白鹭湾", "月牙塘", "红石垭")),
        Q("面积超过100亩的茶园有哪些？", "filter", ("云雾岭", "老鹰嘴", "红石垭"), ("云雾岭", "老鹰嘴", "红石垭")),
        Q("云雾岭和青溪坪的面积相差多少？", "compare", ("120", "85", "35"), ("云雾岭", "青溪坪")),
        Q("红石垭的场长是谁？", "absent"),
    ),
)

_LIGHTS = (
    ("Gull Point", "Northey", "31", "1874", "18", "yes"),
    ("Saint Orrin", "Northey", "24", "1902", "14", "no"),
    ("Black Skerry", "Farrow", "46", "1861", "24", "yes"),
    ("Weather Head", "Farrow", "19", "1933", "11", "yes"),
    ("Low Anvil", "Tamsin", "38", "1889", "21", "no"),
    ("Marram Spit", "Tamsin", "12", "1957", "9", "yes"),
)
LIGHTHOUSES = TableCase(
    name="lighthouses",
    format="xlsx",
    language="en",
    title="Lighthouse register",
    header=(("Lighthouse", "Island", "Height (m)", "First lit", "Range (nmi)", "Automated"),),
    rows=_LIGHTS,
    questions=(
        Q("What is the range of Low Anvil?", "lookup", ("21",), ("Low Anvil",)),
        Q("When was Saint Orrin first lit?", "lookup", ("1902",), ("Saint Orrin",)),
        Q("How many lighthouses are on Farrow?", "count", ("2",), ("Black Skerry", "Weather Head")),
        Q("Which lighthouse is the tallest?", "extreme", ("Black Skerry", "46"), ("Black Skerry",)),
        Q("Which lighthouse has the shortest range?", "extreme", ("Marram Spit", "9"), ("Marram Spit",)),
        Q("What is the average height of the lighthouses?", "total", ("28.33",), names_of(_LIGHTS)),
        Q("List all lighthouses that are not automated.", "filter", ("Saint Orrin", "Low Anvil"), ("Saint Orrin", "Low Anvil")),
        Q(
            "Which lighthouses were first lit before 1900?",
            "filter",
            ("Gull Point", "Black Skerry", "Low Anvil"),
            ("Gull Point", "Black Skerry", "Low Anvil"),
        ),
        Q("Which is higher, Gull Point or Low Anvil?", "compare", ("31", "38", "7"), ("Gull Point", "Low Anvil")),
        Q("Who is the keeper of Gull Point?", "absent"),
    ),
)

_INSTRUMENTS = (
    ("弦乐", "小提琴", "35", "800"),
    ("", "大提琴", "60", "2,000"),
    ("", "二胡", "20", "500"),
    ("管乐", "长笛", "40", "900"),
    ("", "萨克斯", "55", "1,500"),
    ("打击乐", "架子鼓", "80", "2,600"),
    ("", "扬琴", "45", "1,200"),
)
INSTRUMENTS = TableCase(
    name="instruments",
    format="docx",
    language="zh",
    title="乐器租借价目",
    header=(("类别", "乐器", "日租金（元）", "押金（元）"),),
    rows=_INSTRUMENTS,
    merged=((1, 0, 3, 0), (4, 0, 5, 0), (6, 0, 7, 0)),
    key=1,
    questions=(
        Q("二胡属于哪个类别？", "lookup", ("弦乐",), ("二胡",)),
        Q("租大提琴的押金是多少？", "lookup", ("2,000",), ("大提琴",)),
        Q("扬琴租一天多少钱？", "lookup", ("45",), ("扬琴",)),
        Q("弦乐类的乐器有哪些？", "filter", ("小提琴", "大提琴", "二胡"), ("小提琴", "大提琴", "二胡")),
        Q("打击乐有多少种乐器？", "count", ("2",), ("架子鼓", "扬琴")),
        Q("日租金最便宜的乐器是什么？", "extreme", ("二胡", "20"), ("二胡",)),
        Q("管乐里押金最高的是哪种乐器？", "extreme", ("萨克斯", "1,500"), ("萨克斯",)),
    ),
)

_VISITORS = (
    ("Kestrel Dome", "1,240", "1,515", "1,402", "1,690"),
    ("Polar Station", "860", "790", "905", "812"),
    ("Quarry Tower", "2,105", "1,980", "2,240", "2,033"),
    ("Heather Dish", "415", "560", "433", "602"),
)
OBSERVATORIES = TableCase(
    name="observatories",
    format="html",
    language="en",
    title="Visitors of the observatories",
    header=(("Observatory", "2023", "", "2024", ""), ("", "Spring", "Autumn", "Spring", "Autumn")),
    rows=_VISITORS,
    merged=((0, 0, 1, 0), (0, 1, 0, 2), (0, 3, 0, 4)),
    questions=(
        Q("How many visitors did Polar Station have in autumn 2023?", "lookup", ("790",), ("Polar Station",)),
        Q("What was the figure of Heather Dish for spring 2024?", "lookup", ("433",), ("Heather Dish",)),
        Q("Which observatory had the most visitors in spring 2023?", "extreme", ("Quarry Tower", "2,105"), ("Quarry Tower",)),
        Q("How many visitors were there in total in autumn 2024?", "total", ("5,137",), names_of(_VISITORS)),
        Q(
            "Which observatories had more than 1,000 visitors in spring 2024?",
            "filter",
            ("Kestrel Dome", "Quarry Tower"),
            ("Kestrel Dome", "Quarry Tower"),
        ),
        Q("How many observatories are listed?", "count", ("4",), names_of(_VISITORS)),
    ),
)

_PLACES = ("松坪沟", "鹿鸣谷", "石门峡", "桃源洞")
_SPECIMENS = tuple(
    (
        f"BZ-{100 + n}",
        ("方解石", "萤石", "石英", "孔雀石", "黄铁矿")[n % 5] + f"标本{n}",
        _PLACES[n % 4],
        str(40 + 7 * n % 180),
        str(2001 + n % 15),
    )
    for n in range(64)
)
SPECIMENS = TableCase(
    name="specimens",
    format="pdf",
    language="zh",
    title="矿物标本登记",
    header=(("编号", "标本名称", "采集地点", "重量（克）", "入藏年份"),),
    rows=_SPECIMENS,
    questions=(
        Q("BZ-158的采集地点是哪里？", "lookup", (_SPECIMENS[58][2],), ("BZ-158",)),
        Q("编号BZ-147的标本重量是多少？", "lookup", (_SPECIMENS[47][3],), ("BZ-147",)),
        Q(
            "鹿鸣谷采集的标本一共有多少件？",
            "count",
            (str(sum(row[2] == "鹿鸣谷" for row in _SPECIMENS)),),
            names_of([row for row in _SPECIMENS if row[2] == "鹿鸣谷"]),
        ),
        Q(
            "最重的标本是哪一件？",
            "extreme",
            (max(_SPECIMENS, key=lambda row: int(row[3]))[0],),
            (max(_SPECIMENS, key=lambda row: int(row[3]))[0],),
        ),
        Q("标本的总重量是多少克？", "total", (f"{sum(int(row[3]) for row in _SPECIMENS):,}",), names_of(_SPECIMENS)),
        Q("BZ-999的采集地点是哪里？", "absent"),
    ),
)

_BICYCLES = (
    ("Canal Gate", "West", "24", "€2.50", "2019-04-12"),
    ("Museum Steps", "Centre", "40", "€3.00", "2018-09-01"),
    ("Station North", "North", "60", "€2.00", "2017-05-20"),
    ("Old Brewery", "West", "16", "€2.50", "2021-03-15"),
    ("Harbour Arch", "East", "32", "€2.80", "2020-06-30"),
    ("Linden Court", "Centre", "28", "€3.20", "2022-10-08"),
)
BICYCLES = TableCase(
    name="bicycles",
    format="csv",
    language="en",
    title="Bicycle hire stations",
    header=(("Station", "District", "Bicycles", "Fee per hour", "Opened"),),
    rows=_BICYCLES,
    questions=(
        Q("How much does Harbour Arch cost per hour?", "lookup", ("2.80",), ("Harbour Arch",)),
        Q("In which district is Old Brewery?", "lookup", ("West",), ("Old Brewery",)),
        Q("How many bicycles are there altogether?", "total", ("200",), names_of(_BICYCLES)),
        Q("Which station is the cheapest?", "extreme", ("Station North", "2.00"), ("Station North",)),
        Q("Which station opened last?", "extreme", ("Linden Court",), ("Linden Court",)),
        Q("What are the two most expensive stations?", "extreme", ("Linden Court", "Museum Steps"), ("Linden Court", "Museum Steps")),
        Q("List the stations in the Centre district.", "filter", ("Museum Steps", "Linden Court"), ("Museum Steps", "Linden Court")),
        Q("How many bicycles does the Centre district have in total?", "total", ("68",), ("Museum Steps", "Linden Court")),
        Q("Is there a toilet at Canal Gate?", "absent"),
    ),
)

CASES = (TEA, LIGHTHOUSES, INSTRUMENTS, OBSERVATORIES, SPECIMENS, BICYCLES)
