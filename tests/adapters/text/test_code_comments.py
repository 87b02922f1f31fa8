"""A comment in code belongs to the line below it."""

from hypothesis import given
from hypothesis import strategies as st

from adapters.text.code_comments import join_comments, tell_code

FENCED = "先设置。\n\n```bash\n# 超时时间，\n# 单位秒\nexport WAIT=30\n\n# 单独的注释\n\nrun all\n```\n\n完成后检查。"
PLAIN = "队列设置：\n\n  // most jobs at once\n  jobs = 12\n\n# 标题\n正文在这里。"


def test_a_comment_and_its_line_are_one_statement() -> None:
    found = join_comments(FENCED)
    assert "# 超时时间，\n# 单位秒\nexport WAIT=30" in found
    assert "# 单独的注释" in found
    assert found[-1] == "完成后检查。"
    assert "  // most jobs at once\n  jobs = 12" in join_comments(PLAIN)


def test_a_heading_above_prose_is_no_comment() -> None:
    assert join_comments(PLAIN)[-2:] == ["# 标题", "正文在这里。"]


def test_a_statement_is_told_on_one_line() -> None:
    assert tell_code("# 超时时间，\n# 单位秒\nexport WAIT=30") == "超时时间， 单位秒：export WAIT=30"
    assert tell_code("<!-- the port -->\n  <port>81</port>") == "the port: <port>81</port>"
    assert tell_code("plain words") == "plain words"


@given(st.lists(st.sampled_from(["# a", "b = 1", "```", "", "words. More.", "  // c", "d"]), max_size=12).map("\n".join))
def test_no_line_is_lost(text: str) -> None:
    assert "\n".join(join_comments(text)) == text
