"""Lines of a paragraph become one text."""

import pytest

from adapters.parsing.pdf.lines import join_lines


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["infor-", "mation"], "information"),
        (["in 2019-", "2020"], "in 2019-2020"),
        (["state-of-the-", "art"], "state-of-the-art"),
        (["本公司在", "报告期"], "本公司在报告期"),
        (["公司 2018", "年报"], "公司 2018 年报"),
        (["one \xad", "two"], "one \xad two"),
    ],
)
def test_lines_are_joined(lines: list[str], expected: str) -> None:
    assert join_lines(lines) == expected
