"""Comments in code: what one says is about the line below it, so the two are one statement.

"# 服务端口" above "port: 8181" answers what the port is; either line alone does not.
"""

import re

from adapters.text.language import language_of

COMMENT_LINES_MAX = 4  # above one line of code
LINE_CHARS_MAX = 400  # of comment or code; longer lines are prose

_MARK = re.compile(r"(?:#++(?!!)|//++|--|;++|<!--|/\*++|REM\b)[ \t]*+")
_FENCE = re.compile(r"`{3,}|~{3,}")
_SETTING = re.compile(r"(?:(?:export|set|let|var|const|val|final) )?[A-Za-z_$\"'\[][\w.$\"'\[\]/-]{0,80} ?(?::=|=|: ?\S)", re.ASCII)
_CLOSERS = ("-->", "*/")


def join_comments(text: str) -> list[str]:
    """The lines of ``text``; comments in code are one with the line that they explain, and the line breaks between them stay."""
    lines = text.split("\n")
    joined: list[str] = []
    fence, comments = "", 0  # lines of comment right above
    for line in lines:
        said = line.strip()
        mark = _FENCE.match(said)
        if mark and (not fence or (said.startswith(fence) and not said.strip(fence[0]))):
            fence, comments = "" if fence else mark[0], 0
        elif said and len(said) <= LINE_CHARS_MAX and _MARK.match(said):
            comments += 1
        elif comments:
            if said and comments <= COMMENT_LINES_MAX and len(said) <= LINE_CHARS_MAX and (fence or _SETTING.match(said)):
                joined[-comments:] = ["\n".join((*joined[-comments:], line))]
                comments = 0
                continue
            comments = 0
        joined.append(line)
    return joined


def tell_code(text: str) -> str:
    """A joined line as people read it: what the comment says, then the code."""
    *comments, code = text.split("\n")
    if not comments:
        return text
    said = [_MARK.sub("", line.strip(), count=1).strip() for line in comments]
    words = " ".join(line.removesuffix(_CLOSERS[0]).removesuffix(_CLOSERS[1]).strip() for line in said).rstrip(":：。.")
    return f"{words}{'：' if language_of(words) == 'zh' else ': '}{code.strip()}"
