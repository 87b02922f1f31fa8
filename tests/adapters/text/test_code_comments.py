"""A comment in code belongs to the line below it."""

from hypothesis import given
from hypothesis import strategies as st

from adapters.text.code_comments import split_comments, tell_statement
from adapters.text.language import sentences

FENCED = "先设置。\n\n```bash\n# 超时时间，\n# 单位秒\nexport WAIT=30\n\n# 单独的注释\n\nrun all\n```\n\n完成后检查。"
PLAIN = "队列设置：\n\n  // most jobs at once\n  jobs = 12\n\n# 标题\n正文在这里。"


def statements(text: str) -> list[str]:
    return [each for part, is_code in split_comments(text) for each in ([part] if is_code else sentences(part))]


def test_a_comment_and_its_line_are_one_statement() -> None:
    found = statements(FENCED)
    assert "# 超时时间，\n# 单位秒\nexport WAIT=30" in found
    assert "# 单独的注释" in found
    assert found[-1] == "完成后检查。"
    assert "// most jobs at once\n  jobs = 12" in statements(PLAIN)


def test_a_heading_above_prose_is_no_comment() -> None:
    assert statements(PLAIN)[-2:] == ["# 标题", "正文在这里。"]


def test_a_statement_is_told_on_one_line() -> None:
    assert tell_statement("# 超时时间，\n# 单位秒\nexport WAIT=30") == "超时时间， 单位秒：export WAIT=30"
    assert tell_statement("<!-- the port -->\n  <port>81</port>") == "the port: <port>81</port>"
    assert tell_statement("plain words") == "plain words"


@given(st.lists(st.sampled_from(["# a", "b = 1", "```", "", "words. More.", "  // c", "d"]), max_size=12).map("\n".join))
def test_every_statement_is_literal_and_no_word_is_lost(text: str) -> None:
    found = statements(text)
    at = 0
    for each in found:
        at = text.index(each, at) + len(each)
    assert "".join("".join(found).split()) == "".join("".join(sentences(text)).split())
