"""Tables as books are kept, to report on: units, dates that pass, negative amounts, gaps, one table per branch. All of it is invented."""

from ops.evaluation.tables.case import TableCase, TableQuestion, names_of

Q = TableQuestion

_TRIPS = (
    ("T-31", "段启明", "昆明", "12,300", "1,800 米", "45分钟", "{m-1}-11", "已报销"),
    ("T-32", "何素芬", "大理", "8,750", "2.6 公里", "2小时", "{m0}-02", "未报销"),
    ("T-33", "段启明", "丽江", "(460)", "950 米", "1.5小时", "{y-1}-05-20", "已报销"),
    ("T-34", "乔立", "昆明", "5,020", "3.2 公里", "30分钟", "{y-1}-12-08", "未报销"),
    ("T-35", "", "腾冲", "15,900", "700 米", "3小时", "{m-1}-25", "已报销"),
    ("T-36", "何素芬", "昆明", "", "1.1 公里", "90分钟", "{m0}-01", "未报销"),
)
_ALL_TRIPS = names_of(_TRIPS)
TRIPS = TableCase(
    name="trips",
    format="csv",
    language="zh",
    title="勘察外出登记",
    header=(("编号", "领队", "地点", "经费（元）", "线路长度", "用时", "出发日期", "报销情况"),),
    rows=_TRIPS,
    questions=(
        Q("线路最长的是哪一次外出？", "extreme", ("T-34", "3.2 公里"), ("T-34",)),
        Q("线路长度在1公里以上的外出有哪些？", "filter", ("T-31", "T-32", "T-34", "T-36"), ("T-31", "T-32", "T-34", "T-36")),
        Q("用时少于一小时的外出有哪几次？", "filter", ("T-31", "T-34"), ("T-31", "T-34")),
        Q("经费超过一万二千元的外出有哪些？", "filter", ("T-31", "T-35"), ("T-31", "T-35")),
        Q("经费至少0.8万元的外出有几次？", "count", ("3",), ("T-31", "T-32", "T-35")),
        Q("这个月出发的外出有哪些？", "filter", ("T-32", "T-36"), ("T-32", "T-36")),
        Q("上月出发的外出有哪些？", "filter", ("T-31", "T-35"), ("T-31", "T-35")),
        Q("去年一共外出了几次？", "count", ("2",), ("T-33", "T-34"), month_min=6),
        Q("领队为空的是哪一次？", "filter", ("T-35",), ("T-35",)),
        Q("经费总额是多少？", "total", ("41,510",), _ALL_TRIPS),
        Q("除了昆明以外的外出有哪些？", "filter", ("T-32", "T-33", "T-35"), ("T-32", "T-33", "T-35")),
        Q("经费第三多的外出是哪次？", "extreme", ("T-32", "8,750"), ("T-32",)),
        Q("登记的地点有多少个？", "count", ("4",), _ALL_TRIPS),
        Q("在昆明并且还未报销的外出有哪些？", "filter", ("T-34", "T-36"), ("T-34", "T-36")),
        Q("经费环比下降了多少？", "absent"),
    ),
)

_PARCELS = (
    ("Alder", "Exeter", "2.5 kg", "0.12", "$1,240", "{m-1}-07", "8,200"),
    ("Birch", "Truro", "750 g", "0.05", "-$310", "{m0}-01", "640"),
    ("Cedar", "Exeter", "12 kg", "0.31", "$98", "{y-1}-10-10", "15,700"),
    ("Elm", "Bude", "1,900 g", "0.08", "-$45", "{m-1}-28", "3,050"),
    ("Hazel", "Truro", "400 g", "0.22", "$2,015", "{q-1}-15", ""),
    ("Rowan", "Bude", "4.2 kg", "0.17", "$560", "{y-1}-02-14", "9,900"),
)
_ALL_PARCELS = names_of(_PARCELS)
PARCELS = TableCase(
    name="parcels",
    format="xlsx",
    language="en",
    title="Freight accounts",
    header=(("Account", "Depot", "Mean weight", "Damage rate", "Balance", "Opened", "Shipments"),),
    rows=_PARCELS,
    questions=(
        Q("Which account has the smallest mean weight?", "extreme", ("Hazel", "400 g"), ("Hazel",)),
        Q("Which accounts have a mean weight above 2 kg?", "filter", ("Alder", "Cedar", "Rowan"), ("Alder", "Cedar", "Rowan")),
        Q("Which accounts have a damage rate above 15%?", "filter", ("Cedar", "Hazel", "Rowan"), ("Cedar", "Hazel", "Rowan")),
        Q("Which accounts have a negative balance?", "filter", ("Birch", "Elm"), ("Birch", "Elm")),
        Q("What is the sum of the balances?", "total", ("3,558",), _ALL_PARCELS),
        Q("Which accounts have at least nine thousand shipments?", "filter", ("Cedar", "Rowan"), ("Cedar", "Rowan")),
        Q("Which accounts were opened last month?", "filter", ("Alder", "Elm"), ("Alder", "Elm")),
        Q("How many accounts were opened last year?", "count", ("2",), ("Cedar", "Rowan"), month_min=6),
        Q("Which account has the third highest number of shipments?", "extreme", ("Alder", "8,200"), ("Alder",)),
        Q("For which accounts are the shipments missing?", "filter", ("Hazel",), ("Hazel",)),
        Q("List all accounts except those in Exeter.", "filter", ("Birch", "Elm", "Hazel", "Rowan"), ("Birch", "Elm", "Hazel", "Rowan")),
        Q("How many distinct depots are there?", "count", ("3",), _ALL_PARCELS),
        Q("Which depot has the highest total shipments?", "extreme", ("Exeter", "23,900"), _ALL_PARCELS),
        Q("Which accounts in Bude have a damage rate under ten percent?", "filter", ("Elm",), ("Elm",)),
        Q("What is the correlation between weight and damage?", "absent"),
    ),
)

