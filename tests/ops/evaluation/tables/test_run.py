"""The counts of an evaluation of tables."""

from ops.evaluation.tables import dev
from ops.evaluation.tables.run import CASES, judge, summarise


def test_counts_by_part_and_kind() -> None:
    case, lookup = dev.TEA, dev.TEA.questions[0]
    absent = dev.TEA.questions[-1]
    verdicts = [
        judge("dev", case, lookup, "茶园：月牙塘；年产量（公斤）：1,296 [1]", cites=True),
        judge("dev", case, lookup, "茶园：云雾岭；年产量（公斤）：5,400 [1]", cites=True),
        judge("dev", case, absent, "知识库中没有找到能回答这个问题的内容。", cites=False),
    ]
    report = summarise(verdicts)
    assert report.right == {"dev": 2, "lookup": 1, "absent": 1}
    assert report.questions == {"dev": 3, "lookup": 2, "absent": 1}
    assert report.dishonest == 1


def test_the_parts_are_split_by_table() -> None:
    assert {case.name for case in CASES["dev"]}.isdisjoint(case.name for case in CASES["held-out"])
