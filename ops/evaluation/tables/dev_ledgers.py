"""Tables as books are kept, for development: units, dates that pass, negative amounts, gaps, one table per month. All of it is invented."""

from ops.evaluation.tables.case import TableCase, TableQuestion, names_of

Q = TableQuestion

_STORES = (
    ("晒干木耳", "北仓", "850 克", "3.2", "4%", "松岭合作社", "{m0}-03", "1,250"),
    ("手工粉条", "北仓", "2.4 公斤", "0.85", "2%", "石桥作坊", "{m-1}-18", "(320)"),
    ("野生蜂蜜", "南仓", "500 克", "6.5", "9%", "", "{m0}-01", "2,480"),
    ("腊肉", "南仓", "3.1 公斤", "4", "12%", "石桥作坊", "{m-2}-27", "(1,045)"),
    ("竹荪", "东仓", "300 克", "5.1", "7%", "松岭合作社", "{y-1}-06-15", "960"),
    ("莲子", "东仓", "1.6 公斤", "1.9", "3%", "", "{y-1}-11-30", "-75"),
    ("枸杞", "南仓", "1 公斤", "2.75", "5%", "河湾农场", "{m-1}-02", "410"),
)
_ALL_STORES = names_of(_STORES)
STORES = TableCase(
    name="stores",
    format="xlsx",
    language="zh",
    title="山货库存台账",
    header=(("货物", "仓库", "净重", "货值（万元）", "损耗率", "供货单位", "入库日期", "盈亏（元）"),),
    rows=_STORES,
    questions=(
        Q("净重最大的是哪种货物？", "extreme", ("腊肉", "3.1 公斤"), ("腊肉",)),
        Q("净重超过1公斤的货物有哪些？", "filter", ("手工粉条", "腊肉", "莲子"), ("手工粉条", "腊肉", "莲子")),
        Q("所有货物的净重一共是多少公斤？", "total", ("9.75",), _ALL_STORES),
        Q("货值超过三万元的货物有哪些？", "filter", ("晒干木耳", "野生蜂蜜", "腊肉", "竹荪"), ("晒干木耳", "野生蜂蜜", "腊肉", "竹荪")),
        Q("货值不到20000元的有哪几种货物？", "filter", ("手工粉条", "莲子"), ("手工粉条", "莲子")),
        Q("损耗率不低于百分之七的货物有哪些？", "filter", ("野生蜂蜜", "腊肉", "竹荪"), ("野生蜂蜜", "腊肉", "竹荪")),
        Q("本月入库的货物有哪些？", "filter", ("晒干木耳", "野生蜂蜜"), ("晒干木耳", "野生蜂蜜")),
        Q("上个月入库了几种货物？", "count", ("2",), ("手工粉条", "枸杞")),
        Q("去年入库的货物有哪些？", "filter", ("竹荪", "莲子"), ("竹荪", "莲子"), month_min=6),
        Q("哪些货物没有填写供货单位？", "filter", ("野生蜂蜜", "莲子"), ("野生蜂蜜", "莲子")),
        Q("哪些货物是亏损的？", "filter", ("手工粉条", "腊肉", "莲子"), ("手工粉条", "腊肉", "莲子")),
        Q("盈亏合计是多少元？", "total", ("3,660",), _ALL_STORES),
        Q("货值第二高的货物是哪种？", "extreme", ("竹荪", "5.1"), ("竹荪",)),
        Q("不在南仓的货物有哪些？", "filter", ("晒干木耳", "手工粉条", "竹荪", "莲子"), ("晒干木耳", "手工粉条", "竹荪", "莲子")),
        Q("一共有多少家不同的供货单位？", "count", ("3",), _ALL_STORES),
        Q("南仓里货值高于3万元的货物有哪些？", "filter", ("野生蜂蜜", "腊肉"), ("野生蜂蜜", "腊肉")),
        Q("哪个仓库的货值合计最高？", "extreme", ("南仓", "13.25"), _ALL_STORES),
        Q("山货台账里货值同比增长了多少？", "absent"),
    ),
)

