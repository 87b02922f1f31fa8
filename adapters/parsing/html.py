"""HTML through ``unstructured``, offline, with structure taken from tags.

``unstructured`` downloads a spaCy model for its English heuristics when none is installed; a blank multilingual pipeline takes its place
(the heuristics are useless for Chinese, and nothing here depends on them). Loading it takes 1-4 s: children do that while they are idle.
"""

import os
import re
from collections.abc import Callable
from functools import cache
from typing import Any

from lxml import etree  # type: ignore[import-untyped]

from adapters.parsing.assembly import Assembly
from adapters.parsing.blocks import Parsed, clean, has_words
from adapters.parsing.source import Bounds, Entry
from adapters.parsing.texts import decoded
from schemas.errors import Refused

LIST_DEPTH_MAX = 60  # unstructured silently drops what lies beyond about twice that

_HIDDEN = {"script", "style", "template", "title", "noscript"}
_PARSER_ERRORS = (RecursionError, ValueError, AttributeError, TypeError, LookupError, etree.LxmlError)  # of odd tags, by experience
_SOFT_HYPHEN = re.compile("\xad|&shy;|&#173;|&#xad;", re.IGNORECASE)  # where a word may be broken: not part of it


def parse_html(entry: Entry) -> Parsed:
    """A page as a file: in the encoding that it or its sender names, unless the bytes say otherwise. Raises as ``parse_page`` does."""
    return parse_page(decoded(entry, html=True), entry.bounds)


def parse_page(text: str, bounds: Bounds) -> Parsed:
    """Blocks of the visible text, without scripts, styles and navigation; ``text`` must be clean.

    Raises Refused("document_unreadable") when tags nest too deep for the parser, which would silently lose what is inside, and
    Refused("document_too_complex") for too much text.
    """
    text = _SOFT_HYPHEN.sub("", text)
    root = _tree_or_refuse(text)
    assembly = Assembly(bounds.chars_max)
    if root is None:
        return assembly.build()
    try:
        elements = load()(text=text, languages=[""])  # [""]: no language detection
    except _PARSER_ERRORS as error:
        raise Refused("document_unreadable", f"the HTML cannot be parsed: {type(error).__name__}") from error
    for element in elements:
        _add(assembly, element)
    if assembly.empty and _has_visible_words(root):
        raise Refused("document_unreadable", "the HTML has text but none that a browser would show as content")
    return assembly.build(_title(root))


@cache
def load() -> Callable[..., list[Any]]:
    """``unstructured.partition.html.partition_html``, made to work offline."""
    # read by ``unstructured`` when it is imported and called: no notice, no telemetry
    os.environ.update(UNSTRUCTURED_DISABLE_NOTICE="1", SCARF_NO_ANALYTICS="true", DO_NOT_TRACK="true")
    import spacy  # noqa: PLC0415 - seconds of import that only HTML needs
    import unstructured.partition.html.parser as rules  # noqa: PLC0415
    from unstructured.nlp import tokenize  # noqa: PLC0415
    from unstructured.partition.html import partition_html  # noqa: PLC0415

    pipeline = spacy.blank("xx")
    pipeline.add_pipe("sentencizer")
    tokenize._get_nlp = lambda: pipeline  # noqa: SLF001 - the only way to keep it from downloading a model
    rules.is_possible_narrative_text = lambda *_, **__: False  # English guesses: minutes on one long unbroken word, and never used here
    partition: Callable[..., list[Any]] = partition_html
    return partition


def _tree_or_refuse(text: str) -> Any:
    """The tags as a tree, None when there are none; refused when some of it is too deep to be read."""
    parser = etree.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, no_network=True)
    try:
        root = etree.fromstring(text.encode("utf-8"), parser)
    except etree.LxmlError:
        return None
    if any("depth" in entry.message for entry in parser.error_log):
        raise Refused("document_unreadable", "the HTML nests its tags deeper than 256 levels")
    if root is not None and root.xpath(f"boolean(//li[count(ancestor::li) >= {LIST_DEPTH_MAX}])"):
        raise Refused("document_unreadable", f"the HTML nests its lists deeper than {LIST_DEPTH_MAX} levels")
    return root


def _title(root: Any) -> str:
    title = root.find(".//title")
    return " ".join(clean("".join(title.itertext())).split()) if title is not None else ""


def _has_visible_words(root: Any) -> bool:
    texts = ((element.text if element.tag not in _HIDDEN else None, element.tail) for element in root.iter())
    return any(text and has_words(text) for pair in texts for text in pair)


def _add(assembly: Assembly, element: Any) -> None:
    """An element by its tag; guesses that did not come from a tag count as paragraphs."""
    category, depth = element.category, element.metadata.category_depth
    match category:
        case "Title" if depth is not None:
            assembly.heading(depth + 1, element.text)
        case "ListItem":
            assembly.item(element.text)
        case "CodeSnippet":
            assembly.code(element.text)
        case "Table":
            rows = _rows(element.metadata.text_as_html)
            if rows:
                assembly.table(rows)
            else:
                assembly.paragraph(element.text)
        case _:
            assembly.paragraph(element.text)


def _rows(table: str | None) -> list[list[str]]:
    if not table:
        return []
    root = etree.fromstring(table.encode("utf-8"), etree.HTMLParser(encoding="utf-8", huge_tree=True))
    if root is None:
        return []
    rows = ([" ".join("".join(cell.itertext()).split()) for cell in row if cell.tag in ("td", "th")] for row in root.iter("tr"))
    return [row for row in rows if any(row)]
