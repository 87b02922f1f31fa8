"""Units of measurement: what they measure, and how many of its base unit each is. Everything here reads folded text.

A unit that is not known measures itself: 3 颗 and 5 颗 are compared, 3 颗 and 5 kg are not.
"""

import re
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple


class Unit(NamedTuple):
    """``dimension`` is what is measured, "" for a bare number; ``factor`` times a value is that value in the base unit."""

    dimension: str
    factor: Decimal = Decimal(1)


BARE = Unit("")
NOT_ADDED = frozenset(("data",))  # a kilobyte is 1,000 bytes or 1,024: the order is sure, a sum is not

_TABLE = {
    "mass": "mg 毫克 0.001 g 克 gram gramme 1 两 50 斤 市斤 500 kg 公斤 千克 kilo kilogram kilogramme 1000 t 吨 公吨 tonne ton 1000000"
    " lb pound 453.59237 oz ounce 28.349523125",
    "length": "mm 毫米 millimetre millimeter 0.001 cm 厘米 公分 centimetre centimeter 0.01 dm 分米 0.1 m 米 公尺 metre meter 1"
    " km 公里 千米 kilometre kilometer 1000"
    " in inch 英寸 0.0254 ft foot feet 英尺 0.3048 yd yard 0.9144 mi mile 英里 1609.344 nmi 海里 1852",
    "area": "cm² 平方厘米 0.0001 m² m2 sqm 平方米 平米 平方 1 亩 666.6666666667 ha 公顷 hectare 10000 km² km2 平方公里 平方千米 1000000"
    " acre 英亩 4046.8564224 sqft 0.09290304",
    "volume": "ml 毫升 millilitre milliliter 0.001 l 升 公升 litre liter 1 m³ m3 立方米 1000",
    "duration": "ms 毫秒 0.001 s 秒 秒钟 sec second 1 min 分 分钟 minute 60 h 小时 个小时 钟头 hr hour 3600"
    " 天 day 86400 周 星期 week 604800",
    "months": "个月 month 1 年 year 12",
    "money": "分 0.01 角 毛 0.1 元 块 块钱 圆 yuan 1",
    "usd": "usd us$ $ dollar 美元 1",
    "eur": "eur € euro 欧元 1",
    "gbp": "gbp £ 英镑 1",
    "ratio": "% percent 个百分点 0.01 ‰ 0.001",
    "power": "w 瓦 0.001 kw 千瓦 1 mw 兆瓦 1000",
    "energy": "wh 0.001 kwh 千瓦时 1 mwh 1000",
    "data": "kb 1 mb 1024 gb 1048576 tb 1073741824",
    "temperature": "℃ °c 度 摄氏度 1",
}
_SCALES = {"百万": 1_000_000, "千万": 10_000_000, "千": 1_000, "万": 10_000, "亿": 100_000_000}
_WORDS = {"thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000, "k": 1_000, "bn": 1_000_000_000}
COUNTS = "人名个件台套本张只条间次位页集盒箱包瓶袋罐桶支根把户家辆艘架头棵株朵粒片层册份笔单项种类步字幅枚座所"


def _read_table() -> dict[str, Unit]:
    units: dict[str, Unit] = {}
    for dimension, line in _TABLE.items():
        names: list[str] = []
        for word in line.split():
            if re.fullmatch(r"[\d.]+", word):
                units.update((name, Unit(dimension, Decimal(word))) for name in names if name not in units)
                names = []
            else:
                names.append(word)
    return units


UNITS = _read_table()  # 分 is a minute: it stands first
_ENGLISH = "|".join(sorted((re.escape(name) for name in UNITS if name.isascii()), key=len, reverse=True))
_HAN = "|".join(sorted((re.escape(name) for name in UNITS if not name.isascii()), key=len, reverse=True))
# A unit as a question says it behind a number.
PATTERN = rf"(?:(?:{_ENGLISH})s?(?![a-z])|per cent(?![a-z])|{_HAN}|[{COUNTS}](?![月号]))"


# A unit in which a question asks for a number; a measure word such as 个 asks for a count.
_ASKED_HAN = "|".join(
    sorted((name for name in UNITS if not name.isascii() and (len(name) > 1 or name in "元吨亩斤米升克")), key=len, reverse=True)
)
ASKED = rf"(?:多少|几)(?P<unit>(?:千|万|百万|千万|亿)?(?:{_ASKED_HAN}))|\b(?:in|how many) (?P<english>(?:{_ENGLISH})s?)(?![a-z])"


@lru_cache(maxsize=4_096)
def read_unit(text: str) -> Unit:
    """The unit that a text names, with a scale before it (万元) or as a word (thousand EUR); one not known measures itself."""
    name = " ".join(text.replace("per cent", "percent").split())
    if not name:
        return BARE
    found = UNITS.get(name) or (UNITS.get(name.removesuffix("s")) if len(name) > 3 else None)  # noqa: PLR2004 - kg, not s
    if found is not None:
        return found
    above, slash, below = name.partition("/")
    if slash and above:
        of = read_unit(above)
        return Unit(f"{of.dimension}/{below.strip()}", of.factor)
    for scale, factor in _SCALES.items():
        if name.startswith(scale):
            rest = read_unit(name.removeprefix(scale))
            return Unit(rest.dimension, rest.factor * factor)
    words = name.split()
    scales = [word for word in words if word.removesuffix("s") in _WORDS]
    if scales:
        rest = read_unit(" ".join(word for word in words if word not in scales))
        return Unit(rest.dimension, rest.factor * _WORDS[scales[0].removesuffix("s")])
    return Unit(name)


def is_known(unit: Unit) -> bool:
    """Whether it is a unit of measurement, and not only a word behind a number."""
    return unit.dimension.partition("/")[0] in _TABLE


def is_scaled(text: str) -> bool:
    """Whether a unit begins with a scale that a number may have as well: 万元."""
    return text.startswith(tuple(_SCALES)) and text not in UNITS