_INVOICES = (
    ("INV-701", "Harrow Mill", "Leeds", "1,450.00", "12%", "{m0}-09", "yes"),
    ("INV-702", "Dale Joinery", "Leeds", "(380.00)", "5%", "{m-1}-21", "yes"),
    ("INV-703", "Pike Foundry", "York", "2,915.50", "20%", "{m-1}-04", "no"),
    ("INV-704", "Harrow Mill", "Hull", "640.25", "8%", "{q-1}-12", "no"),
    ("INV-705", "Selby Glass", "York", "", "10%", "{y-1}-08-02", "yes"),
    ("INV-706", "Pike Foundry", "Hull", "305.00", "15%", "{y-1}-03-19", "no"),
    ("INV-707", "Dale Joinery", "York", "(95.75)", "3%", "{m0}-01", "yes"),
)
_ALL_INVOICES = names_of(_INVOICES)
INVOICES = TableCase(
    name="invoices",
    format="csv",
    language="en",
    title="Invoice ledger",
    header=(("Invoice", "Client", "City", "Amount (GBP)", "Discount", "Issued", "Paid"),),
    rows=_INVOICES,
    questions=(
        Q(
            "Which invoices are for more than three hundred?",
            "filter",
            ("INV-701", "INV-703", "INV-704", "INV-706"),
            ("INV-701", "INV-703", "INV-704", "INV-706"),
        ),
        Q("Which invoices have an amount over two thousand five hundred?", "filter", ("INV-703",), ("INV-703",)),
        Q("Which invoices are negative?", "filter", ("INV-702", "INV-707"), ("INV-702", "INV-707")),
        Q("What is the total amount of all invoices?", "total", ("4,835",), _ALL_INVOICES),
        Q(
            "Which invoices have a discount of at least ten percent?",
            "filter",
            ("INV-701", "INV-703", "INV-705", "INV-706"),
            ("INV-701", "INV-703", "INV-705", "INV-706"),
        ),
        Q("List the invoices with a discount below 0.1.", "filter", ("INV-702", "INV-704", "INV-707"), ("INV-702", "INV-704", "INV-707")),
        Q("Which invoices were issued this month?", "filter", ("INV-701", "INV-707"), ("INV-701", "INV-707")),
        Q("How many invoices were issued last year?", "count", ("2",), ("INV-705", "INV-706"), month_min=6),
        Q("Which invoices were issued last month and are not paid?", "filter", ("INV-703",), ("INV-703",)),
        Q("Which invoice has the second largest amount?", "extreme", ("INV-701", "1,450.00"), ("INV-701",)),
        Q("How many different clients are there?", "count", ("4",), _ALL_INVOICES),
        Q(
            "List the invoices that are not from York.",
            "filter",
            ("INV-701", "INV-702", "INV-704", "INV-706"),
            ("INV-701", "INV-702", "INV-704", "INV-706"),
        ),
        Q("Which invoices have no amount?", "filter", ("INV-705",), ("INV-705",)),
        Q("Which invoices are between 300 and 1,500?", "filter", ("INV-701", "INV-704", "INV-706"), ("INV-701", "INV-704", "INV-706")),
        Q("Which client has the most invoices?", "extreme", ("2",), _ALL_INVOICES),
        Q("What is the year-on-year growth of the invoices?", "absent"),
    ),
)

_SHOPS = ("春熙店", "滨江店", "古城店", "湖畔店")
_JANUARY = tuple(
    zip(_SHOPS, ("成都", "杭州", "西安", "杭州"), ("18,400", "22,150", "9,800", "15,600"), ("310", "402", "188", "276"), strict=True)
)
_FEBRUARY = tuple(
    zip(_SHOPS, ("成都", "杭州", "西安", "杭州"), ("20,050", "17,300", "11,240", "16,020"), ("335", "318", "205", "290"), strict=True)
)
_SALES = (("门店", "城市", "销售额（元）", "订单数"),)
JANUARY = TableCase(
    name="sales-january",
    format="csv",
    language="zh",
    title="一月份门店销售",
    header=_SALES,
    rows=_JANUARY,
    questions=(
        Q("一月份门店销售里销售额最高的是哪家门店？", "extreme", ("滨江店", "22,150"), ("滨江店",)),
        Q("湖畔店一月份的订单数是多少？", "lookup", ("276",), ("湖畔店",)),
        Q("古城店在一月份和二月份的销售额一共是多少？", "total", ("21,040",), ("古城店",)),
    ),
)
FEBRUARY = TableCase(
    name="sales-february",
    format="xlsx",
    language="zh",
    title="二月份门店销售",
    header=_SALES,
    rows=_FEBRUARY,
    questions=(
        Q("二月份门店销售中销售额最高的门店是哪家？", "extreme", ("春熙店", "20,050"), ("春熙店",)),
        Q("二月份杭州的门店订单数一共是多少？", "total", ("608",), ("滨江店", "湖畔店")),
        Q("两个月加起来所有门店的销售额总计是多少？", "total", ("130,560",), _SHOPS),
    ),
)

_TRUCKS = (
    ("Ox 12", "Brill", "1.2 t", "480 km", "€ 41,500", "2h 30min"),
    ("Ox 8", "Brill", "800 kg", "520 km", "€ 33,900", "1h 45min"),
    ("Mule", "Tarn", "950 kg", "390 km", "€ 29,750", "50 min"),
    ("Mule XL", "Tarn", "1.6 t", "350 km", "€ 46,200", "3h"),
    ("Wren", "Osier", "450 kg", "610 km", "€ 24,100", "35 min"),
)
TRUCKS = TableCase(
    name="trucks",
    format="html",
    language="en",
    title="Electric vans",
    header=(("Van", "Maker", "Payload", "Range", "List price", "Charging time"),),
    rows=_TRUCKS,
    questions=(
        Q("Which van has the largest payload?", "extreme", ("Mule XL", "1.6 t"), ("Mule XL",)),
        Q("Which vans have a payload of more than 900 kg?", "filter", ("Ox 12", "Mule", "Mule XL"), ("Ox 12", "Mule", "Mule XL")),
        Q("Which vans charge in under an hour?", "filter", ("Mule", "Wren"), ("Mule", "Wren")),
        Q("What are the three cheapest vans?", "extreme", ("Wren", "Mule", "Ox 8"), ("Wren", "Mule", "Ox 8")),
        Q("Which vans cost less than thirty thousand euros?", "filter", ("Mule", "Wren"), ("Mule", "Wren")),
        Q("How much more payload has the Ox 12 than the Ox 8?", "compare", ("1.2 t", "800 kg"), ("Ox 12", "Ox 8")),
        Q("What is the median list price?", "total", ("33,900",), names_of(_TRUCKS)),
    ),
)

CASES = (STORES, INVOICES, JANUARY, FEBRUARY, TRUCKS)
