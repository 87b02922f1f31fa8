"""Whether a model thinks before it answers, how long, and who sees it: the words that settings, questions and models share."""

from typing import Literal

Thinking = Literal["auto", "on", "off"]  # auto: as the model does of its own accord
ReasoningEffort = Literal["", "minimal", "low", "medium", "high", "xhigh", "max"]  # "": the model's own
ShowThinking = Literal["never", "asked", "always"]


def is_thinking_shown(setting: ShowThinking, asked: bool | None) -> bool:  # noqa: FBT001 - the field's own value
    """Whether a reader sees the thinking; ``asked`` by the reader, None when it said nothing about it."""
    if setting == "never":
        return False
    return setting == "always" if asked is None else asked
