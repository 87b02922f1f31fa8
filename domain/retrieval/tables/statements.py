"""What was computed, in sentences of the reader's language."""

from collections.abc import Sequence
from decimal import Decimal

from adapters.text.language import Language
from domain.retrieval.tables.table import Column

EXTREMES: dict[Language, dict[str, str]] = {"zh": {"max": "最大", "min": "最小"}, "en": {"max": "largest", "min": "smallest"}}
DATED: dict[Language, dict[str, str]] = {"zh": {"max": "最晚", "min": "最早"}, "en": {"max": "latest", "min": "earliest"}}
PLACES_MAX = 4  # of a mean beyond those of its numbers


def found_row(language: Language) -> str:
    return "表中对应的行：" if language == "zh" else "The row of the table:"


def count_rows(language: Language, count: int, total: int, conditions: str) -> str:
    if language == "zh":
        return f"符合条件（{conditions}）的共 {count} 行，全表 {total} 行。" if conditions else f"共 {count} 行。"
    return f"{count} of {total} rows match ({conditions})." if conditions else f"{count} rows."


def count_items(language: Language, count: int) -> str:
    return f"共 {count} 项。" if language == "zh" else f"{count} items."


def count_values(language: Language, column: Column, count: int, conditions: str) -> str:
    if language == "zh":
        return f"“{column.name}”共有 {count} 个不同的值{_within(language, conditions)}。"
    return f"{count} different values of “{column.name}”{_within(language, conditions)}."


def list_rows(language: Language, shown: int, count: int, conditions: str, *, items: bool = False) -> str:
    noun = "项" if items else "行"
    if language == "zh":
        head = f"符合条件（{conditions}）的共 {count} {noun}" if conditions else f"共 {count} {noun}"
        return head + (f"，以下只是其中的 {shown} {noun}（部分）：" if shown < count else "：")
    noun = ("item" if items else "row") + ("" if count == 1 else "s")
    head = f"{count} {noun}" + (f" match{'es' if count == 1 else ''} ({conditions})" if conditions else "")
    return head + (f"; only {shown} of {count} {noun} are shown here (a part):" if shown < count else ":")


def extreme(language: Language, operation: str, column: Column, found: Sequence[tuple[str, str]], conditions: str, *, rank: int = 1) -> str:
    """``found``: the names of the rows and their values, the first of them the extreme, or the one of that rank."""
    word = (DATED if column.kind in ("date", "time") else EXTREMES)[language][operation]
    within = _within(language, conditions)
    if language == "zh":
        told = "；".join(f"{name}（{value}）" for name, value in found)
        return f"“{column.name}”{word}的是{within}：{told}。" if rank == 1 else f"“{column.name}”{word}中的第 {rank} 位{within}：{told}。"
    told = "; ".join(f"{name} ({value})" for name, value in found)
    place = "" if rank == 1 else f" (number {rank})"
    return f"{word.capitalize()} “{column.name}”{place}{within}: {told}."


def extreme_group(
    language: Language, operation: str, column: Column, what: str, found: Sequence[tuple[str, str]], conditions: str, *, rank: int
) -> str:
    """``found``: the values of a column with what was worked out for the rows of each, the extreme first."""
    word, within = EXTREMES[language][operation], _within(language, conditions)
    if language == "zh":
        told = "；".join(f"{name}（{value}）" for name, value in found)
        place = "的是" if rank == 1 else f"中的第 {rank} 位"
        return f"按“{column.name}”，{what}{word}{place}{within}：{told}。"
    told = "; ".join(f"{name} ({value})" for name, value in found)
    place = "" if rank == 1 else f" (number {rank})"
    return f"By “{column.name}”, {word}{place} {what.strip()}{within}: {told}."


def too_few(language: Language, column: Column, count: int) -> str:
    if language == "zh":
        return f"无法计算：“{column.name}”只有 {count} 个不同的值。这些行："
    return f"Not computed: “{column.name}” has only {count} different values. The rows:"


def beyond(language: Language) -> str:
    if language == "zh":
        return (
            "无法计算：增长、占比、趋势、与平均值的比较一类不在可计算的范围内（可以计数、筛选、求最大最小、合计、平均、中位数和差）。"
            "最接近的行："
        )
    return (
        "Not computed: growth, shares, trends, comparisons with an average and the like are not worked out"
        " (counts, filters, largest, smallest, sums, averages, medians and differences are). The nearest rows:"
    )


def used_tables(language: Language, titles: Sequence[str]) -> str:
    if language == "zh":
        return f"（据 {len(titles)} 张相同格式的表：{'、'.join(titles)}。）"
    return f" (From {len(titles)} tables of the same form: {', '.join(titles)}.)"


def rows_of(language: Language, title: str) -> str:
    return f"“{title}”中的行：" if language == "zh" else f"The rows of “{title}”:"


def total(language: Language, column: Column, value: Decimal, unit: str, counted: int, missing: int, conditions: str) -> str:
    sum_told, within = amount(value, unit), _within(language, conditions)
    if language == "zh":
        gap = f"，另有 {missing} 行没有数值" if missing else ""
        return f"“{column.name}”合计{within}：{sum_told}（{counted} 行相加{gap}）。"
    gap = f"; {missing} rows have no value" if missing else ""
    return f"Total of “{column.name}”{within}: {sum_told} ({counted} rows added{gap})."


