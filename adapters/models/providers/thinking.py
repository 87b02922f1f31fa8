"""Thinking that a model writes into the text of its answer, between ``<think>`` and ``</think>``: it is not part of the answer.

Servers with a reasoning parser send thinking in fields of its own (see ``wire``); this is for those without. A tag right after a backtick
is Markdown code, which only talks about thinking.

Some chat templates open the thinking themselves, so that the text begins inside it and only ``</think>`` comes. Where that is known
(``opened``), everything up to the tag is thinking, as the parsers of vLLM and llama.cpp have it; a text that ends by itself without the tag
was an answer after all. Where it is not known it shows at the tag, on a line of its own: too late for this text (``leaked``), in time for
the next.
"""

import re

TAGS = ("think", "thinking", "thought")

_TAG = re.compile(rf"<(?P<closes>/?)(?P<name>{'|'.join(TAGS)})>", re.IGNORECASE)
_SPELT = tuple(f"<{slash}{name}>" for name in TAGS for slash in ("", "/"))
_ANY = "*"  # the name of thinking that a template opened: any tag ends it


class ThinkingFilter:
    """Feed an answer as it comes, get what is not thinking. ``found``: some of it was.

    What it gives does not depend on how the text was cut, and begins with a character that is not white space. At most the length of a
    tag is held back.
    """

    __slots__ = ("_before", "_blank", "_held", "_inside", "_opened", "_silent", "_thinking", "found", "leaked")

    def __init__(self, *, opened: bool = False) -> None:
        self.found = False
        self.leaked = False  # the text so far was thinking that a template had opened
        self._held = ""
        self._before = ""  # the last character that was read
        self._inside = _ANY if opened else ""  # the name of the tag whose thinking this is; "" in the answer
        self._opened: list[str] = []  # the text so far, while it may be an answer after all
        self._blank = True  # that text is white space
        self._silent = True  # no text since the beginning, or since the last thinking
        self._thinking: list[str] = []

    def feed(self, text: str) -> str:
        """The part of the text so far that belongs to the answer."""
        text = self._held + text
        size = _partial_tag_chars(text)
        text, self._held = text[: len(text) - size], text[len(text) - size :]
        parts: list[str] = []
        at = 0
        for tag in _TAG.finditer(text) if "<" in text else ():
            name, before = tag["name"].lower(), text[tag.start() - 1] if tag.start() else self._before
            if self._inside:
                if tag["closes"] and self._inside in (name, _ANY):
                    self._think(text[at : tag.start()])
                    self._opened.clear()
                    self._inside, at, self._silent, self.found = "", tag.end(), True, True
                elif self._inside == _ANY and not tag["closes"] and self._blank and not text[at : tag.start()].strip():
                    self._think(text[at : tag.start()])
                    self._inside, at = name, tag.end()  # the model opened it once more
                    self._opened.clear()
            elif not tag["closes"] and before != "`":
                parts.append(self._visible(text[at : tag.start()]))
                self._inside, self._silent, self.found, at = name, True, True, tag.end()
            elif tag["closes"] and not self.found:
                silent = self._silent and not text[at : tag.start()].strip()
                self.leaked = self.leaked or (not silent and before == "\n")
                at = tag.end() if silent else at
        if self._inside:
            self._think(text[at:])
        else:
            parts.append(self._visible(text[at:]))
        self._before = text[-1:] or self._before
        return "".join(parts)

    def finish(self, reason: str = "") -> str:
        """The text that was held back, at the end: the beginning of a tag that never came, unless it belongs to thinking. All of the text,
        when it seemed to begin inside thinking, and ended by itself (``stop``) without a tag.
        """
        held, self._held = self._held, ""
        if self._inside == _ANY and reason == "stop":
            text, self._inside = "".join(self._opened) + held, ""
            self._opened.clear()
            return self._visible(text)
        return "" if self._inside else self._visible(held)

    @property
    def is_thinking(self) -> bool:
        """Whether what comes next is thinking."""
        return bool(self._inside)

    def take_thinking(self) -> str:
        """The thinking in the text since this was last called."""
        thought, self._thinking = "".join(self._thinking), []
        return thought

    def _think(self, text: str) -> None:
        if text:
            self._thinking.append(text)
            if self._inside == _ANY:
                self._opened.append(text)
                self._blank = self._blank and not text.strip()

    def _visible(self, text: str) -> str:
        if self._silent:
            text = text.lstrip()
            self._silent = not text
        return text


def split_thinking(text: str) -> tuple[str, str]:
    """A whole text without thinking, and the thinking; also of one whose opening tag stood in the prompt's template."""
    thoughts = ThinkingFilter()
    answer = thoughts.feed(text) + thoughts.finish()
    closings = [tag for tag in _TAG.finditer(answer) if tag["closes"]]
    if not closings:
        return answer, thoughts.take_thinking()
    return answer[closings[-1].end() :].lstrip(), thoughts.take_thinking() + answer[: closings[-1].start()]


def _partial_tag_chars(text: str) -> int:
    """Characters at the end of ``text`` that a tag may begin with."""
    at = text.rfind("<")
    end = text[at:].lower() if at >= 0 else ""
    return len(end) if any(len(end) < len(tag) and tag.startswith(end) for tag in _SPELT) else 0
