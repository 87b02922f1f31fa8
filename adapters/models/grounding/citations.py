"""Citations resolved while an answer streams.

A marker is a pair of ``[ ]`` or ``【 】`` around nothing but numbers of at most three digits: ``[2]``, ``[1][3]``, ``[1, 2]``, ``【1】``.
One that points to a passage comes out in canonical form ``[n]`` with a Citation; one that does not is dropped with its brackets and the
space before it, however the stream was cut. A model writes the number that a passage has in its prompt; a reader sees passages numbered
1, 2, 3 in the order in which the answer first cites them.

Left as they are: brackets around anything else (``[see below]``, ``[^1]``; ``[2024]``, because years and document numbers have four
digits), links (``[1](https://…``), ``name[0]`` (passages count from 1, programs from 0), and everything in Markdown code, fenced or inline
(which ends with its line at the latest). At most 32 characters, a marker and the start of a link, are ever held back.
"""

import re
from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from adapters.models.grounding.answerability import term_weight
from adapters.models.grounding.statements import read_statements
from adapters.text.invisible import INVISIBLE, strip_joiners
from adapters.text.language import Haystack, fold, sentences, terms
from schemas.chats import Citation, Passage, document_path

QUOTE_CHARS_MAX = 400  # whole sentences; of a longer one whole clauses
_CLAIM_CHARS_MAX = 400  # of the last sentence
_MARKER_CHARS_MAX = 24
_TICKS_MAX = 32

_BLANKS = f"[ \u3000{INVISIBLE}]{{0,2}}"  # invisible characters, too: what a reader sees as a marker is a marker
_NUMBERS = rf"{_BLANKS}\d{{1,3}}(?:{_BLANKS}[,，、;；]{_BLANKS}\d{{1,3}}){{0,6}}{_BLANKS}"
MARKER = re.compile(rf" ?(?:\[(?P<square>{_NUMBERS})\]|【(?P<lens>{_NUMBERS})】)")
_MARKER_START = re.compile(rf" ?(?:[\[【][ \u3000{INVISIBLE}\d,，、;；]*)?\Z")
_LINK = "(http"
_STOP = re.compile(r" ?[\[【]| \Z|`{1,32}|\n")  # 32 = _TICKS_MAX
_SEPARATORS = re.compile(r"\D+")
_INDEXED = re.compile(r"[A-Za-z0-9_\])]\Z")  # not $, which also stands before a last line feed
_CLAUSE_END = re.compile(r"[，；：、]|[,;:](?=\s)|\s[|·—–]\s|\t")

_Code = Literal["", "inline", "fence"]


class CitedText(Struct, frozen=True):
    """Text that may be shown; ``citations`` belong to the markers in it, in order."""

    text: str
    citations: tuple[Citation, ...] = ()


