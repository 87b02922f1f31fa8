"""Front matter is metadata: the title comes from it, nothing else of it is text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.parsing.markup.front_matter import read_front_matter
from adapters.parsing.markup.markdown import parse_markdown, parse_plain

BODY = "# 泊位\n\n渡轮在三号泊位。\n\n## 时刻\n\n每小时一班。\n"


@pytest.mark.parametrize(
    ("head", "title"),
    [
        ("---\ntitle: 渡轮手册\nauthor: 港务处\ntags: [渡轮, 泊位]\n---\n", "渡轮手册"),
        ('---\ndate: 2031-02-03\ntitle: "Ferry: a \\"guide\\"" # ours\ntags:\n  - ferry\n- berth\n---\n\n', 'Ferry: a "guide"'),
        ("---\ntitle: 'It''s a ferry'\n...\n", "It's a ferry"),
        ("---\ntitle: >-\n  A long\n  title\nweight: 3\n---\n", "A long title"),
        ('---\n# a comment\n"title": Ferry  # note\nnested:\n  a: 1\n\n---\n', "Ferry"),
        ("---yaml\nTitle: Ferry\n---\n", "Ferry"),
        ("---\n标题: 渡轮\n---\n", "渡轮"),
        ("---   \nlayout: post\n---\n", "泊位"),
        ('+++\ntitle = "Ferry guide"\ndate = 2031-02-03\n[params]\na = 1\n+++\n', "Ferry guide"),
        (';;;\n"title": "Ferry guide",\n"tags": ["a"]\n;;;\n', "Ferry guide"),
        (';;;\n{"title": "Ferry guide"}\n;;;\n', "Ferry guide"),
        ('{\n  "title": "渡轮 手册",\n  "tags": ["a", "b"]\n}\n\n', "渡轮 手册"),
    ],
)
def test_the_title_is_taken_and_the_body_untouched(head: str, title: str) -> None:
    parsed, alone = parse_markdown(head + BODY), parse_markdown(BODY)
    assert parsed.title == title
    assert (parsed.text, parsed.blocks) == (alone.text, alone.blocks)
    plain = parse_plain(head + BODY)
    assert plain.text == BODY
    assert plain.title == ("" if title == "泊位" else title)


@pytest.mark.parametrize(
    "text",
    [
        "---\n\nA thematic break, then prose.\n\n---\n\nMore.\n",
        "---\nJust a line of prose\n---\n",
        "---\nkey: value\nand a line of prose that is no YAML\n---\n",
        "---\ntitle: never closed\n\nText.\n",
        "Text first.\n\n---\ntitle: x\n---\n",
        "----\ntitle: x\n----\n",
        "+++\nnot toml at all\n+++\nText\n",
        '{"title": "the document itself", "n": 1}\n',
        '{"title": "a"}\n{"title": "b"}\n',
        "{curly} braces begin this text\n",
        ";;;\nnothing\n;;;\n",
    ],
)
def test_what_only_looks_like_it_is_text(text: str) -> None:
    assert read_front_matter(text).end == 0
    assert parse_plain(text).text == text


@given(st.sampled_from(["---\n", "+++\n", ";;;\n", "{"]), st.text("ab:-+;{}[]\"'\n #|>\\", max_size=60))
def test_any_beginning_is_read(fence: str, text: str) -> None:
    """Never an exception; the body is the end of the text."""
    found = read_front_matter(fence + text)
    assert 0 <= found.end <= len(fence + text)
