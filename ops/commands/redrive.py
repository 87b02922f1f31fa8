"""`claw redrive`: sends dead letters again, one by its id or all that match, in the order they were written."""

import re
from collections import Counter
from contextlib import aclosing

from domain.dead_letters import build_redrive, dead_letter_reader
from domain.documents.visibility import Visibility
from ops.commands.connections import open_connections
from schemas.errors import ConfigurationError, Refused
from schemas.settings import Settings
from streams.clock import SystemClock
from streams.dead_letters.reader import DeadLetter, DeadLetterFilter, DeadLetterReader
from streams.dead_letters.redrive import Redrive
from streams.topics import DEAD_LETTERS

_SPAN = re.compile(r"(\d{1,6})([smhd])")
_UNIT_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_SHOWN_CHARS = 200  # of a dead letter's cause


async def run(settings: Settings, wanted: DeadLetterFilter, *, letter_id: str, since_s: int, limit: int, dry: bool, force: bool) -> int:
    """Print the outcome of each dead letter and the totals; returns 1 when a dead letter could not be sent."""
    clock, prefix = SystemClock(), settings.redis.key_prefix
    async with open_connections(settings) as (redis, publisher):
        reader = dead_letter_reader(settings.kafka)
        sender = build_redrive(settings.kafka, publisher, Visibility(redis, prefix), redis, prefix, clock)
        if letter_id:
            letter = await reader.get(letter_id)
            later = await reader.find_later(letter) if letter is not None and not force else ""
            done = await sender.send(letter_id, letter, later=later, dry=dry, force=force)
            _print(letter_id, letter, done.outcome, done.detail)
            return 1 if done.outcome == "gone" else 0
        since_ms = int((clock.now().timestamp() - since_s) * 1000) if since_s else 0
        counts = await _redrive_all(reader, sender, wanted, since_ms=since_ms, limit=limit, dry=dry, force=force)
    summary = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items())) or f"no such dead letter in {DEAD_LETTERS.name}"
    print(f"{summary}{' (a dry run: nothing was sent)' if dry else ''}")
    return 1 if counts["refused"] else 0


async def _redrive_all(
    reader: DeadLetterReader, sender: Redrive, wanted: DeadLetterFilter, *, since_ms: int, limit: int, dry: bool, force: bool
) -> Counter[str]:
    """Redrive in two passes: the last dead letter of a document is known only at the end of the first."""
    last: dict[tuple[str, bytes], str] = {}
    async with aclosing(reader.scan(wanted, since_ms=since_ms)) as matching:
        async for letter in matching:
            if letter.key is not None:
                last[letter.topic, letter.key] = letter.id
    counts: Counter[str] = Counter()
    async with aclosing(reader.scan(wanted, since_ms=since_ms)) as matching:
        async for letter in matching:
            later = last.get((letter.topic, letter.key or b""), "")
            try:
                done = await sender.send(letter.id, letter, later=later if later != letter.id else "", dry=dry, force=force)
                outcome, detail = str(done.outcome), done.detail
            except Refused as error:
                outcome, detail = "refused", error.detail
            counts[outcome] += 1
            _print(letter.id, letter, outcome, detail)
            if counts.total() >= limit:
                break
    return counts


def seconds_of(span: str) -> int:
    """A time span such as ``90s``, ``30m``, ``2h``, ``7d`` in seconds; raises ConfigurationError."""
    match = _SPAN.fullmatch(span)
    if match is None:
        raise ConfigurationError(f"--since: {span!r} is no span of time, such as 90s, 30m, 2h, 7d")
    return int(match[1]) * _UNIT_S[match[2]]


def _print(letter_id: str, letter: DeadLetter | None, outcome: str, detail: str) -> None:
    about = f"{letter.topic}[{letter.original_partition}]@{letter.original_offset}\t{letter.agent}\t{letter.code}" if letter else "\t"
    cause = " ".join(letter.detail.split())[:_SHOWN_CHARS] if letter else ""
    print(f"{letter_id}\t{outcome}\t{about}\t{detail or cause}")