class CitationResolver:
    """The resolver of one answer: feed the pieces in order, then finish. The result does not depend on how the text was cut."""

    def __init__(self, passages: Iterable[Passage], *, public_url: str = "") -> None:
        self._passages = {passage.marker: passage for passage in passages}
        self._public_url = public_url.rstrip("/")
        self._shown: dict[int, int] = {}  # a passage's number in the prompt: the one that readers see
        self._quotable: dict[int, list[tuple[str, Haystack]]] = {}
        self._held = ""
        self._tail = ""  # the end of the text so far, without markers
        self._claim: str | None = ""  # the last sentence of the tail; None while nobody has looked for it
        self._quotes: dict[int, str] = {}  # what each passage says of this claim: markers in a row share it
        self._line_blank = True  # nothing but white space on this line so far
        self._code: _Code = ""
        self._ticks = 0  # length of the run of backticks that opened the code

    def feed(self, text: str) -> list[CitedText]:
        """The text that can be shown now: no span, or one."""
        return self._resolve(self._held + text, last=False)

    def withdraw(self) -> None:
        """Drop every marker from now on: the answer turned out to rest on no passage."""
        self._passages = {}

    def finish(self) -> list[CitedText]:
        """The rest of the text, at the end of the answer; the resolver cannot be used again."""
        return self._resolve(self._held, last=True)

    def _resolve(self, text: str, *, last: bool) -> list[CitedText]:
        out: list[str] = []
        citations: list[Citation] = []
        at = 0
        while at < len(text):
            stop = _STOP.search(text, at)
            if stop is None:
                self._emit(text[at:], out)
                at = len(text)
                break
            self._emit(text[at : stop.start()], out)
            at = stop.start()
            end = self._step(text, stop, out, citations, last=last)
            if end == at:
                break
            at = end
        self._held = text[at:]
        return [CitedText("".join(out), tuple(citations))] if out else []

    def _step(self, text: str, stop: re.Match[str], out: list[str], citations: list[Citation], *, last: bool) -> int:
        """Process what stands at ``stop``; returns where to go on, which is its start when more text is needed to tell."""
        what = stop.group()
        if what[0] == "`":
            if stop.end() == len(text) and len(what) < _TICKS_MAX and not last:
                return stop.start()
            self._toggle_code(len(what))
        elif what != "\n" and not self._code:
            return self._resolve_bracket(text, stop, out, citations, last=last)
        self._emit(what, out)
        return stop.end()

    def _resolve_bracket(self, text: str, stop: re.Match[str], out: list[str], citations: list[Citation], *, last: bool) -> int:
        start = stop.start()
        marker = MARKER.match(text, start)
        if marker is None or marker.end() - start > _MARKER_CHARS_MAX:
            if not last and len(text) - start <= _MARKER_CHARS_MAX and _MARKER_START.match(text, start):
                return start
            self._emit(stop.group(), out)
            return stop.end()
        following = text[marker.end() : marker.end() + len(_LINK)]
        if not last and following != _LINK and _LINK.startswith(following):
            return start
        if following == _LINK or self._is_subscript(marker):
            self._emit(marker.group(), out)
        else:
            self._resolve_marker(marker, out, citations)
        return marker.end()

    def _emit(self, text: str, out: list[str]) -> None:
        if not text:
            return
        out.append(text)
        self._tail = (self._tail + text)[-_CLAIM_CHARS_MAX:]
        self._claim = None
        newline = text.rfind("\n")
        if newline >= 0:
            self._line_blank = True
            if self._code == "inline":
                self._code = ""
        self._line_blank = self._line_blank and not text[newline + 1 :].strip()

    def _toggle_code(self, run: int) -> None:
        if not self._code:
            self._code, self._ticks = ("fence" if run >= 3 and self._line_blank else "inline"), run  # noqa: PLR2004 - Markdown's fence
        elif (run == self._ticks) if self._code == "inline" else (run >= self._ticks and self._line_blank):
            self._code = ""

    def _is_subscript(self, marker: re.Match[str]) -> bool:
        """``name[0]``: a program's index, not a marker."""
        return marker.group() == "[0]" and _INDEXED.search(self._tail) is not None

    def _resolve_marker(self, marker: re.Match[str], out: list[str], citations: list[Citation]) -> None:
        numbers = dict.fromkeys(int(n) for n in _SEPARATORS.split(marker["square"] or marker["lens"]) if n)
        known = [self._passages[n] for n in numbers if n in self._passages]
        if not known:
            return
        shown = [self._shown.setdefault(passage.marker, len(self._shown) + 1) for passage in known]
        out.append((" " if marker.group()[0] == " " else "") + "".join(f"[{number}]" for number in shown))
        self._line_blank = False
        citations += [self._build_citation(passage) for passage in known]

    def _build_citation(self, passage: Passage) -> Citation:
        claim = self._find_claim()
        if passage.marker not in self._quotes:
            self._quotes[passage.marker] = self._find_quote(passage, claim)
        quote = self._quotes[passage.marker]
        chunk_id, locator = _quote_source(passage, quote)
        return Citation(
            marker=self._shown[passage.marker],
            passage=passage.marker,
            chunk_id=chunk_id,
            knowledge_base_id=passage.knowledge_base_id,
            document_id=passage.document_id,
            version=passage.version,
            title=passage.title,
            locator=locator,
            quote=quote,
            url=self._public_url + document_path(passage.knowledge_base_id, passage.document_id) if self._public_url else "",
        )

    def _find_claim(self) -> str:
        if self._claim is None:
            before = sentences(self._tail)
            self._claim = before[-1] if before else ""
            self._quotes = {}
        return self._claim

    def _find_quote(self, passage: Passage, claim: str) -> str:
        """The sentence of the passage that shares most with the claim, or the best clauses of it when it is long."""
        if passage.marker not in self._quotable:
            stated = read_statements(passage.text)
            keys = _fold_each([each.words for each in stated])
            self._quotable[passage.marker] = [(each.text, key) for each, (_, key) in zip(stated, keys, strict=True)]
        wanted = terms(fold(claim))
        best = _best_match(self._quotable[passage.marker], wanted)
        if len(best) <= QUOTE_CHARS_MAX:
            return best
        starts = [0] + [clause.end() for clause in _CLAUSE_END.finditer(best)]
        return _best_match(_fold_each([take_clauses(best[start:].lstrip(), QUOTE_CHARS_MAX) for start in starts]), wanted)


def take_clauses(text: str, chars_max: int) -> str:
    """The beginning of a text that fits: as it is, or to the end of a clause, else of a word."""
    if len(text) <= chars_max:
        return text
    ends = [clause.start() if clause.group().isspace() else clause.end() for clause in _CLAUSE_END.finditer(text, 0, chars_max)]
    cut = ends[-1] if ends and ends[-1] >= chars_max // 2 else text.rfind(" ", chars_max // 2, chars_max + 1)
    taken = strip_joiners(text[: cut if cut > 0 else chars_max].strip())
    return taken.rstrip("，,；;：:、|·—–") or taken


def _quote_source(passage: Passage, quote: str) -> tuple[str, str]:
    """Chunk and locator of the quote: in a merged passage those of the chunk in which it begins."""
    at = passage.text.find(quote)
    before = [part for part in passage.parts if part.start <= at]
    return (before[-1].chunk_id, before[-1].locator) if before else (passage.chunk_id, passage.locator)


def _fold_each(texts: list[str]) -> list[tuple[str, Haystack]]:
    """Each text with its folded form, folded in one go."""
    lines = "\n".join(text.replace("\n", " ") for text in texts)
    return list(zip(texts, map(Haystack, fold(lines).split("\n")), strict=True)) if texts else []


def _best_match(texts: list[tuple[str, Haystack]], wanted: frozenset[str]) -> str:
    """The first of the texts that hold most of what is wanted; empty when there are none."""
    return max(texts, key=lambda pair: sum(term_weight(term) for term in wanted if pair[1].contains(term)), default=("", None))[0]
