"""Chunks: nothing lost, nothing doubled beyond the declared overlap, sizes and places bounded, cuts that stay when a neighbour changes."""

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.parsing import chunk
from adapters.parsing.chunks.chunking import searchable_text
from adapters.parsing.chunks.splitting import EIGHTHS, size_of
from adapters.parsing.core.assembly import Assembly
from adapters.parsing.core.cell_ranges import read_cells
from adapters.parsing.core.source import Bounds
from adapters.parsing.dispatch import parse_text
from adapters.text.language import estimate_tokens
from schemas.documents import Locator
from schemas.errors import Refused
from schemas.settings.documents import DocumentSettings

PROSE = st.lists(
    st.sampled_from(["好的。", "数据库连接池，", "A sentence. ", "words and ", "e.g. this! ", "\n", "x" * 90, "长" * 50]), min_size=1
)
ROWS = st.lists(st.lists(st.sampled_from(["a", "价格", "1", "long cell " * 5]), min_size=1, max_size=3), min_size=1, max_size=30)
SPOT = st.sampled_from(["page", "slide", "sheet", "part", "none"])


def parse(media_type, text):
    return parse_text(text, media_type, Bounds.of(DocumentSettings()))


def cells_of(place):
    cells = read_cells(place.cells)
    assert cells is not None
    return cells


def bare(text: str) -> str:
    return re.sub(r"\s", "", text)


def cut(parsed, target=40, limit=64, title="Title"):
    """Chunks of ``parsed``, with everything that must hold of any chunks checked."""
    chunks = chunk(parsed, title=title, target_tokens=target, max_tokens=limit, chunks_max=10_000)
    assert bare("".join(one.text[one.overlap :] for one in chunks)) == bare(parsed.text)
    assert [one.ordinal for one in chunks] == list(range(len(chunks)))
    for before, one in zip([None, *chunks], chunks, strict=False):
        assert one.tokens == estimate_tokens(one.text) <= limit
        assert parsed.text[one.start : one.start + len(one.text)] == one.text == one.text.strip() != ""
        assert len(one.hash) == 32
        assert one.hash in {two.hash for two in chunks if searchable_text(title, two) == searchable_text(title, one)}
        if one.overlap:
            assert before is not None
            assert before.text.endswith(one.text[: one.overlap])
            assert size_of(one.text[: one.overlap]) * 10 <= target * EIGHTHS
            assert one.overlap < len(before.text)
        start = one.start + one.overlap
        inside = [block for block in parsed.blocks if block.start < one.start + len(one.text) and block.end > start]
        check_place(one.place, [block.place for block in inside])
        kinds = {block.kind for block in parsed.blocks if block.start <= one.start < block.end}
        assert not one.overlap or kinds <= {"paragraph", "quote"}
    return chunks


def check_place(place, places):
    """The place of a chunk is what those of its blocks say together, and no wider."""
    known = [one for one in places if one is not None]
    if not known:
        assert place is None
        return
    assert {(one.part, one.sheet, one.slide) for one in known} == {(place.part, place.sheet, place.slide)}
    pages = [page for one in known for page in (one.page, one.page_last) if page]
    assert (place.page, place.page_last) == ((min(pages), max(pages) if max(pages) > min(pages) else 0) if pages else (0, 0))
    around = [cells for one in known if (cells := read_cells(one.cells))]
    assert bool(around) == bool(place.cells)
    if around:
        cells = cells_of(place)
        assert min(one.first_row for one in around) <= cells.first_row <= cells.last_row <= max(one.last_row for one in around)


@st.composite
def assembled(draw):
    """A text of any kinds of blocks, in any places, in order."""
    assembly = Assembly(1_000_000)
    number = 1
    for _ in range(draw(st.integers(1, 12))):
        number += draw(st.integers(0, 1))
        spot = draw(SPOT)
        place = {
            "page": Locator(page=number),
            "slide": Locator(slide=number),
            "sheet": Locator(sheet=f"S{number}"),
            "part": Locator(part=f"f{number}", page=1),
            "none": None,
        }[spot]
        kind = draw(st.sampled_from(["heading", "paragraph", "item", "code", "table"]))
        if kind == "heading":
            assembly.add_heading(draw(st.integers(1, 4)), draw(st.sampled_from(["One", "二", "A long heading " * 3])), place)
        elif kind == "table":
            rows = draw(ROWS)
            assembly.add_table(
                rows, Locator(sheet=f"S{number}", cells=f"B{number}:D{number + len(rows) - 1}") if spot == "sheet" else place
            )
        else:
            getattr(assembly, f"add_{kind}")("".join(draw(PROSE)), place)
    return assembly.build()


@settings(max_examples=200, deadline=None)
@given(assembled())
def test_chunks_are_the_text_in_bounded_pieces_that_know_their_place(parsed):
    """Whatever the blocks and wherever they stand."""
    cut(parsed)


