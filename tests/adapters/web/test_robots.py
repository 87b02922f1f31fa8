"""Rules of robots.txt."""

import pytest

from adapters.web import robots

RULES = """
user-agent: Other
user-agent: ClawBot/2
Disallow: /*.pdf$   # no files
Allow: /open/*.pdf$
Disallow: /a*b*c
Disallow: /年假
Disallow:

User-agent: *
Disallow: /
"""


@pytest.mark.parametrize(
    ("path", "open_"),
    [
        ("/", True),
        ("/x.pdf", False),
        ("/x.pdf?y=1", True),
        ("/open/x.pdf", True),
        ("/a1b2c", False),
        ("/a1b2", True),
        ("/%E5%B9%B4%E5%81%87/x", False),
        ("/robots.txt", True),
    ],
)
def test_rules_of_robots(path: str, open_: bool):
    rules = robots.parse(RULES, "ClawBot")
    assert rules.allow(path) is open_
    assert not robots.parse(RULES, "Third").allow("/x")
    assert robots.parse("", "ClawBot").allow("/x")
    assert robots.parse("Disallow: /", "ClawBot").allow("/x")  # no group: nobody is meant
