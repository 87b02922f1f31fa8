"""Foreign markup in the Markdown of an answer: images, which a page would fetch, and raw HTML, which it would run or hide.

An answer repeats what documents and questions brought, so none of it is trusted. A mark is a space behind ``!`` or ``<``: what is left is a
link, or text, for every renderer. Code stays as it is where all renderers agree that it is code: in fences that begin at the start of a
line, and between backticks of one line. Once that is in doubt (a fence within a list, a block of mathematics), code is marked as well.

Any way of cutting a text into pieces gives the same result. Of a text in progress only what may still become markup is held back.
"""

import re
from typing import Literal

Policy = Literal["mark", "strip", "allow"]
"""``mark`` makes it inert, ``strip`` leaves the text of an image and nothing of a tag, ``allow`` changes nothing."""

HELD_CHARS_MAX = 2_048  # of an image or a tag that is to be stripped; a longer one is marked
CODE_CHARS_MAX = 512  # between backticks; longer code is marked
LINE_CHARS_MAX = 200  # of the line that begins or ends a fence
DESTINATION_CHARS_MAX = 64  # of a link, up to the end of its scheme
FENCE_CHARS = 3
SAFE_SCHEMES = ("http:", "https:", "mailto:", "tel:")
HELD = ("", -1)  # what is read next cannot be decided yet

_SPECIAL = re.compile(r"[`~!<\]\n$\\]")
_RUN = re.compile(r"`++|~++")
_FENCE = re.compile(r"(?:(`{3,}+)[^`\n]*+|(~{3,}+)[^\n]*+)\n")
_FENCE_END = re.compile(r" {0,3}(`++|~++)[ \t]*+\n")
_DESTINATION_END = re.compile(r"[\s)>/?#]")


