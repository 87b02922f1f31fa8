"""The documents and questions of a run: each version of a document carries a token that names tenant, document and version."""

import re
from collections.abc import Sequence

TOKEN = re.compile(r"\bcode-([a-z]{1,16})-(\d{1,4})-(\d{1,6})\b")
_SYLLABLES = ("bar", "dun", "fel", "gor", "hask", "jor", "kel", "lum", "mar", "nev", "orm", "pel", "rud", "sol", "tar", "vig")
_FILLER = (
    "Its keeper writes down every ship that passes, with the hour and the wind.",
    "The lamp is cleaned on Mondays, and the stairs are painted in May.",
    "Visitors wait at the gate until the bell has rung twice.",
    "Oil, wicks and glass are kept in the lower room, behind the second door.",
)


def place_name(number: int) -> str:
    """The name of the ``number``th lighthouse: one word that no other document has."""
    first, second = divmod(number, len(_SYLLABLES))
    return (_SYLLABLES[first % len(_SYLLABLES)] + _SYLLABLES[second] + ("" if first < len(_SYLLABLES) else str(first))).capitalize()


def document_name(number: int) -> str:
    """The id of the ``number``th document: the same in every tenant, so that a leak would be likely."""
    return f"light-{number:02}"


def version_token(tenant: str, number: int, serial: int) -> str:
    """The token of one version of a document."""
    return f"code-{tenant}-{number}-{serial}"


def document_text(number: int, token: str, paragraphs: int) -> str:
    """A document whose every paragraph shows the token, in a line of its own; each is about a hundred words, so that several make several
    chunks.
    """
    line = f"The lighthouse of {place_name(number)} shows {token} to the ships."
    filler = " ".join(_FILLER * 2)
    return "\n\n".join(f"{line}\n{filler} This is page {page} about {place_name(number)}." for page in range(paragraphs))


def question_text(number: int, trace: str, behaviour: str = "") -> str:
    """A question about a document. The hint names it in the provider's calls; ``behaviour`` is what else the stub provider is told."""
    hint = f"trace={trace}" + (f"&{behaviour}" if behaviour else "")
    return f"What does the lighthouse of {place_name(number)} show? [[{hint}]]"


def tokens_in(text: str) -> tuple[str, ...]:
    """Every token in a text, in order, without repeats."""
    return tuple(dict.fromkeys(match[0] for match in TOKEN.finditer(text)))


def parse_token(token: str) -> tuple[str, str] | None:
    """The tenant's word and the document of a token; None for other text."""
    match = TOKEN.fullmatch(token)
    return (match[1], document_name(int(match[2]))) if match else None


def tenant_words(count: int) -> Sequence[str]:
    """The words by which texts name their tenants."""
    return ("north", "south", "east", "west")[:count]
