"""The tables that are asked about only to report: no rule was made by them. All of it is invented."""

from ops.evaluation.tables.case import TableCase, TableQuestion, names_of

Q = TableQuestion

_KILNS = (
    ("一号窑", "青瓷", "1,280", "86", "1,340", "91"),
    ("二号窑", "", "1,150", "79", "1,210", "83"),
    ("三号窑", "白瓷", "960", "88", "1,020", "90"),
    ("四号窑", "紫砂", "720", "93", "705", "95"),
    ("五号窑", "", "640", "90", "688", "92"),
)
KILNS = TableCase(
    name="kilns",
    format="xlsx",
    language="zh",
    title="窑口烧制统计",
    header=(("窑口", "主烧品类", "上半年", "", "下半年", ""), ("", "", "出窑件数", "合格率", "出窑件数", "合格率")),
    rows=_KILNS,
    merged=((0, 0, 1, 0), (0, 1, 1, 1), (0, 2, 0, 3), (0, 4, 0, 5), (2, 1, 3, 1), (5, 1, 6, 1)),
    questions=(
        Q("三号窑下半年的出窑件数是多少？", "lookup", ("1,020",), ("三号窑",)),
        Q("五号窑主烧什么品类？", "lookup", ("紫砂",), ("五号窑",)),
        Q("上半年合格率最高的窑口是哪个？", "extreme", ("四号窑", "93"), ("四号窑",)),
        Q("主烧青瓷的窑口有哪些？", "filter", ("一号窑", "二号窑"), ("一号窑", "二号窑")),
        Q("下半年一共出窑多少件？", "total", ("4,963",), names_of(_KILNS)),
        Q("一号窑和四号窑上半年的出窑件数相差多少？", "compare", ("1,280", "720", "560"), ("一号窑", "四号窑")),
        Q("二号窑的窑长是谁？", "absent"),
    ),
)

_CHOIR = (
    ("Soprano", "Adela Finch", "Tuesday", "7"),
    ("", "Morag Lyle", "Thursday", "12"),
    ("", "Petra Quill", "Tuesday", "3"),
    ("Alto", "Ines Corran", "Thursday", "15"),
    ("", "Bryony Wace", "Tuesday", "9"),
    ("Tenor", "Hugh Pellow", "Thursday", "21"),
    ("Bass", "Owen Strand", "Tuesday", "18"),
    ("", "Silas Brook", "Thursday", "5"),
)
CHOIR = TableCase(
    name="choir",
    format="docx",
    language="en",
    title="Choir members",
    header=(("Voice", "Member", "Rehearsal day", "Years in the choir"),),
    rows=_CHOIR,
    merged=((1, 0, 3, 0), (4, 0, 5, 0), (7, 0, 8, 0)),
    key=1,
    questions=(
        Q("Which voice does Petra Quill sing?", "lookup", ("Soprano",), ("Petra Quill",)),
        Q("On which day does Silas Brook rehearse?", "lookup", ("Thursday",), ("Silas Brook",)),
        Q("How many altos are there?", "count", ("2",), ("Ines Corran", "Bryony Wace")),
        Q("Which member has been in the choir for the most years?", "extreme", ("Hugh Pellow", "21"), ("Hugh Pellow",)),
        Q(
            "List all members who rehearse on Tuesday.",
            "filter",
            ("Adela Finch", "Petra Quill", "Bryony Wace", "Owen Strand"),
            ("Adela Finch", "Petra Quill", "Bryony Wace", "Owen Strand"),
        ),
        Q("What is the phone number of Owen Strand?", "absent"),
    ),
)

_ROOMS = (
    ("甲区", "雨林馆", "26", "85%", "每日"),
    ("", "荒漠馆", "31", "20%", "每周"),
    ("", "兰花馆", "22", "75%", "每日"),
    ("乙区", "高山馆", "12", "55%", "隔日"),
    ("", "水生馆", "24", "90%", "每日"),
)
GREENHOUSES = TableCase(
    name="greenhouses",
    format="html",
    language="zh",
    title="植物园温室参数",
    header=(("分区", "温室", "设定温度（℃）", "相对湿度", "浇水频率"),),
    rows=_ROOMS,
    merged=((1, 0, 3, 0), (4, 0, 5, 0)),
    key=1,
    questions=(
        Q("兰花馆在哪个分区？", "lookup", ("甲区",), ("兰花馆",)),
        Q("高山馆的设定温度是多少？", "lookup", ("12",), ("高山馆",)),
        Q("哪些温室是每日浇水的？", "filter", ("雨林馆", "兰花馆", "水生馆"), ("雨林馆", "兰花馆", "水生馆")),
        Q("甲区一共有几个温室？", "count", ("3",), ("雨林馆", "荒漠馆", "兰花馆")),
        Q("湿度最低的温室是哪个？", "extreme", ("荒漠馆", "20%"), ("荒漠馆",)),
        Q("温度高于23度的温室有哪些？", "filter", ("雨林馆", "荒漠馆", "水生馆"), ("雨林馆", "荒漠馆", "水生馆")),
        Q("水生馆的门票多少钱？", "absent"),
    ),
)