def test_small_sections_share_a_chunk_and_headings_never_end_one():
    """Neighbours under one heading are merged; their path is what they share."""
    text = "# Top\n\n## A\n\nshort a.\n\n## B\n\nshort b.\n\n## C\n\n" + "A longer sentence stands here. " * 12
    chunks = cut(parse("text/markdown", text), target=60, limit=120)
    assert chunks[0].text.endswith("short b.")
    assert chunks[0].headings == ("Top",)
    assert chunks[1].headings == ("Top", "C")
    assert all(not re.search(r"#\s*\w+$", one.text) for one in chunks)


@pytest.mark.parametrize("sentence", ["数据库连接池最多一百。", "The pool holds e.g. ten of Dr. Who. "])
def test_long_prose_ends_and_goes_on_at_sentences(sentence):
    """Abbreviations are not sentence ends; a part begins with the last sentence of the part before."""
    chunks = cut(parse("text/plain", sentence * 60), target=120, limit=180)
    assert len(chunks) > 4
    assert all(one.text.endswith(sentence.strip()) for one in chunks)
    assert all(one.text[: one.overlap] == sentence.strip() for one in chunks[1:])


def test_nothing_is_said_twice_where_structure_divides():
    """Paragraphs, items, rows and lines of code begin anew."""
    listed = "- an item of the list\n" * 80 + "\n```\n" + "code = 1\n" * 100 + "```\n\n" + "A paragraph of a few words.\n\n" * 60
    table = "| name | age |\n|---|---|\n" + "| person | 1 |\n" * 80
    chunks = cut(parse("text/markdown", listed + table), target=80, limit=120)
    assert len(chunks) > 10
    assert not any(one.overlap for one in chunks)


def test_the_rows_of_a_long_table_know_their_header_and_their_cells():
    """The first row is the last heading of every later chunk, not its text; rows stay whole, and the cells are just theirs."""
    assembly = Assembly(100_000)
    assembly.add_heading(1, "Staff", Locator(sheet="Staff"))
    assembly.add_table([("name", "age"), *((f"person number {n}", str(n)) for n in range(2, 62))], Locator(sheet="Staff", cells="B5:C65"))
    chunks = cut(assembly.build(), target=80, limit=120)
    assert len(chunks) > 4
    assert chunks[0].place.cells.startswith("B5:C")
    assert all(one.headings == ("Staff", "name age") for one in chunks[1:])
    rows = [cells_of(one.place) for one in chunks]
    assert [row.first_row for row in rows[1:]] == [row.last_row + 1 for row in rows[:-1]]
    assert rows[-1].last_row == 65
    assert all(f"person number {rows[n].first_row - 4}\t" in one.text for n, one in enumerate(chunks) if n)


def test_a_chunk_spans_pages_but_not_slides_sheets_or_files():
    """Short neighbours share a chunk only where a reader would turn a page."""
    for places, count, shown in [
        ((Locator(page=1), Locator(page=2, page_last=3)), 1, "p. 1-3"),
        ((Locator(slide=1), Locator(slide=2)), 2, "slide 1"),
        ((Locator(sheet="A"), Locator(sheet="B")), 2, "A"),
        ((Locator(part="a.pdf", page=4), Locator(part="b.pdf", page=4)), 2, "a.pdf > p. 4"),
    ]:
        assembly = Assembly(1_000)
        assembly.add_heading(1, "Top", places[0])
        assembly.add_paragraph("First.", places[0])
        assembly.add_heading(2, "Deeper", places[1])
        assembly.add_paragraph("Second.", places[1])
        chunks = cut(assembly.build())
        assert len(chunks) == count
        assert str(chunks[0].place) == shown


@pytest.mark.parametrize("separator", ["\n\n", "\n", " "])
def test_a_change_in_the_middle_changes_the_chunks_around_it(separator):
    """Chunks further on are cut as before, so they are not embedded again."""
    sentences = [f"Point {n} says that part {n * 7919 % 1000} of the machine needs {n * 31 % 97} drops of oil." for n in range(1_500)]
    before = {one.hash for one in cut(parse("text/plain", separator.join(sentences)), target=320, limit=480)}
    sentences[200:202] = ["This is another sentence, and a much longer one than what stood here before it was changed by somebody."]
    after = [one.hash for one in cut(parse("text/plain", separator.join(sentences)), target=320, limit=480)]
    assert len(after) > 80
    assert sum(one not in before for one in after) <= 8


def test_the_hash_says_all_that_is_embedded():
    """Title, headings and text; not where it stands."""
    parsed = parse("text/markdown", "# Top\n\nA sentence.")
    one, same, other = (cut(parsed, title=title)[0].hash for title in ("a", "a", "b"))
    assert one == same != other


def test_too_many_chunks_is_too_large():
    """The bound is the caller's."""
    with pytest.raises(Refused) as refused:
        chunk(parse("text/plain", "word. " * 5_000), title="", target_tokens=40, max_tokens=64, chunks_max=10)
    assert refused.value.code == "document_too_large"


def test_two_million_characters_without_a_break():
    """Linear in the length, whatever is missing."""
    parsed = parse("text/plain", "的一是在不了有和人这" * 200_000)
    started = time.process_time()
    chunks = chunk(parsed, title="", target_tokens=320, max_tokens=480, chunks_max=10_000)
    assert time.process_time() - started < 10
    assert sum(len(one.text) - one.overlap for one in chunks) == 2_000_000
