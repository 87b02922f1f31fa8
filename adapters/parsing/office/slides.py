"""PPTX: each slide's title as heading, then its shapes in reading order, then its notes; every block knows its slide.

Read from the parts' XML: what python-pptx leaves out (shapes written twice for old and new programs, diagrams, formulas) is text as well.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from adapters.parsing.core.assembly import Assembly
from adapters.parsing.core.blocks import ParsedText
from adapters.parsing.core.cell_ranges import CellRange
from adapters.parsing.core.hidden import HiddenContent, name_runs
from adapters.parsing.core.merged_cells import fill_grid
from adapters.parsing.core.source import Entry
from adapters.parsing.office.drawings import CHART, DIAGRAM, A, chart_rows, choose_alternative, diagram_texts
from adapters.parsing.office.package import Package, open_package
from schemas.documents import Locator
from schemas.errors import Refused

P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_R_ID = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_ALTERNATE = "{http://schemas.openxmlformats.org/markup-compatibility/2006}AlternateContent"
_MATH_TEXT = "{http://schemas.openxmlformats.org/officeDocument/2006/math}t"
_TITLES = ("title", "ctrTitle")
_FOOTERS = ("ftr", "hdr")
_NUMBERS = ("sldNum", "dt")  # of the slide and of the day: not text of anybody
_PROSE = ("subTitle",)
_SHAPES = {P + name for name in ("sp", "grpSp", "graphicFrame", "cxnSp", "pic", "contentPart")}
_SAME = {"ctrTitle": "title", "subTitle": "body", "obj": "body", "": "body"}  # placeholders of a slide and of its master


@dataclass(frozen=True, slots=True)
class Box:
    """Where a shape stands on its slide, in the file's units."""

    top: int
    left: int
    height: int


def parse_pptx(entry: Entry) -> ParsedText:
    """Raises Refused: ``document_unreadable``, ``document_too_complex``, ``password_required``, ``password_wrong``."""
    package = open_package(entry)
    name = package.main_part("presentation")
    targets = {relation.id: relation.target for relation in package.relations(name)}
    slides = [targets.get(one.get(_R_ID, ""), "") for one in package.tree(name).iterfind(f"{P}sldIdLst/{P}sldId")]
    if len(slides) > entry.bounds.pages_max:
        raise Refused("document_too_complex", f"it has more than {entry.bounds.pages_max:,} slides (CLAW_DOCUMENT_PAGES_MAX)")
    assembly = Assembly(entry.bounds.chars_max)
    hidden = HiddenContent(include=entry.bounds.include_hidden)
    hidden_slides: list[int] = []
    said: set[str] = set()
    unreadable: list[int] = []
    for number, slide in enumerate(slides, 1):
        try:
            reader = _SlideReader(package, slide, number, assembly, said, hidden)
            if reader.is_hidden:
                hidden_slides.append(number)
            if not (reader.is_hidden and hidden.leave_out):
                reader.read()
        except Refused as refusal:
            unreadable.append(number)
            if refusal.code != "document_unreadable" or len(unreadable) == len(slides):
                raise
    if unreadable:
        assembly.add_note("page_unreadable", "slides " + ", ".join(map(str, unreadable)))
    if hidden_slides:
        hidden.add("slides " + name_runs(hidden_slides))
    hidden.note_in(assembly)
    return assembly.build(package.title())


