"""Web pages: the article, extracted by ``trafilatura``; navigation, banners and footers are left out.

It answers with a small tree of its own (TEI names), whose structure is kept. Of a page it finds too little in, all visible text is taken.
"""

from collections.abc import Iterator
from typing import Any

from lxml import etree  # type: ignore[import-untyped]

from adapters.parsing.core.assembly import Assembly
from adapters.parsing.core.blocks import ParsedText, has_words
from adapters.parsing.core.hidden import HiddenContent
from adapters.parsing.core.source import Entry
from adapters.parsing.core.text import decode_entry
from adapters.parsing.markup.html import HIDDEN_TAGS, parse_page, spell_out_merged
from adapters.parsing.markup.visibility import empty_hidden
from schemas.errors import Refused

CHARS_MIN = 250  # less is no article: a start page, a list of links, a short note
_BLOCKS = frozenset({"head", "p", "list", "item", "table", "quote", "div", "ab"})
_ERRORS = (RecursionError, ValueError, AttributeError, TypeError, LookupError, etree.LxmlError)  # of odd pages, by experience


def parse_web_page(entry: Entry) -> ParsedText:
    """The readable text of a fetched page. Raises as ``html.parse_html`` does."""
    text = decode_entry(entry, html=True)
    readable = _extract_article(text, entry)
    if readable is not None and len(readable.text) >= CHARS_MIN:
        return readable
    try:
        whole = parse_page(text, entry.bounds)
    except Refused:
        if readable is None:
            raise
        return readable
    return whole if readable is None or has_words(whole.text) else readable


def _extract_article(text: str, entry: Entry) -> ParsedText | None:
    from trafilatura import bare_extraction, load_html  # noqa: PLC0415 - only fetched pages need it

    hidden = HiddenContent(include=entry.bounds.include_hidden)
    try:
        tree = load_html(text)
        if tree is None:
            return None
        empty_hidden(tree, hidden, HIDDEN_TAGS)
        spell_out_merged(tree, entry.bounds)
        found: Any = bare_extraction(
            tree, url=entry.url or None, include_comments=False, include_tables=True, include_formatting=True, with_metadata=True
        )
    except _ERRORS:
        return None
    if found is None or found.body is None:
        return None
    assembly = Assembly(entry.bounds.chars_max)
    _walk(assembly, found.body, assembly.add_paragraph)
    hidden.note_in(assembly)
    parsed = assembly.build(found.title or "")
    return parsed if has_words(parsed.text) else None


def _walk(assembly: Assembly, element: Any, say: Any) -> None:
    """Everything in ``element`` in order; text outside blocks goes to ``say``."""
    run = [element.text or ""]
    for child in element:
        if child.tag in _BLOCKS or (child.tag == "code" and element.tag not in ("p", "item", "ab")):
            say("".join(run))
            _add_block(assembly, child)
            run = [child.tail or ""]
        else:
            run += ("\n" if child.tag == "lb" else _inner_text(child), child.tail or "")
    say("".join(run))


def _add_block(assembly: Assembly, element: Any) -> None:
    match element.tag:
        case "head":
            level = str(element.get("rend", "")).removeprefix("h")
            assembly.add_heading(int(level) if level.isdigit() else 2, _inner_text(element))
        case "table":
            assembly.add_table(_table_rows(element))
        case "code":
            assembly.add_code(_inner_text(element))
        case "item":
            _walk(assembly, element, assembly.add_item)
        case _:
            _walk(assembly, element, assembly.add_paragraph)


def _table_rows(table: Any) -> Iterator[list[str]]:
    for row in table.iter("row"):
        yield [" ".join(_inner_text(cell).split()) for cell in row.iter("cell")]


def _inner_text(element: Any) -> str:
    """All text inside, with its line breaks; blocks inside are separated."""
    parts = [element.text or ""]
    for child in element:
        if child.tag == "lb" or child.tag in _BLOCKS:
            parts.append("\n")
        parts += (_inner_text(child), child.tail or "")
    return "".join(parts)
