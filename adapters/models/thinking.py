"""Thinking that a model writes into the text of its answer, between ``<think>`` and ``</think>``: it is not part of the answer.

Servers with a reasoning parser send thinking in fields of its own (see ``wire``); this is for those without. A tag right after a backtick
is Markdown code, which only talks about thinking. Thinking whose opening tag stands in the prompt's template, so that only the closing
one comes, cannot be distinguished from an answer until it is over, and is not recognised in a stream.
"""

import re

TAGS = ("think", "thinking", "thought")

_TAG = re.compile(rf"<(?P<closes>/?)(?P<name>{'|'.join(TAGS)})>", re.IGNORECASE)
_SPELT = tuple(f"<{slash}{name}>" for name in TAGS for slash in ("", "/"))


class ThinkingFilter:
    """Feed an answer as it comes, get what is not thinking. ``found``: some of it was.

    What it gives does not depend on how the text was cut, and begins with a character that is not white space. At most the length of a
    tag is held back.
    """

    __slots__ = ("_before", "_held", "_inside", "_silent", "found")

    def __init__(self) -> None:
        self.found = False
        self._held = ""
        self._before = ""  # the last character that was read
        self._inside = ""  # the name of the tag whose thinking this is; "" in the answer
        self._silent = True  # no text since the beginning, or since the last thinking

    def feed(self, text: str) -> str:
        """The part of the text so far that belongs to the answer."""
        text = self._held + text
        size = _partial_tag_chars(text)
        text, self._held = text[: len(text) - size], text[len(text) - size :]
        parts: list[str] = []
        at = 0
        for tag in _TAG.finditer(text) if "<" in text else ():
            name = tag["name"].lower()
            if self._inside:
                if tag["closes"] and name == self._inside:
                    self._inside, at = "", tag.end()
            elif not tag["closes"] and (text[tag.start() - 1] if tag.start() else self._before) != "`":
                parts.append(self._visible(text[at : tag.start()]))
                self._inside, self._silent, self.found = name, True, True
        if not self._inside:
            parts.append(self._visible(text[at:]))
        self._before = text[-1:] or self._before
        return "".join(parts)

    def finish(self) -> str:
        """The text that was held back, at the end: the beginning of a tag that never came, unless it belongs to thinking."""
        held, self._held = self._held, ""
        return "" if self._inside else self._visible(held)

    def _visible(self, text: str) -> str:
        if self._silent:
            text = text.lstrip()
            self._silent = not text
        return text


def strip_thinking(text: str) -> str:
    """A whole text without thinking, also without one whose opening tag stood in the prompt's template."""
    thoughts = ThinkingFilter()
    answer = thoughts.feed(text) + thoughts.finish()
    closings = [tag.end() for tag in _TAG.finditer(answer) if tag["closes"]]
    return answer[closings[-1] :].lstrip() if closings else answer


def _partial_tag_chars(text: str) -> int:
    """Characters at the end of ``text`` that a tag may begin with."""
    at = text.rfind("<")
    end = text[at:].lower() if at >= 0 else ""
    return len(end) if any(len(end) < len(tag) and tag.startswith(end) for tag in _SPELT) else 0
