"""A page of HTML to blocks, by ``unstructured.partition.html``.

Its partitioner leaves out what it takes for decoration, and some of that is text here: captions, terms of one letter, line breaks, the
rows that a merged cell covers. The tree is prepared for it, so that no word is lost, and tables of data are read as those of other pages.
"""

from typing import Any

from lxml import etree  # type: ignore[import-untyped]

from adapters.parsing.core.assembly import Assembly
from adapters.parsing.core.blocks import clean
from adapters.parsing.core.merged_cells import MergedGrid
from adapters.parsing.core.source import Bounds
from adapters.parsing.elements.offline import load_partitioner
from adapters.parsing.markup.html import parse_page, parse_tree, table_grid

BREAK = "\ue000"  # stands for a line break, which would become a space
TABLE = "\ue001"  # before the number of a table
JOINER = "\u2060"  # nothing to see; the assembly takes it out again
_SHORTEST = 2  # a text of fewer characters is left out
_RENAMED = {
    **dict.fromkeys(("figure", "details", "form", "nav", "main", "fieldset", "dl"), "div"),
    **dict.fromkeys(("figcaption", "summary", "dt", "caption", "legend"), "p"),
    **dict.fromkeys(("label", "button", "ins", "del"), "span"),
    "dd": "li",
}
_MARKS = ("footnote-back", "footnote-ref")  # links between a sentence and its note


def add_page(assembly: Assembly, body: str, bounds: Bounds) -> None:
    """Add the text of ``body``, HTML without a head, in order. Raises as ``markup.html.parse_page`` does."""
    root = parse_tree(clean(body))  # characters that a file names by number may be none that a tree takes
    if root is None:
        return
    grids = prepare_tree(root, bounds)
    partition = load_partitioner("html", "partition_html")
    page = etree.tostring(root, encoding="unicode", method="html")
    for element in partition(text=page, languages=[""]):  # no guess of the language
        if element.text.startswith(TABLE) and element.text[1:].isdecimal():
            grid = grids[int(element.text[1:])]
            assembly.add_table(grid.rows, header_rows=grid.header_rows)
        else:
            _add_element(assembly, element, bounds)


def prepare_tree(root: Any, bounds: Bounds) -> list[MergedGrid]:
    """Changes a tree so that the partitioner reads all of its text; the tables of data, in whose place their numbers stand."""
    grids: list[MergedGrid] = []
    for table in list(root.iter("table")):
        for caption in table.findall("caption"):  # it would be a cell
            table.addprevious(caption)
        if table.getparent() is not None and (grid := table_grid(table, bounds)):
            place = etree.Element("p")
            place.text, place.tail = f"{TABLE}{len(grids)}", table.tail
            table.getparent().replace(table, place)
            grids.append(grid)
    for link in list(root.iter("a")):
        if any(mark in link.get("class", "") for mark in _MARKS):
            _remove(link)
    for element in list(root.iter()):
        if element.tag == "br":
            _replace_by_text(element, BREAK)
        elif element.tag in _RENAMED:
            element.tag = _RENAMED[element.tag]
    for element in root.iter():
        element.text, element.tail = _lengthen(element.text), _lengthen(element.tail)
    return grids


def _lengthen(text: str | None) -> str | None:
    """A text that is too short to be read, made longer by nothing that is seen."""
    return JOINER + text if text and len(text.strip()) == _SHORTEST - 1 else text


def _add_element(assembly: Assembly, element: Any, bounds: Bounds) -> None:
    text, depth = element.text.replace(BREAK, "\n"), element.metadata.category_depth
    match element.category:
        case "Title" if depth is not None:
            assembly.add_heading(depth + 1, text)
        case "ListItem":
            assembly.add_item(text)
        case "CodeSnippet":
            assembly.add_code(text)
        case "Table" if element.metadata.text_as_html:
            assembly.include(parse_page(element.metadata.text_as_html.replace(BREAK, " "), bounds))
        case "Image" | "PageBreak":
            pass
        case _:
            assembly.add_paragraph("\n".join(line.strip() for line in text.split("\n")))


def _remove(element: Any) -> None:
    """Take an element out, not the text behind it."""
    _replace_by_text(element, "")


def _replace_by_text(element: Any, text: str) -> None:
    parent, before = element.getparent(), element.getprevious()
    text += element.tail or ""
    if before is not None:
        before.tail = (before.tail or "") + text
    else:
        parent.text = (parent.text or "") + text
    parent.remove(element)
