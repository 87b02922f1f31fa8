"""`claw redrive`: dead letters sent again, one by its id or all that match, in the order they were buried."""

import re
from collections import Counter
from contextlib import AsyncExitStack, aclosing

from adapters.redis import connect
from schemas.errors import ConfigurationError, Refused
from schemas.settings import Settings
from streams.clock import SystemClock
from streams.letters import Letter, Letters, Wanted
from streams.publisher import KafkaPublisher
from streams.redrive import Redrive, Redriven
from streams.topics import DEAD_LETTERS
from streams.visibility import Visibility

_SPAN = re.compile(r"(\d{1,6})([smhd])")
_UNIT_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_SHOWN_CHARS = 200  # of a letter's cause


async def run(settings: Settings, wanted: Wanted, *, letter_id: str, since_s: int, limit: int, dry: bool, force: bool) -> int:
    """Print what became of each letter and how many there were; returns 1 when a letter could not be sent at all."""
    clock, prefix = SystemClock(), settings.redis.key_prefix
    async with AsyncExitStack() as stack:
        redis = connect(settings.redis)
        stack.push_async_callback(redis.aclose)
        publisher = KafkaPublisher(settings.kafka)
        stack.push_async_callback(publisher.stop)
        await publisher.start()
        letters = Letters(settings.kafka)
        redrive = Redrive(settings.kafka, publisher, Visibility(redis, prefix), redis, prefix, clock)
        if letter_id:
            return 1 if (await _sent(redrive, letter_id, await letters.get(letter_id), dry=dry, force=force)).outcome == "gone" else 0
        since_ms = int((clock.now().timestamp() - since_s) * 1000) if since_s else 0
        counts: Counter[str] = Counter()
        async with aclosing(letters.buried(wanted, since_ms=since_ms)) as matching:
            async for letter in matching:
                try:
                    counts[(await _sent(redrive, letter.id, letter, dry=dry, force=force)).outcome] += 1
                except Refused as error:
                    counts["refused"] += 1
                    print(f"{letter.id}\trefused\t{error.detail}")
                if counts.total() >= limit:
                    break
    print(", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items())) or f"no such letter in {DEAD_LETTERS.name}")
    return 1 if counts["refused"] else 0


def seconds_of(span: str) -> int:
    """``90s``, ``30m``, ``2h``, ``7d`` in seconds; raises ConfigurationError."""
    match = _SPAN.fullmatch(span)
    if match is None:
        raise ConfigurationError(f"--since: {span!r} is no span of time, such as 90s, 30m, 2h, 7d")
    return int(match[1]) * _UNIT_S[match[2]]


async def _sent(redrive: Redrive, letter_id: str, letter: Letter | None, *, dry: bool, force: bool) -> Redriven:
    done = await redrive.send(letter_id, letter, force=force, dry=dry)
    about = f"{letter.topic}[{letter.original_partition}]@{letter.original_offset}\t{letter.agent}\t{letter.code}" if letter else "\t"
    cause = " ".join(letter.detail.split())[:_SHOWN_CHARS] if letter else ""
    print(f"{letter_id}\t{done.outcome}\t{about}\t{done.detail or cause}")
    return done