_CREWS = ("North crew", "Coast crew", "Valley crew")
_WORK = (("Crew", "Lead", "Hours", "Cost (EUR)"),)
_DRAINS = (
    ("North crew", "Ida Marsh", "120", "9,600"),
    ("Coast crew", "Noel Firth", "85", "7,150"),
    ("Valley crew", "Una Beck", "140", "10,900"),
)
_PATHS = (
    ("North crew", "Ida Marsh", "60", "4,500"),
    ("Coast crew", "Noel Firth", "155", "12,300"),
    ("Valley crew", "Una Beck", "75", "5,850"),
)
DRAINS = TableCase(
    name="drains",
    format="docx",
    language="en",
    title="Drain repairs",
    header=_WORK,
    rows=_DRAINS,
    questions=(
        Q("Which crew had the most hours in the drain repairs?", "extreme", ("Valley crew", "140"), ("Valley crew",)),
        Q("What did the Coast crew cost in the drain repairs?", "lookup", ("7,150",), ("Coast crew",)),
    ),
)
PATHS = TableCase(
    name="paths",
    format="csv",
    language="en",
    title="Footpath repairs",
    header=_WORK,
    rows=_PATHS,
    questions=(
        Q("Which crew had the most hours in the footpath repairs?", "extreme", ("Coast crew", "155"), ("Coast crew",)),
        Q("How many hours did the Valley crew work altogether?", "total", ("215",), ("Valley crew",)),
    ),
)

_FIELDS = (
    ("甲字田", "稻", "12 亩", "6.2 吨", "0.8%", "3.5"),
    ("乙字田", "麦", "1.5 公顷", "4,800 公斤", "1.6%", "2.1"),
    ("丙字田", "稻", "8 亩", "3.9 吨", "2.4%", "4.05"),
    ("丁字田", "豆", "0.6 公顷", "1,250 公斤", "0.3%", "0.95"),
)
FIELDS = TableCase(
    name="fields",
    format="html",
    language="zh",
    title="示范田收成",
    header=(("田块", "作物", "面积", "收成", "空瘪率", "收入（万元）"),),
    rows=_FIELDS,
    questions=(
        Q("面积最大的田块是哪个？", "extreme", ("乙字田", "1.5 公顷"), ("乙字田",)),
        Q("收成在四吨以上的田块有哪些？", "filter", ("甲字田", "乙字田"), ("甲字田", "乙字田")),
        Q("收成总共是多少吨？", "total", ("16.15",), names_of(_FIELDS)),
        Q("收入在两万元到四万元之间的田块有哪些？", "filter", ("甲字田", "乙字田"), ("甲字田", "乙字田")),
        Q("空瘪率不超过1%的田块有哪些？", "filter", ("甲字田", "丁字田"), ("甲字田", "丁字田")),
        Q("甲字田和丙字田的收成相差多少？", "compare", ("6.2 吨", "3.9 吨", "2.3"), ("甲字田", "丙字田")),
        Q("收入的中位数是多少？", "total", ("2.8",), names_of(_FIELDS)),
    ),
)

CASES = (TRIPS, PARCELS, DRAINS, PATHS, FIELDS)
