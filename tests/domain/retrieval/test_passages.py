"""From hits to passages: best first, no copies, neighbours as one literal text, within the budget."""

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.index.port import Hit
from adapters.parsing.chunks.chunking import chunk
from adapters.parsing.core.blocks import Block, ParsedText
from adapters.text.language import estimate_tokens
from domain.retrieval.passages import (
    FULL_TOKENS,
    add_neighbour,
    build_passages,
    is_cut_after,
    is_cut_before,
    is_mostly_rows,
    missing_neighbours,
    select_groups,
)
from schemas.chats import Passage
from schemas.documents import Chunk, Locator, TablePart
from tests.support.passage_texts import COPIED, ROWS


def hit(document: str, ordinal: int, text: str = "", **other: Any) -> Hit:
    own = hashlib.sha256(f"{document} {ordinal}".encode()).hexdigest()  # the same in every run, and alike to none
    values: dict[str, Any] = {
        "id": f"{document}-{ordinal}",
        "collection": "kb",
        "document_id": document,
        "version": 1,
        "ordinal": ordinal,
        "title": document,
        "headings": ("A",),
        "text": text or f"Chunk {ordinal} of the document {document} has its own words {own}.",
        "score": 1.0,
        "bm25": 1.0,
        "dense": 0.5,
    }
    return Hit(**(values | other))


def made(*hits: Hit, passages_max: int = 6, tokens_max: int = 2_400) -> tuple[Passage, ...]:
    return build_passages(select_groups(hits, passages_max=passages_max, tokens_max=tokens_max).groups)


def test_neighbours_become_one_passage_at_the_best_place():
    """In document order, whatever order they were found in; markers count from 1."""
    found = made(hit("a", 4), hit("b", 0), hit("a", 3), hit("a", 5), hit("a", 9))
    assert [(each.marker, each.document_id, each.chunk_id) for each in found] == [(1, "a", "a-4"), (2, "b", "b-0"), (3, "a", "a-9")]
    assert found[0].chunk_ids == ("a-3", "a-4", "a-5")
    assert found[0].text == "\n".join(hit("a", ordinal).text for ordinal in (3, 4, 5))
    assert (found[1].chunk_ids, found[1].parts) == ((), ())


def test_a_chunk_between_two_passages_joins_them():
    found = made(hit("a", 1), hit("a", 3), hit("b", 0), hit("a", 2))
    assert [each.chunk_ids or (each.chunk_id,) for each in found] == [("a-1", "a-2", "a-3"), ("b-0",)]


def test_what_may_not_stand_together_stays_apart():
    """Another version, another sheet, another knowledge base."""
    one = hit("a", 1, place=Locator(sheet="Costs", cells="A1:C9"))
    for other in (hit("a", 2, version=2), hit("a", 2, place=Locator(sheet="Sales")), hit("a", 2, collection="kb2")):
        assert len(made(one, other)) == 2


def test_places_and_headings_are_those_of_all_parts():
    """And each part keeps its own."""
    (found,) = made(hit("a", 1, headings=("A", "B"), place=Locator(page=3)), hit("a", 2, headings=("A", "C"), place=Locator(page=4)))
    assert (found.locator, found.headings) == ("p. 3-4 > A", ("A",))
    assert [(part.chunk_id, part.locator) for part in found.parts] == [("a-1", "p. 3 > A > B"), ("a-2", "p. 4 > A > C")]


def test_hits_behind_the_last_place_only_join():
    found = made(hit("a", 0), hit("b", 0), hit("c", 0), hit("a", 1), passages_max=2)
    assert [each.chunk_ids or each.chunk_id for each in found] == [("a-0", "a-1"), "b-0"]


@given(st.lists(st.integers(1, 900), min_size=1, max_size=12), st.integers(1, 1_000))
def test_the_budget_holds_but_for_the_first(sizes: list[int], budget: int):
    hits = [hit(f"d{number}", 0, chr(0x4E00 + number) * size) for number, size in enumerate(sizes)]
    found = made(*hits, passages_max=12, tokens_max=budget)
    assert found[0].text == hits[0].text
    assert len(found) == 1 or sum(estimate_tokens(each.text) for each in found) <= budget


