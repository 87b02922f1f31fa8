"""Citations: whatever the cut, the same text; no invalid marker shown; every quote literal."""

import re
from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapters.models.grounding.citations import QUOTE_CHARS_MAX, CitationResolver
from schemas.chats import Citation, Passage, PassagePart
from schemas.documents import Locator
from tests.support.model_samples import PASSAGES, passage


def _resolved(pieces: list[str], passages: Iterable[Passage] = PASSAGES) -> tuple[str, list[Citation]]:
    resolver = CitationResolver(passages)
    spans = [span for piece in pieces for span in resolver.feed(piece)] + resolver.finish()
    return "".join(span.text for span in spans), [citation for span in spans for citation in span.citations]


@pytest.mark.parametrize(
    ("said", "shown", "markers"),
    [
        ("楼在武汉。[1]", "楼在武汉。[1]", [1]),
        ("两者[1][2]都对", "两者[1][2]都对", [1, 2]),
        ("两者[1, 2]都对", "两者[1][2]都对", [1, 2]),
        ("两者【1、3】都对", "两者[1][2]都对", [1, 2]),
        ("先三[3]后一[1]再三[3]", "先三[1]后一[2]再三[1]", [1, 2, 1]),
        ("先三与一[3, 1]，后二[2]", "先三与一[1][2]，后二[3]", [1, 2, 3]),
        ("没有的不占号[7]，三[9,3]", "没有的不占号，三[1]", [1]),
        ("`x[2]` is code, the source is [3]", "`x[2]` is code, the source is [1]", [1]),
        ("重复[2,2]", "重复[1]", [1]),
        ("全角【１】", "全角[1]", [1]),
        ("Yes [1].", "Yes [1].", [1]),
        ("No [9].", "No.", []),
        ("No [9] more", "No more", []),
        ("一半[1,9]", "一半[1]", [1]),
        ("零[0]与【7】", "零与", []),
        ("[4][5][1]", "[1]", [1]),
        ("see [see below] and [^1] and [2024] and []", "see [see below] and [^1] and [2024] and []", []),
        ("国发[2024]15号", "国发[2024]15号", []),
        ("call arr[0] then", "call arr[0] then", []),
        ("[1](https://example.org) [link](http://a.b)", "[1](https://example.org) [link](http://a.b)", []),
        ("法国[1](1998年)", "法国[1](1998年)", [1]),
        ("code `a[9]` and [1]", "code `a[9]` and [1]", [1]),
        ("``a`[9]`` [1]", "``a`[9]`` [1]", [1]),
        ("```py\nx[9] = y[1]\n```\n[1]", "```py\nx[9] = y[1]\n```\n[1]", [1]),
        ("lost ` tick\nthen [1]", "lost ` tick\nthen [1]", [1]),
        ("open [1", "open [1", []),
        ("open [", "open [", []),
        ("trailing ", "trailing ", []),
        ("a [1,2,3,1,2,3,1,2,3,1,2,3,1,2,3] b", "a [1,2,3,1,2,3,1,2,3,1,2,3,1,2,3] b", []),
        ("mixed [1】", "mixed [1】", []),
    ],
)
def test_markers(said: str, shown: str, markers: list[int]) -> None:
    """In one piece and character by character."""
    for pieces in ([said], list(said)):
        text, citations = _resolved(pieces)
        assert text == shown
        assert [citation.marker for citation in citations] == markers


def test_a_citation_says_where_and_quotes_the_sentence_that_supports_the_claim() -> None:
    _, citations = _resolved(["黄鹤楼", "在湖北武汉[1]。最早建于2", "23年，用于军事瞭望。[1] It became open source in 2011 [2]."])
    assert [citation.quote for citation in citations] == [
        "黄鹤楼位于湖北省武汉市。",
        "它始建于公元223年，最初是军事瞭望楼。",
        "It was open sourced in 2011.",
    ]
    first = citations[0]
    assert (first.chunk_id, first.document_id, first.version, first.title, first.locator) == (
        "chunk-1",
        "document-1",
        10,
        "黄鹤楼",
        "名胜 > 楼阁",
    )


def test_a_long_sentence_is_quoted_around_what_was_said() -> None:
    text = "，".join(f"第{n}处遗址出土了文物" for n in range(60)) + "，最后一处叫良渚古城。"
    resolver = CitationResolver([passage(1, text)])
    spans = resolver.feed("最后一处是良渚古城[1]") + resolver.finish()
    quote = next(citation.quote for span in spans for citation in span.citations)
    assert quote in text
    assert "良渚古城" in quote
    assert len(quote) <= QUOTE_CHARS_MAX


def test_a_quote_begins_and_ends_where_sentences_or_clauses_do() -> None:
    sentence = "The keeper of the lighthouse, who had come to the island as a boy, wrote down the weather every day for forty years, " * 2
    text = f"It is old. {sentence}and never missed a day. It is red."
    _, citations = _resolved(["He never missed a day of forty years [1]."], [passage(1, text)])
    assert citations[0].quote == f"{sentence}and never missed a day."
    clauses = "; ".join(f"in {1800 + year} the lamp was repaired by {year} men from the village" for year in range(40))
    _, (cited,) = _resolved(["In 1837 it was repaired by 37 men [1]."], [passage(1, f"{clauses}.")])
    assert cited.quote.startswith("in 18")
    assert "by 37 men from the village" in cited.quote
    assert cited.quote.endswith("from the village")


