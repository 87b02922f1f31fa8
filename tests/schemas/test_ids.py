"""Derived ids: the same parts give the same id for ever, other parts another."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from schemas import ids

PARTS = st.lists(st.text() | st.integers(), max_size=5)


@given(PARTS, PARTS)
def test_other_parts_give_another_id(one: list[str | int], other: list[str | int]) -> None:
    """Parts are told apart wherever their borders lie; a number and its digits are the same part."""
    same = [str(part) for part in one] == [str(part) for part in other]
    assert (ids.derive(*one) == ids.derive(*other)) is same


@given(st.text(min_size=1), st.text(min_size=1), st.integers(min_value=0, max_value=10))
def test_a_moved_border_is_another_id(left: str, right: str, cut: int) -> None:
    """``("ab", "c")`` and ``("a", "bc")`` never meet, nor does a part that imitates a length prefix."""
    whole = left + right
    assert ids.derive(left, right) != ids.derive(whole)
    assert ids.derive(f"{len(left)}:{left}", right) != ids.derive(left, right)
    place = cut % len(whole)
    if place != len(left):
        assert ids.derive(whole[:place], whole[place:]) != ids.derive(left, right)


@given(PARTS)
def test_ids_are_name_based_uuids(parts: list[str | int]) -> None:
    derived = ids.derive(*parts)
    assert str(UUID(derived)) == derived
    assert UUID(derived).version == 5


def test_pinned_values() -> None:
    """These lie on topics and in indexes: a change here orphans them."""
    assert str(ids.CLAW) == "5f1b1c1e-6f0a-5d3b-9a57-0c1a5a4c0de0"
    assert ids.derive() == "68fc738e-988b-50b6-9a9f-168f14f2b386"
    assert ids.derive("a", 1, "文档") == "5ccb1ed7-cce6-5c53-b52f-a753a752ff52"
    assert ids.event_id("cause", "route", 0) == "f1a2e4c2-ef03-5486-bdf0-eebd8ab0dffc"
    assert ids.default_knowledge_base("default") == "9bc59ba6-ee68-5c7d-955d-ea02d697368c"
    assert ids.chunk_id(ids.document_key("acme", "kb", "手册"), 41, 7) == "f15355f3-68fa-5e0e-9348-ab5bd1f14286"
    assert ids.document_key("acme", "kb", "手册") == "acme/kb/手册"