class MarkupFilter:
    """One answer on its way: ``feed`` returns what may be shown of it so far, ``finish`` the rest."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._held = ""
        self._at_line_start, self._line_is_blank = True, True
        self._fence = ""  # the characters that began the fence we are in
        self._unmatched = False  # a backtick of this paragraph has no partner: it may be that of a later one
        self._in_doubt = False  # renderers may not agree on what is code
        self._is_last = False

    def feed(self, text: str) -> str:
        """More of the answer."""
        if self._policy == "allow":
            return text
        text, self._held = self._held + text, ""
        if text.endswith("\r") and not self._is_last:
            text, self._held = text[:-1], "\r"
        text = text.replace("\r\n", "\n").replace("\r", "\n")  # each ends a line
        shown, at = [], 0
        while at < len(text):
            piece, after = self._read(text, at)
            if after < 0:
                self._held = text[at:] + self._held
                break
            shown.append(piece)
            self._follow(text[at:after])
            at = after
        return "".join(shown)

    def finish(self) -> str:
        """The rest, when nothing follows."""
        self._is_last = True
        return self.feed("")

    def _follow(self, source: str) -> None:
        """Where the answer stands behind this piece."""
        is_blank = self._line_is_blank and not source.strip()
        self._at_line_start = source.endswith("\n")
        self._line_is_blank = is_blank or self._at_line_start
        if self._at_line_start and is_blank:
            self._unmatched = False  # a paragraph has ended

    def _read(self, text: str, at: int) -> tuple[str, int]:
        """What to show of the next piece, and where that ends; HELD when it cannot be said yet."""
        if self._fence:
            return self._read_code_line(text, at)
        special = _SPECIAL.search(text, at)
        if special is None or special.start() > at:
            after = len(text) if special is None else special.start()
            return text[at:after], after
        readers = {
            "`": self._read_run,
            "~": self._read_run,
            "!": self._read_image,
            "<": self._read_tag,
            "]": self._read_destination,
            "$": self._read_pair,
            "\\": self._read_pair,
        }
        return readers[text[at]](text, at) if text[at] != "\n" else ("\n", at + 1)

    def _waits(self, text: str, start: int, chars_max: int) -> bool:
        """Whether more may come of what begins at ``start``."""
        return len(text) - start < chars_max and not self._is_last

    def _read_code_line(self, text: str, at: int) -> tuple[str, int]:
        """A line within a fence, or a part of one."""
        after = text.find("\n", at) + 1 or len(text)
        if not self._at_line_start:
            return text[at:after], after
        head = text[at : min(after, at + LINE_CHARS_MAX)]
        is_whole = head.endswith("\n")
        if not is_whole and not head.strip(" \t`~"):
            if self._waits(text, at, LINE_CHARS_MAX):
                return HELD
            self._fence, self._in_doubt = "", True  # as if it ended here
        elif is_whole and (ended := _FENCE_END.fullmatch(head)) and ended[1].startswith(self._fence):
            self._fence, self._unmatched = "", False
        return head, at + len(head)

    def _read_run(self, text: str, at: int) -> tuple[str, int]:
        """Backticks or tildes: the beginning of a fence, code of one line, or themselves."""
        if self._at_line_start and not self._in_doubt:
            begun = _FENCE.match(text, at, at + LINE_CHARS_MAX)
            if begun:
                self._fence = begun[1] or begun[2]
                return begun[0], begun.end()
            is_open = text.find("\n", at) < 0 and text[at : at + FENCE_CHARS] in ("`", "``", "```", "~", "~~", "~~~")
            if is_open and self._waits(text, at, LINE_CHARS_MAX):
                return HELD
        run = _RUN.match(text, at)
        assert run is not None
        if run.end() == len(text) and self._waits(text, at, CODE_CHARS_MAX):
            return HELD
        if len(run[0]) >= FENCE_CHARS:
            self._in_doubt = True  # a fence where we see none: what ends it must not begin one for us
        if text[at] == "~" or self._in_doubt or self._unmatched:
            return run[0], run.end()
        return self._read_code(text, at, run[0])

    def _read_code(self, text: str, at: int, opening: str) -> tuple[str, int]:
        """Code of one line, or backticks that have no partner in it."""
        line_end = text.find("\n", at)
        stop = min(len(text) if line_end < 0 else line_end, at + CODE_CHARS_MAX)
        for closing in re.finditer("`++", text[at + len(opening) : stop]):
            after = at + len(opening) + closing.end()
            if after == at + CODE_CHARS_MAX:
                break
            if after == len(text) and not self._is_last:
                return HELD  # it may go on
            if len(closing[0]) == len(opening):
                if "|" in text[at:after]:  # in a table it may be the end of a cell
                    break
                return text[at:after], after
        else:
            if line_end < 0 and self._waits(text, at, CODE_CHARS_MAX):
                return HELD
        self._unmatched = True
        return opening, at + len(opening)

    def _read_pair(self, text: str, at: int) -> tuple[str, int]:
        """A sign and the one behind it: an escaped sign, or the beginning of mathematics, in which signs mean other things."""
        if at + 1 == len(text):
            return (text[at], at + 1) if self._is_last else HELD
        pair = text[at : at + 2]
        if pair in ("$$", "\\[", "\\("):
            self._in_doubt = True
        if pair == "\\`":
            self._unmatched = True
            return pair, at + 2
        return pair[0], at + 1

    def _read_image(self, text: str, at: int) -> tuple[str, int]:
        if at + 1 == len(text):
            return ("!", at + 1) if self._is_last else HELD
        if text[at + 1] != "[":
            return "!", at + 1
        if self._policy == "strip":
            end = self._find(text, at + 2, "]")
            opening = text[end + 1 : end + 2] if end >= 0 else ""
            if end == len(text) or (end >= 0 and not opening and not self._is_last):
                return HELD
            closing = self._find(text, end + 2, {"(": ")", "[": "]"}[opening]) if opening in ("(", "[") and opening else -1
            if closing == len(text):
                return HELD
            if closing >= 0:
                alternative = text[at + 2 : end]
                self._unmatched = self._unmatched or "`" in alternative
                return f" {alternative.replace('![', '! [').replace('<', '< ')} ", closing + 1
        return "! ", at + 1

    def _read_tag(self, text: str, at: int) -> tuple[str, int]:
        if at + 1 == len(text):
            return ("<", at + 1) if self._is_last else HELD
        following = text[at + 1]
        if following not in "/!?" and not (following.isascii() and following.isalpha()):
            return "<", at + 1
        if self._policy == "strip":
            closing = self._find(text, at + 1, ">")
            if closing == len(text):
                return HELD
            if closing >= 0:
                return " ", closing + 1  # what was on both sides must not become one
        return "< ", at + 1

    def _find(self, text: str, start: int, sign: str) -> int:
        """The index of ``sign`` in the line, the length of the text while it may still come, -1 when there is none within the bound."""
        stop = start + HELD_CHARS_MAX
        line_end = text.find("\n", start, stop)
        found = text.find(sign, start, stop if line_end < 0 else line_end)
        return len(text) if found < 0 and line_end < 0 and self._waits(text, start, HELD_CHARS_MAX) else found

    def _read_destination(self, text: str, at: int) -> tuple[str, int]:
        """The end of a link's text, with the beginning of where it leads: ``](`` or ``]:``."""
        if at + 1 == len(text):
            return ("]", at + 1) if self._is_last else HELD
        if text[at + 1] not in "(:":
            return "]", at + 1
        start, stop = at + 2, at + 2 + DESTINATION_CHARS_MAX
        while start < min(len(text), stop) and text[start] in " \t\n<":
            start += 1
        ended = _DESTINATION_END.search(text, start, stop)
        if ended is None and self._waits(text, at + 2, DESTINATION_CHARS_MAX):
            return HELD
        scheme = text[start : ended.start() if ended else stop].lower()
        if (":" in scheme or "&" in scheme or "\\" in scheme) and not scheme.startswith(SAFE_SCHEMES):
            return f"{text[at : at + 2]}unsafe:", start
        return text[at : at + 2], at + 2