_TOWNS = ("Ashcombe", "Bellfield", "Cray", "Dunmore", "Eastwick")
_LOCKERS = tuple(
    (f"PL-{300 + n}", _TOWNS[n % 5], f"{12 + 11 * n % 90}", ("indoor", "outdoor", "outdoor")[n % 3], f"{2015 + n % 9}") for n in range(70)
)
LOCKERS = TableCase(
    name="lockers",
    format="pdf",
    language="en",
    title="Parcel lockers",
    header=(("Locker", "Town", "Compartments", "Placement", "Installed"),),
    rows=_LOCKERS,
    questions=(
        Q("In which town is PL-364?", "lookup", (_LOCKERS[64][1],), ("PL-364",)),
        Q("How many compartments does PL-351 have?", "lookup", (_LOCKERS[51][2],), ("PL-351",)),
        Q(
            "How many lockers are in Dunmore?",
            "count",
            (str(sum(row[1] == "Dunmore" for row in _LOCKERS)),),
            names_of([row for row in _LOCKERS if row[1] == "Dunmore"]),
        ),
        Q(
            "Which locker has the largest number of compartments?",
            "extreme",
            (max(_LOCKERS, key=lambda row: int(row[2]))[0],),
            (max(_LOCKERS, key=lambda row: int(row[2]))[0],),
        ),
        Q("What is the total number of compartments?", "total", (f"{sum(int(row[2]) for row in _LOCKERS):,}",), names_of(_LOCKERS)),
        Q("In which town is PL-812?", "absent"),
    ),
)

_FERRIES = (
    ("F1", "西埠", "鸥岛", "06:40", "25", "12元"),
    ("F2", "西埠", "月湾", "07:15", "40", "18元"),
    ("F3", "东港", "鸥岛", "08:30", "35", "15元"),
    ("F4", "东港", "珠屿", "09:10", "55", "26元"),
    ("F5", "西埠", "珠屿", "13:20", "60", "30元"),
    ("F6", "月湾", "鸥岛", "17:45", "20", "10元"),
)
FERRIES = TableCase(
    name="ferries",
    format="csv",
    language="zh",
    title="轮渡班次表",
    header=(("班次", "出发码头", "到达码头", "开船时间", "航行时长（分钟）", "票价"),),
    rows=_FERRIES,
    questions=(
        Q("F4几点开船？", "lookup", ("09:10",), ("F4",)),
        Q("班次F5的票价是多少？", "lookup", ("30元",), ("F5",)),
        Q("从西埠出发的班次有哪些？", "filter", ("F1", "F2", "F5"), ("F1", "F2", "F5")),
        Q("最早的一班是哪个班次？", "extreme", ("F1", "06:40"), ("F1",)),
        Q("票价不超过15元的班次有哪几个？", "filter", ("F1", "F3", "F6"), ("F1", "F3", "F6")),
        Q("F1和F4哪个票价更贵？", "compare", ("12元", "26元"), ("F1", "F4")),
        Q("有多少个班次到达鸥岛？", "count", ("3",), ("F1", "F3", "F6")),
    ),
)

_LOAVES = (
    ("Rye tin", "rye", "900 g", "4.80", "no"),
    ("Harvest round", "wheat", "750 g", "4.20", "yes"),
    ("Olive plait", "wheat", "500 g", "5.10", "yes"),
    ("Oat cob", "oat", "600 g", "3.90", "no"),
    ("Spelt brick", "spelt", "1,000 g", "6.30", "no"),
    ("Milk bun", "wheat", "80 g", "0.95", "yes"),
)
LOAVES = TableCase(
    name="loaves",
    format="xlsx",
    language="en",
    title="Bakery range",
    header=(("Loaf", "Flour", "Weight", "Price (EUR)", "Baked on Sundays"),),
    rows=_LOAVES,
    questions=(
        Q("What is the price of the Olive plait?", "lookup", ("5.10",), ("Olive plait",)),
        Q("How heavy is the Oat cob?", "lookup", ("600 g",), ("Oat cob",)),
        Q(
            "Which loaves are made of wheat flour?",
            "filter",
            ("Harvest round", "Olive plait", "Milk bun"),
            ("Harvest round", "Olive plait", "Milk bun"),
        ),
        Q("Which loaf is the heaviest?", "extreme", ("Spelt brick", "1,000 g"), ("Spelt brick",)),
        Q(
            "Which loaves cost less than 4.50?",
            "filter",
            ("Harvest round", "Oat cob", "Milk bun"),
            ("Harvest round", "Oat cob", "Milk bun"),
        ),
        Q("How many loaves are not baked on Sundays?", "count", ("3",), ("Rye tin", "Oat cob", "Spelt brick")),
        Q("How many calories has the Milk bun?", "absent"),
    ),
)

CASES = (KILNS, CHOIR, GREENHOUSES, LOCKERS, FERRIES, LOAVES)