def test_copies_are_dropped_across_documents():
    """White space, case, punctuation and a changed word do not make a new passage; another text does."""
    copy = COPIED.upper().replace(" ", "  ").replace("FOUR", "FIVE")
    other = "Der Leuchtturm von Amrum ist 41,8 Meter hoch; er wurde 1875 gebaut und sein Licht trägt dreiundzwanzig Seemeilen weit."
    assert [each.document_id for each in made(hit("a", 0, COPIED), hit("b", 0, copy), hit("c", 0, other))] == ["a", "c"]


SENTENCES = st.lists(
    st.sampled_from(
        [
            "灯塔建于1875年。",
            "它高41.8米，",
            "The ferry leaves at nine. ",
            "是的。",
            "港口在东边；",
            "Ab. ",
            "第三句话说的是别的事情！\n",
            "是的。",
        ]
    ),
    min_size=1,
    max_size=60,
)


@given(SENTENCES, st.integers(8, 60), st.randoms(use_true_random=False))
def test_merged_chunks_are_literal_document_text(sentences: list[str], target: int, random: Any):
    """Chunks as the chunker cuts them, overlaps included: nothing doubled, nothing lost but white space between them."""
    text = "".join(sentences)
    parsed = ParsedText("t", text, (Block("paragraph", 0, len(text)),))
    chunks = chunk(parsed, title="t", target_tokens=target, max_tokens=2 * target, chunks_max=5_000)
    hits = [_hit_of(each) for each in chunks]
    random.shuffle(hits)
    distinct = {id(each): each for each in hits}
    groups = select_groups(list(distinct.values()), passages_max=50, tokens_max=100_000).groups
    for each in build_passages(groups):
        assert all(line in text for line in each.text.split("\n"))
        if len(groups) == 1 and len(each.chunk_ids) == len(chunks):
            assert "".join(each.text.split()) == "".join(text.split())


def _hit_of(each: Chunk) -> Hit:
    return hit("a", each.ordinal, each.text, overlap=each.overlap, headings=each.headings)


def test_lists_and_tables_that_are_cut_ask_for_their_neighbours():
    """A short chunk ends where its section does; whole sentences end."""
    assert estimate_tokens(ROWS) >= FULL_TOKENS
    assert is_cut_after(ROWS)
    assert is_cut_before(ROWS)
    assert is_cut_before("a\tb\tc")
    assert not is_cut_after("- one\n- two")
    assert not is_cut_after("A sentence ends here. " * 60)
    assert not is_cut_before("1875 was the year.")
    assert is_cut_after("It needs the following parts, all of which are sold here. " * 20 + "They are:")


def test_neighbours_widen_within_the_budget_and_the_section():
    best = select_groups([hit("a", 2, ROWS)], passages_max=6, tokens_max=2_400)
    (group,) = best.groups
    assert [ordinal for _, ordinal in missing_neighbours(best.groups, groups_max=2)] == [3, 1]
    left = add_neighbour(group, hit("a", 3, "- the last item"), best.tokens_left)
    assert left < best.tokens_left
    assert add_neighbour(group, hit("a", 1, "- the first item"), 1) == 1
    assert add_neighbour(group, hit("a", 1, "- the first item", headings=("Other",)), left) == left
    assert add_neighbour(group, hit("a", 7, "- far away"), left) == left
    (found,) = build_passages(best.groups)
    assert (found.chunk_id, found.chunk_ids) == ("a-2", ("a-2", "a-3"))
    assert found.text.endswith("- the last item")


@pytest.mark.parametrize("ordinal", [0, 1])
def test_nothing_stands_before_the_first_chunk(ordinal: int):
    found = select_groups([hit("a", ordinal, "- row\nA sentence.")], passages_max=6, tokens_max=2_400)
    assert [number for _, number in missing_neighbours(found.groups, groups_max=2)] == ([0] if ordinal else [])


def test_a_chunk_of_rows_is_told_from_prose_and_from_a_list():
    text = "品种\t单价\n西芹\t3.2\n丝瓜\t4.1"
    table = TablePart(number=1, start=6, end=len(text), total=2, columns=("品种", "单价"), header=6)
    assert is_mostly_rows(hit("a", 0, text, tables=(table,)))
    assert not is_mostly_rows(hit("a", 0, text + "\n\n" + 3 * text, tables=(table,)))
    assert not is_mostly_rows(hit("a", 0, text, tables=(TablePart(number=1, start=0, end=len(text), total=3),)))