def mean(language: Language, column: Column, value: Decimal, unit: str, counted: int, missing: int, conditions: str) -> str:
    return _middle(language, column, ("平均", "Average"), amount(value, unit), counted, missing, conditions)


def median(language: Language, column: Column, value: Decimal, unit: str, counted: int, missing: int, conditions: str) -> str:
    return _middle(language, column, ("中位数", "Median"), amount(value, unit), counted, missing, conditions)


def _middle(language: Language, column: Column, words: tuple[str, str], told: str, counted: int, missing: int, conditions: str) -> str:
    within = _within(language, conditions)
    if language == "zh":
        gap = f"，另有 {missing} 行没有数值" if missing else ""
        return f"“{column.name}”{words[0]}{within}：{told}（{counted} 行{gap}）。"
    gap = f"; {missing} rows have no value" if missing else ""
    return f"{words[1]} of “{column.name}”{within}: {told} ({counted} rows{gap})."


def compare(language: Language, column: Column, first: tuple[str, str], second: tuple[str, str], difference: str) -> str:
    """Two names with their values, the one with more first; no difference when they are equal."""
    colon = "：" if language == "zh" else ": "
    pairs = f"{first[0]} {first[1]}{'；' if language == 'zh' else '; '}{second[0]} {second[1]}"
    if language == "zh":
        told = f"{first[0]} 比 {second[0]} 多 {difference}" if difference else "两者相等"
        if column.kind in ("date", "time") and difference:
            told = f"{second[0]} 更早"
        return f"“{column.name}”{colon}{pairs}。{told}。"
    told = f"{first[0]} is {difference} more than {second[0]}" if difference else "They are equal"
    if column.kind in ("date", "time") and difference:
        told = f"{second[0]} is earlier"
    return f"“{column.name}”{colon}{pairs}. {told}."


def unclear_columns(language: Language, columns: Sequence[Column]) -> str:
    names = ("、" if language == "zh" else ", ").join(f"“{column.name}”" for column in columns if column.name)
    if language == "zh":
        return f"无法计算：问题没有说明是哪一列（{names}）。最接近的行：" if names else "无法计算：表中没有可以比较的数值列。最接近的行："
    if names:
        return f"Not computed: the question does not say which column ({names}). The nearest rows:"
    return "Not computed: the table has no column of numbers that this asks about. The nearest rows:"


def mixed_units(language: Language, column: Column, units: Sequence[str]) -> str:
    told = ("、" if language == "zh" else ", ").join(units)
    if language == "zh":
        return f"无法计算：“{column.name}”一列的单位不一致（{told}）。最接近的行："
    return f"Not computed: the units in “{column.name}” differ ({told}). The nearest rows:"


def partial_table(language: Language, read: int, whole: int) -> str:
    if language == "zh":
        return f"无法计算：这张表有 {whole} 行，只读取了其中的 {read} 行（部分）。最接近的行："
    return f"Not computed: only {read} of the {whole} rows of this table were read (a part). The nearest rows:"


def no_such_column(language: Language, words: Sequence[str]) -> str:
    if language == "zh":
        return "表中没有问题所问的那一列，无法回答。最接近的行："
    told = f" ({', '.join(words)})" if words else ""
    return f"The table has no column for what is asked{told}, so it does not answer. The nearest rows:"


def not_considered(language: Language, words: Sequence[str]) -> str:
    told = ("、" if language == "zh" else ", ").join(f"“{word}”" for word in words)
    return f"（{told}没有在表中找到，未考虑。）" if language == "zh" else f" ({told} not found in the table, so not considered.)"


def not_grouped(language: Language) -> str:
    if language == "zh":
        return "无法计算：没有说明按哪一列分组。最接近的行："
    return "Not computed: the question does not say by which column to group. The nearest rows:"


def no_rows(language: Language, total: int, conditions: str) -> str:
    if language == "zh":
        return f"符合条件（{conditions}）的有 0 行，全表 {total} 行。"
    return f"0 of {total} rows match ({conditions})."


def groups(language: Language, column: Column, what: str, found: Sequence[tuple[str, str]]) -> str:
    """Values of a column, each with a count, sum or mean."""
    told = ("；" if language == "zh" else "; ").join(f"{name}{'：' if language == 'zh' else ': '}{value}" for name, value in found)
    return f"按“{column.name}”{what}：{told}。" if language == "zh" else f"By “{column.name}”, {what}: {told}."


def amount(value: Decimal, unit: str) -> str:
    """A number with its unit."""
    return f"{show(value)}{_unit(unit)}"


def show(value: Decimal) -> str:
    """A number with thousands separators, without trailing zeros."""
    text = f"{value:,.10f}".rstrip("0").rstrip(".")
    return text if text not in ("", "-0") else "0"


def _unit(unit: str) -> str:
    if " " in unit:  # $ thousand
        return f" ({unit})"
    return "" if not unit else unit if not unit.isascii() or unit in ("%", "°", "℃") else f" {unit}"


def _within(language: Language, conditions: str) -> str:
    if not conditions:
        return ""
    return f"（{conditions}）" if language == "zh" else f" ({conditions})"
