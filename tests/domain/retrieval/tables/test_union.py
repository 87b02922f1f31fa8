"""Tables of one form: which of them are meant, and all of them as one."""

import pytest

from adapters.text.language import fold
from domain.retrieval.tables.union import find_named, group_tables, join_tables
from tests.support.read_tables import csv_table

MARCH, APRIL = (
    csv_table(f"门店,客流\n东店,{east}\n西店,{west}\n", title) for title, east, west in (("三月客流", 10, 25), ("四月客流", 30, 5))
)
STAFF = csv_table("姓名,部门\n孙立,后勤\n", "员工")


def test_tables_with_the_same_columns_belong_together() -> None:
    assert group_tables([MARCH, STAFF, APRIL]) == [[MARCH, APRIL], [STAFF]]


@pytest.mark.parametrize(
    ("question", "named"),
    [
        ("三月客流最大的门店", [MARCH]),
        ("四月的客流合计", [APRIL]),
        ("三月和四月的客流合计", [MARCH, APRIL]),
        ("客流合计", [MARCH, APRIL]),
    ],
)
def test_titles_tell_tables_apart(question: str, named: list[object]) -> None:
    assert find_named(fold(question), [MARCH, APRIL]) == named


def test_joined_tables_keep_their_rows_chunks_and_titles() -> None:
    joined = join_tables([MARCH, APRIL])
    assert [row.cells for row in joined.rows] == [("东店", "10"), ("西店", "25"), ("东店", "30"), ("西店", "5")]
    assert [joined.chunks[row.chunk].title for row in joined.rows] == ["三月客流", "三月客流", "四月客流", "四月客流"]
    assert joined.titles == ("三月客流", "四月客流")
    assert joined.whole
    assert join_tables([MARCH]) is MARCH
