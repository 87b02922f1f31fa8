"""Recognition by Tesseract, when it is installed: found at run time, run as a process.

Nothing is written to disk. Its words come back with places and confidence; what is probably noise is dropped.
"""

import os
import re
import shutil
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from adapters.parsing.core.blocks import has_words
from adapters.parsing.pdf.ocr import OcrFailed, OcrResult, Picture, level_lines
from adapters.parsing.pdf.text import TextSpan, is_wide, tidy

NAME = "tesseract"
DPI_MIN = 225.0  # capitals of 20 to 40 pixels: that is print of 8 to 12 points
LISTING_S_MAX = 10.0  # to say which languages are installed
_WORD_CONFIDENCE_MIN = 25.0  # per cent; below, it is a stain, unless its line is sure
_LINE_CONFIDENCE_MIN = 35.0
_POOR_CONFIDENCE = 70.0  # of a page: it may lie on its side, or be in another language
_CELL_GAP_EM = 1.8  # between words of one line that stand in different cells
_CHINESE_MIN = 0.05  # of the characters: then it is a Chinese text
_FEWER_LANGUAGES = 3.0  # per cent of confidence that fewer languages may cost: they invent less
_LINE_SIZE = 1.0  # of the height of a line's box: its font's size, about
_CHINESE = ("chi_tra", "chi_sim")
_LOOSE = re.compile("(?<=[\u3000-\u9fff\uff00-\uff60]) (?=[^\\w\\s])|(?<=[^\\w\\s]) (?=[\u3000-\u9fff\uff00-\uff60])")


class Tesseract:
    """Recognises the pages of one document, in the language of its first page until a page has low confidence."""

    name = NAME
    dpi_min = DPI_MIN

    def __init__(self, program: str, languages: Sequence[str]) -> None:
        self._program, self._all = program, tuple(languages)
        self._likely = self._all
        self._until = 0.0

    def read(self, picture: Picture, seconds: float) -> OcrResult:
        """Part of ocr.Recogniser. A page of low confidence is tried once more in the direction that Tesseract takes for upright."""
        self._until = time.monotonic() + seconds
        try:
            reading = self._read_upright(picture)
            sideways = _is_sideways(reading)  # it reads such lines, too, and puts them in the order of an upright page
            if (sideways or reading.confidence < _POOR_CONFIDENCE) and (quarters := self._quarter_turns(picture)):
                again = self._read_upright(picture.turn(quarters))
                reading = again if sideways and not _is_sideways(again) else max(reading, again, key=lambda one: one.confidence)
        except (subprocess.SubprocessError, OSError) as error:
            raise OcrFailed(str(error)) from error
        return reading

    def _read_upright(self, picture: Picture) -> OcrResult:
        reading = self._recognise(picture, self._likely)
        if self._likely != self._all:
            if reading.confidence >= _POOR_CONFIDENCE:
                return reading
            reading = max(reading, self._recognise(picture, self._all), key=lambda one: one.confidence * len(one.text))
        best = reading
        for languages in likely_languages(reading.text, self._all) if reading.confidence >= _POOR_CONFIDENCE else ():
            again = self._recognise(picture, languages)
            if again.confidence > best.confidence - (_FEWER_LANGUAGES if best is reading else 0):
                best, self._likely = again, languages
        return best

    def _quarter_turns(self, picture: Picture) -> int:
        """Quarter turns clockwise that make a page upright; 0 when it is upright, or when that is unknown."""
        if "osd" not in available_languages(self._program):
            return 0
        try:
            said = self._run(picture, "osd", "0", ())
        except (subprocess.SubprocessError, OSError):
            return 0  # too little text to tell
        fields = dict(line.split(": ", 1) for line in said.splitlines() if ": " in line)
        degrees = fields.get("Rotate", "0").strip()
        return round(int(degrees) / 90) % 4 if degrees.isdigit() else 0

    def _recognise(self, picture: Picture, languages: Sequence[str]) -> OcrResult:
        return read_tsv(self._run(picture, "+".join(languages), "3", ("tsv",)), 72.0 / picture.dpi)

    def _run(self, picture: Picture, languages: str, mode: str, outputs: Sequence[str]) -> str:
        command = [self._program, "-", "-", "-l", languages, "--dpi", str(round(picture.dpi)), "--psm", mode, *outputs]
        left_s = self._until - time.monotonic()
        if left_s <= 0:
            raise subprocess.TimeoutExpired(command, 0)
        done = subprocess.run(  # noqa: S603
            command, input=picture.pgm, capture_output=True, timeout=left_s, check=True, env={**os.environ, "OMP_THREAD_LIMIT": "1"}
        )
        return done.stdout.decode("utf-8", "replace")