class _SlideReader:
    """Reads one slide. ``said`` are the footers of the slides before."""

    def __init__(self, package: Package, name: str, number: int, assembly: Assembly, said: set[str], hidden: HiddenContent) -> None:
        self._package, self._name, self._assembly, self._said, self._hidden = package, name, assembly, said, hidden
        self._place = Locator(slide=number)
        tree = package.tree(name)
        if tree is None:
            raise Refused("document_unreadable", f"slide {number} is missing")
        self._tree = tree
        self.is_hidden = tree.get("show", "1") in ("0", "false")
        relations = package.relations(name)
        self._targets = {relation.id: relation.target for relation in relations}
        layout = next((one.target for one in relations if one.kind == "slideLayout"), "")
        # positions that a slide does not give are those of its layout, then of its master
        self._models = [package.tree(layout), package.find_tree(layout, "slideMaster") if layout else None]

    def read(self) -> None:
        self._assembly.start_section()
        shapes = self._visible(_shapes(self._tree.find(f"{P}cSld/{P}spTree")))
        titles = [shape for shape in shapes if _placeholder(shape)[0] in _TITLES]
        words = [" ".join(text.split()) for title in titles for _, text in _paragraphs(title.find(P + "txBody"))]
        self._assembly.add_heading(1, " ".join(words), self._place)
        self._add_shapes([shape for shape in shapes if shape not in titles])
        self._add_notes()

    def _visible(self, shapes: Iterator[Any]) -> list[Any]:
        """The shapes that are read: not those that the selection pane hides."""
        kept = []
        for shape in shapes:
            properties = shape.find(f"{P}*/{P}cNvPr")
            if properties is not None and properties.get("hidden") in ("1", "true"):
                self._hidden.add(f"slide {self._place.slide}: shapes")
                if self._hidden.leave_out:
                    continue
            kept.append(shape)
        return kept

    def _add_shapes(self, shapes: list[Any]) -> None:
        for shape in reading_order([(self._box_of(shape), shape) for shape in shapes]):
            if shape.tag == P + "grpSp":
                self._add_shapes(self._visible(_shapes(shape)))
            elif shape.tag == P + "graphicFrame":
                self._add_frame(shape)
            else:
                self._add_text(shape)

    def _add_text(self, shape: Any) -> None:
        kind, index = _placeholder(shape)
        if kind in _NUMBERS:
            return
        listed = bool(kind or index) and kind not in (*_PROSE, *_FOOTERS)
        for paragraph, text in _paragraphs(shape.find(P + "txBody")):
            if kind in _FOOTERS:
                if text not in self._said:
                    self._said.add(text)
                    self._assembly.add_paragraph(text, self._place)
            elif _is_item(paragraph, listed=listed):
                self._assembly.add_item(text, self._place)
            else:
                self._assembly.add_paragraph(text, self._place)

    def _add_frame(self, frame: Any) -> None:
        for table in frame.iter(A + "tbl"):
            rows: list[list[tuple[int, str]]] = []
            ranges: list[CellRange] = []
            for number, row in enumerate(table.iterchildren(A + "tr"), 1):
                rows.append([])
                for column, cell in enumerate(row.iterchildren(A + "tc"), 1):
                    if text := _cell_text(cell):
                        rows[-1].append((column, text))
                    below, beside = (max(_length(cell, name), 1) - 1 for name in ("rowSpan", "gridSpan"))
                    if below or beside:
                        ranges.append(CellRange(number, column, number + below, column + beside))
            grid = fill_grid(rows, ranges, self._assembly.chars_max)
            self._assembly.add_table(grid.rows, self._place, header_rows=grid.header_rows)
        for chart in frame.iter(CHART):
            self._assembly.add_table(chart_rows(self._package.tree(self._targets.get(chart.get(_R_ID, ""), ""))), self._place)
        for diagram in frame.iter(DIAGRAM):
            for text in diagram_texts(self._package, self._targets, diagram):
                self._assembly.add_item(text, self._place)

    def _add_notes(self) -> None:
        notes = self._package.find_tree(self._name, "notesSlide")
        for shape in () if notes is None else notes.iter(P + "sp"):
            if _placeholder(shape)[0] == "body":
                for _, text in _paragraphs(shape.find(P + "txBody")):
                    self._assembly.add_paragraph(text, self._place)

    def _box_of(self, shape: Any) -> Box:
        """The position of a shape, else of its placeholder, else the top."""
        kind, index = _placeholder(shape)
        box = _own_box(shape)
        for model in self._models:
            if box is None and model is not None and (kind or index):
                box = next((_own_box(one) for one in model.iter(P + "sp") if _matches(_placeholder(one), kind, index)), None)
        return box or Box(0, 0, 0)


