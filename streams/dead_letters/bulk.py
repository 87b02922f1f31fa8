"""Many dead letters at once: groups by cause, and the redrive of all that match, bounded."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from schemas.errors import Refused
from streams.dead_letters.reader import DeadLetter, DeadLetterFilter, DeadLetterReader
from streams.dead_letters.redrive import Redrive

PAGE = 500  # letters read at once, without their values
EXAMPLES_MAX = 5  # of a group


class DeadLetterGroup(NamedTuple):
    """Dead letters of one cause. ``examples`` are ids of the newest; ``redriven`` of them were sent again."""

    code: str
    topic: str
    agent: str
    letters: int
    redriven: int
    first_at: datetime
    last_at: datetime
    detail: str
    examples: tuple[str, ...]


class BulkRedrive(NamedTuple):
    """What became of the ``matched`` letters by outcome; ``refused`` are of topics that this installation does not have. ``remaining`` were
    not reached, because a call sends only so many. Not ``complete``: there may be more letters than were read.
    """

    matched: int
    outcomes: dict[str, int]
    remaining: int
    complete: bool


async def read_letters(reader: DeadLetterReader, wanted: DeadLetterFilter, letters_max: int) -> tuple[list[DeadLetter], bool]:
    """The newest letters, newest first, without their values; and whether these are all."""
    found: list[DeadLetter] = []
    cursor = ""
    while len(found) < letters_max:
        page = await reader.page(wanted, limit=min(PAGE, letters_max - len(found)), cursor=cursor)
        found += page.items
        cursor = page.next_cursor
        if not cursor:
            return found, True
    return found, False


def group_letters(letters: Sequence[DeadLetter], redriven: frozenset[str]) -> list[DeadLetterGroup]:
    """The groups of letters (newest first) by code, topic and agent, the largest first. ``redriven`` are ids."""
    by_cause: dict[tuple[str, str, str], list[DeadLetter]] = {}
    for letter in letters:
        by_cause.setdefault((letter.code, letter.topic, letter.agent), []).append(letter)
    groups = [
        DeadLetterGroup(
            *cause,
            letters=len(some),
            redriven=sum(letter.id in redriven for letter in some),
            first_at=min(letter.at for letter in some),
            last_at=max(letter.at for letter in some),
            detail=some[0].detail,
            examples=tuple(letter.id for letter in some[:EXAMPLES_MAX]),
        )
        for cause, some in by_cause.items()
    ]
    return sorted(groups, key=lambda group: (-group.letters, group.code, group.topic, group.agent))


async def redrive_letters(
    reader: DeadLetterReader, sender: Redrive, wanted: DeadLetterFilter, *, letters_max: int, sent_max: int, dry: bool
) -> BulkRedrive:
    """Redrive what matches among the newest ``letters_max`` letters of the tenant, the oldest first, at most ``sent_max``; those that were
    sent before are counted only. ``dry``: nothing is sent. Raises Unavailable.
    """
    letters, complete = await read_letters(reader, DeadLetterFilter(tenant=wanted.tenant), letters_max)
    last: dict[tuple[str, bytes | None], str] = {}
    for letter in letters:
        last.setdefault((letter.topic, letter.key), letter.id)
    matching = [letter for letter in reversed(letters) if wanted.matches(letter)]
    sent_before = await sender.redrive_times([letter.id for letter in matching])
    unsent = [letter for letter in matching if letter.id not in sent_before]
    outcomes: Counter[str] = Counter({"already_redriven": len(matching) - len(unsent)} if len(unsent) < len(matching) else {})
    for letter in unsent[:sent_max]:
        later = last[letter.topic, letter.key] if letter.key is not None else letter.id
        whole = letter if dry else await reader.get(letter.id)
        try:
            done = await sender.send(letter.id, whole, later="" if later == letter.id else later, dry=dry)
            outcomes[done.outcome] += 1
        except Refused:
            outcomes["refused"] += 1
    return BulkRedrive(len(matching), dict(outcomes), max(0, len(unsent) - sent_max), complete)