def find_tesseract(languages: str) -> Tesseract | None:
    """For those of ``languages`` (joined by +) that are installed; None when there is no Tesseract, or none of them."""
    program = shutil.which("tesseract")
    if program is None:
        return None
    installed = available_languages(program)
    wanted = tuple(language for language in languages.split("+") if language in installed)
    return Tesseract(program, wanted) if wanted else None


@lru_cache(maxsize=4)
def available_languages(program: str) -> frozenset[str]:
    """The languages that Tesseract lists; read once."""
    try:
        done = subprocess.run([program, "--list-langs"], capture_output=True, timeout=LISTING_S_MAX, check=True)  # noqa: S603
    except (subprocess.SubprocessError, OSError):
        return frozenset()
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    return frozenset(line.strip() for line in lines[1:] if line.strip())  # the first line is a title


def _is_sideways(reading: OcrResult) -> bool:
    """Whether most lines run upwards or downwards."""
    tall = sum(len(span.text) for span in reading.spans if span.bottom - span.top > span.x1 - span.x0 and len(span.text) > 1)
    return tall * 2 > len(reading.text)


def likely_languages(text: str, languages: Sequence[str]) -> list[tuple[str, ...]]:
    """The languages to try for a page with this ``text`` instead of all ``languages``: fewer are faster and less often wrong."""
    shown = "".join(text.split())
    chinese = sum(1 for char in shown if "\u3400" <= char <= "\u9fff")
    if not has_words(shown):
        return []
    if chinese < _CHINESE_MIN * len(shown):
        fewer = [tuple(language for language in languages if not language.startswith(_CHINESE))]
    else:
        fewer = [tuple(language for language in languages if not language.startswith(script)) for script in _CHINESE]
    return [chosen for chosen in fewer if chosen and len(chosen) < len(languages)]


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    confidence: float
    left: float
    right: float


def read_tsv(tsv: str, scale: float) -> OcrResult:
    """Lines of Tesseract's table as spans; ``scale`` is points per pixel."""
    boxes: dict[tuple[str, ...], tuple[float, float, float, float]] = {}
    words: dict[tuple[str, ...], list[_Word]] = defaultdict(list)
    for row in tsv.splitlines()[1:]:
        fields = row.split("\t")
        if len(fields) != 12 or fields[0] not in "45":  # noqa: PLR2004
            continue
        left, top, width, height = (float(field) * scale for field in fields[6:10])
        line = tuple(fields[2:5])
        if fields[0] == "4":
            boxes[line] = left, top, left + width, top + height
        elif text := tidy(fields[11]).strip():
            words[line].append(_Word(text, float(fields[10]), left, left + width))
    spans: list[TextSpan] = []
    weight = total = 0.0
    for line, box in boxes.items():
        if kept := _confident_words(words[line]):
            chars = sum(len(word.text) for word in kept)
            total += chars
            weight += sum(len(word.text) * word.confidence for word in kept)
            spans.extend(_word_spans(kept, box, len(spans)))
    return OcrResult(tuple(level_lines(spans)), weight / total if total else 0.0)


def _confident_words(words: list[_Word]) -> list[_Word]:
    """Spans without probable noise: stains, edges of pictures."""
    chars = sum(len(word.text) for word in words)
    confidence = sum(len(word.text) * word.confidence for word in words) / chars if chars else 0.0
    if confidence < _LINE_CONFIDENCE_MIN:
        return []
    return [word for word in words if word.confidence >= _WORD_CONFIDENCE_MIN or (has_words(word.text) and confidence >= _POOR_CONFIDENCE)]


def _word_spans(words: list[_Word], box: tuple[float, float, float, float], order: int) -> Iterable[TextSpan]:
    """The words of a line, separated where a cell ends."""
    left, top, right, bottom = box
    height = bottom - top
    groups = [[words[0]]]
    for word in words[1:]:
        if word.left - max(other.right for other in groups[-1]) > _CELL_GAP_EM * height:
            groups.append([word])
        else:
            groups[-1].append(word)
    for index, group in enumerate(groups):
        text = group[0].text
        for word in group[1:]:
            text += word.text if is_wide(text[-1]) and is_wide(word.text[0]) else f" {word.text}"
        x0 = left if index == 0 else group[0].left
        x1 = right if index + 1 == len(groups) else max(word.right for word in group)
        yield TextSpan(
            _LOOSE.sub("", tidy(text)), x0, x1, top, bottom, bottom, height * _LINE_SIZE, order=order + index, last=order + index
        )
