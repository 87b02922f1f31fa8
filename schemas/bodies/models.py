"""Models that may be chosen."""

from msgspec import Struct


class ModelChoice(Struct, frozen=True, kw_only=True):
    """``name`` is what conversations and questions name. ``provider``: its kind, such as ``openai`` or ``local``. ``default``: it answers
    where none is chosen.
    """

    name: str
    provider: str
    default: bool


class ModelChoices(Struct, frozen=True, kw_only=True):
    """At most three; each is asked when those before it did not begin to answer."""

    items: tuple[ModelChoice, ...]