def test_a_citation_has_a_place_and_where_it_is_known_a_url() -> None:
    bare = msgspec.structs.replace(passage(1, "The lamp is red."), ordinal=4, document_id="a b/ü")
    for public_url in ("", "https://claw.example/"):
        resolver = CitationResolver([bare], public_url=public_url)
        (cited,) = [each for span in (*resolver.feed("Red [1]."), *resolver.finish()) for each in span.citations]
        assert cited.locator == "part 5"
        assert cited.url == (public_url and "https://claw.example/api/v1/knowledge/kb/documents/a%20b%2F%C3%BC")


def test_sources_are_numbered_as_the_answer_cites_them() -> None:
    """Whatever their rank, and however many there are; a citation says both numbers."""
    many = [passage(number, f"第{number}处。") for number in range(1, 13)]
    text, citations = _resolved(["甲[12]乙[4][12]", "丙[", "7]丁【4】"], many)
    assert text == "甲[1]乙[2][1]丙[3]丁[2]"
    assert [(each.marker, each.passage, each.document_id) for each in citations] == [
        (1, 12, "document-12"),
        (2, 4, "document-4"),
        (1, 12, "document-12"),
        (3, 7, "document-7"),
        (2, 4, "document-4"),
    ]
    assert citations[3].quote == "第7处。"


def test_text_is_not_held_back() -> None:
    """All but what may become a marker is shown at once."""
    resolver = CitationResolver(PASSAGES)
    assert [span.text for span in resolver.feed("黄鹤楼在武汉")] == ["黄鹤楼在武汉"]
    assert [span.text for span in resolver.feed("。 [")] == ["。"]
    assert resolver.feed("1") == []
    assert resolver.feed("]") == []
    assert [(span.text, len(span.citations)) for span in resolver.feed("它")] == [(" [1]它", 1)]


CHUNKS = st.sampled_from(
    [
        "[1]",
        "[2]",
        "[9]",
        "【3】",
        "[1, 2]",
        "[1,8]",
        "[",
        "]",
        "【",
        " ",
        "1",
        ",",
        "`",
        "``",
        "```",
        "\n",
        "(http",
        "(",
        "a",
        "楼。",
        "arr[0]",
        "[2024]",
        "[0]",
    ]
)
TEXTS = st.lists(CHUNKS, max_size=24).map("".join)


@settings(max_examples=400)
@given(TEXTS, st.data())
def test_any_cut_gives_the_same(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=12)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert _resolved(pieces) == _resolved([text])


@settings(max_examples=400)
@given(TEXTS)
@example("1\n[0]")
def test_no_invalid_marker_is_shown_outside_code_links_and_indexes(text: str) -> None:
    plain = text.replace("`", "").replace("(http", "")
    shown, citations = _resolved(list(plain))
    numbers = [int(n) for n in re.findall(r"(?<![A-Za-z0-9_\])])\[(\d{1,3})\]", shown)]
    first = list(dict.fromkeys(citation.passage for citation in citations))
    assert all(1 <= n <= len(first) for n in numbers)
    assert [first[citation.marker - 1] for citation in citations] == [citation.passage for citation in citations]
    texts = {p.marker: p.text for p in PASSAGES}
    assert all(citation.quote and citation.quote in texts[citation.passage] for citation in citations)


@given(TEXTS)
def test_little_is_ever_held(text: str) -> None:
    resolver = CitationResolver(PASSAGES)
    for character in text:
        resolver.feed(character)
        assert len(resolver._held) <= 32


WORDS = st.text(alphabet=" \n。，.!？[]【】1239`abcABC楼塔灯高。\u200b\u202e", max_size=400)


@settings(max_examples=300)
@given(WORDS, WORDS, WORDS)
def test_any_quote_is_literal_in_any_passage(one: str, other: str, said: str) -> None:
    """Whatever the documents and the model say; a passage without a sentence is quoted with nothing."""
    texts = {1: one, 2: other}
    resolver = CitationResolver([passage(marker, text) for marker, text in texts.items()])
    spans = resolver.feed(said + "。[1][2][7]") + resolver.finish()
    citations = [citation for span in spans for citation in span.citations]
    for citation in citations:
        assert citation.quote in texts[citation.passage]
        assert len(citation.quote) <= QUOTE_CHARS_MAX
        assert citation.quote or not texts[citation.passage].strip()


def test_a_marker_with_characters_that_nobody_sees_is_a_marker() -> None:
    """Else an invalid one could be shown that looks like a valid one."""
    assert _resolved(["forged [\u200b9\u2060] and true [\u202e1]"]) == _resolved(["forged [9] and true [1]"])
    assert _resolved(list("forged [\u200b9\u2060] here"))[0] == "forged here"


def test_a_quote_of_a_merged_passage_names_the_chunk_that_says_it() -> None:
    first, second = "灯塔高41.8米。", "港口于1890年启用。"
    merged = msgspec.structs.replace(
        passage(1, f"{first}\n{second}"),
        chunk_ids=("a", "b"),
        parts=(
            PassagePart(chunk_id="a", start=0, headings=("岛", "灯塔"), place=Locator(page=3)),
            PassagePart(chunk_id="b", start=len(first) + 1, headings=("岛", "港口"), place=Locator(page=4)),
        ),
    )
    resolver = CitationResolver([merged])
    spans = resolver.feed("港口1890年启用[1]。灯塔高41.8米[1]。") + resolver.finish()
    found = [(each.chunk_id, each.locator, each.quote) for span in spans for each in span.citations]
    assert found == [("b", "p. 4 > 岛 > 港口", second), ("a", "p. 3 > 岛 > 灯塔", first)]


def test_a_question_in_a_document_is_never_the_quote_where_it_has_an_answer() -> None:
    text = "问：押金多少？\n答：五十元，离店退还。\n\n问：几点退房？\n答：正午。"
    _, citations = _resolved(["押金是五十元[1]。"], [passage(1, text)])
    assert citations[0].quote == "答：五十元，离店退还。"