def _shapes(container: Any) -> Iterator[Any]:
    """The shapes of a slide or a group, as written."""
    for element in () if container is None else container:
        if element.tag == _ALTERNATE:
            yield from _shapes(choose_alternative(element))
        elif element.tag in _SHAPES:
            yield element


def reading_order(boxes: list[tuple[Box, Any]]) -> Iterator[Any]:
    """Shapes from top to bottom; those that begin above the middle of the first shape of a row are in its row, from left to right."""
    row: list[tuple[int, Any]] = []
    middle = -1
    for box, shape in sorted(boxes, key=lambda one: one[0].top):
        if row and box.top > middle:
            yield from (one for _, one in sorted(row, key=lambda placed: placed[0]))
            row = []
        if not row:
            middle = box.top + box.height // 2
        row.append((box.left, shape))
    yield from (one for _, one in sorted(row, key=lambda placed: placed[0]))


def _own_box(shape: Any) -> Box | None:
    frame = next(
        (one for one in (shape.find(f"{P}{kind}/{A}xfrm") for kind in ("spPr", "grpSpPr")) if one is not None), shape.find(P + "xfrm")
    )
    offset = None if frame is None else frame.find(A + "off")
    if offset is None:
        return None
    extent = frame.find(A + "ext")
    return Box(_length(offset, "y"), _length(offset, "x"), 0 if extent is None else _length(extent, "cy"))


def _length(element: Any, name: str) -> int:
    text = element.get(name, "")
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdigit() and len(digits) < 12 else 0  # noqa: PLR2004  more than a kilometre


def _placeholder(shape: Any) -> tuple[str, str]:
    """Type and index of the placeholder that a shape fills; two empty strings when it fills none."""
    mark = shape.find(f"{P}nvSpPr/{P}nvPr/{P}ph")
    return ("", "") if mark is None else (mark.get("type", ""), mark.get("idx", "0"))


def _matches(model: tuple[str, str], kind: str, index: str) -> bool:
    if model == ("", ""):
        return False
    return model[1] == index if index != "0" else _SAME.get(model[0], model[0]) == _SAME.get(kind, kind)


def _paragraphs(body: Any) -> Iterator[tuple[Any, str]]:
    """Paragraphs of a text body that are not empty."""
    for paragraph in () if body is None else body.iterchildren(A + "p"):
        text = "".join(_runs(paragraph)).strip()
        if text:
            yield paragraph, text


def _runs(element: Any) -> Iterator[str]:
    for child in element:
        if child.tag in (A + "t", _MATH_TEXT):
            yield child.text or ""
        elif child.tag == A + "br":
            yield "\n"
        elif child.tag == _ALTERNATE:
            yield from _runs(choose_alternative(child))
        elif not (child.tag == A + "fld" and child.get("type") == "slidenum"):
            yield from _runs(child)


def _is_item(paragraph: Any, *, listed: bool) -> bool:
    """Whether a paragraph has a bullet: by its own property, else when it is below the first level or in a list's placeholder."""
    properties = paragraph.find(A + "pPr")
    if properties is None:
        return listed
    if properties.find(A + "buNone") is not None:
        return False
    bulleted = properties.find(A + "buChar") is not None or properties.find(A + "buAutoNum") is not None
    return listed or bulleted or properties.get("lvl", "0") != "0"


def _cell_text(cell: Any) -> str:
    """Text of a table's cell; one that is merged into another is empty."""
    if cell.get("hMerge") in ("1", "true") or cell.get("vMerge") in ("1", "true"):
        return ""
    return "\n".join(text for _, text in _paragraphs(cell.find(A + "txBody")))
