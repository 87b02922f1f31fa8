"""What a reader of a page does not see."""

import time

import msgspec
import pytest

from adapters.parsing.core.blocks import ParsedText
from adapters.parsing.core.source import Bounds
from adapters.parsing.dispatch import parse_text
from adapters.parsing.markup.html import parse_page
from schemas.settings.documents import DocumentSettings

BOUNDS = Bounds.of(DocumentSettings())
STYLE = """<style><!-- /* .b{display:none} */ .a, p.c { color: red; display:none } #d{visibility:hidden}
@media print { .b { display: none } } .tab{display:none} .tab.open{display:block} .e .f{display:none} --></style>"""


def _page(body: str, *, include: bool = False) -> ParsedText:
    return parse_text(
        f"<html><head>{STYLE}</head><body>{body}</body></html>", "text/html", msgspec.structs.replace(BOUNDS, include_hidden=include)
    )


HIDDEN = [
    "hidden",
    "hidden=''",
    'style="display:none"',
    "style=' color:red; DISPLAY : none !important'",
    "style=visibility:hidden",
    "class='x a'",
]
HIDDEN += ["class=c", "id=d", "style='mso-hide:all'"]
SEEN = ["", "hidden=until-found", "style='display:block'", "class=b", "class='tab open'", "class=f", "aria-hidden=true"]
SEEN += ["style='display:none;display:block'", "class=a style='display:block'", "data-style='display:none'"]


@pytest.mark.parametrize("attribute", HIDDEN)
def test_hidden_elements_are_left_out_and_noted(attribute):
    """What follows them is read; the setting reads all of it; either way a note says so."""
    body = f"<p>before</p><p {attribute}>secret <b>word</b></p> after"
    found = _page(body)
    assert found.text.split() == ["before", "after"]
    assert [(note.code, note.detail) for note in found.notes] == [("hidden_left_out", "text")]
    found = _page(body, include=True)
    assert found.text.split() == ["before", "secret", "word", "after"]
    assert [note.code for note in found.notes] == ["hidden_included"]


@pytest.mark.parametrize("attribute", SEEN)
def test_elements_that_a_reader_can_reach_are_read(attribute):
    """Among them what only scripts, printers or other rules hide."""
    found = _page(f"<p {attribute}>open word</p>")
    assert (found.text, found.notes) == ("open word", ())


def test_hidden_cells_and_rows_of_tables():
    """The table stays one."""
    found = _page("<table><tr><td>a<td>b<td hidden>x<tr style='display:none'><td>y<td>z<tr><td>1<td>2</table>")
    assert found.text == "a\tb\n1\t2"


def test_a_page_that_scripts_show_is_read():
    """Its body is hidden until they have run."""
    assert parse_text("<body style='display:none'><p>words</p></body>", "text/html", BOUNDS).text == "words"


@pytest.mark.parametrize(
    "text",
    [
        "<style>" + "/*" * 200_000,
        "<style>" + "a{" * 200_000,
        "<style>" + "a," * 200_000 + "{" + "display:none{}" * 20_000,
        "<p style='" + "; " * 200_000 + "'>x",
        "<p style='" + "display " * 100_000 + "'>x",
        "<p hidden>x</p>y" * 50_000,
        "<style>" + "".join(f".c{n}{{display:none}}" for n in range(20_000)) + "</style>" + "<i class='c1 d'>x</i>" * 20_000,
    ],
)
def test_hostile_pages_take_linear_time(text):
    """Style sheets, attributes and many hidden elements."""
    begun = time.process_time()
    parse_page(text, BOUNDS)
    assert time.process_time() - begun < 5
