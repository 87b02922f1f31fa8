"""Comments in code: what one says is about the line below it, so the two are one statement.

"# 服务端口" above "port: 8181" answers what the port is; either line alone does not.
"""

import re
from collections.abc import Iterator

from adapters.text.language import language_of

COMMENT_LINES_MAX = 4  # above one line of code
LINE_CHARS_MAX = 400  # of comment or code; longer lines are prose

_MARK = re.compile(r"(?:#++(?!!)|//++|--|;++|<!--|/\*++|REM\b)[ \t]*+")
_FENCE = re.compile(r"`{3,}|~{3,}")
_SETTING = re.compile(r"(?:(?:export|set|let|var|const|val|final) )?[A-Za-z_$\"'\[][\w.$\"'\[\]/-]{0,80} ?(?::=|=|: ?\S)", re.ASCII)
_CLOSERS = ("-->", "*/")


def split_comments(text: str) -> Iterator[tuple[str, bool]]:
    """The parts of a text in order, True for comments with the line of code that they explain; the line breaks within stay."""
    if not _may_have_comments(text):
        yield text, False
        return
    start = done = at = 0  # of the comment above, and how far the text has been read
    fence, comments = "", 0
    for line in text.split("\n"):
        said, end = line.strip(), at + len(line)
        mark = _FENCE.match(said)
        if mark and (not fence or (said.startswith(fence) and not said.strip(fence[0]))):
            fence, comments = "" if fence else mark[0], 0
        elif said and len(said) <= LINE_CHARS_MAX and _MARK.match(said):
            start = start if comments else at
            comments += 1
        elif comments:
            if said and comments <= COMMENT_LINES_MAX and len(said) <= LINE_CHARS_MAX and (fence or _SETTING.match(said)):
                yield text[done:start], False
                yield text[start:end].strip(), True
                done = end
            comments = 0
        at = end + 1
    yield text[done:], False


def tell_statement(text: str) -> str:
    """A statement on one line: what the comment says, then the code."""
    *comments, code = text.split("\n")
    if not comments:
        return text
    said = [_MARK.sub("", line.strip(), count=1).strip() for line in comments]
    words = " ".join(line.removesuffix(_CLOSERS[0]).removesuffix(_CLOSERS[1]).strip() for line in said).rstrip(":：。.")
    return f"{words}{'：' if language_of(words) == 'zh' else ': '}{code.strip()}"


def _may_have_comments(text: str) -> bool:
    """Whether a line begins with the mark of a comment and is followed by another line."""
    return any(f"\n{mark}" in text or text.startswith(mark) for mark in ("#", "//", "--", ";", "<!--", "/*", "REM", " ", "\t"))
