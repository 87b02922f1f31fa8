"""Dead letters of a filter, sent again some at a time, the oldest first: the action ``redrive`` of schedules and of bulk actions."""

from datetime import datetime, timedelta

from msgspec.structs import replace

from domain.jobs.runner import JobStep
from domain.jobs.steps import count_failure, count_result, go_on, stop, succeed
from schemas import ids
from schemas.errors import Refused
from schemas.jobs import Job, RedriveAction
from streams.clock import Clock
from streams.dead_letters.bulk import read_letters
from streams.dead_letters.reader import DeadLetter, DeadLetterFilter, DeadLetterReader
from streams.dead_letters.redrive import Redrive

LETTERS_MAX = 2_000  # the newest are searched for the filter, as in the API
STEP_LETTERS = 20  # of a schedule's run, in one step: each is read whole, some 50 ms
PAUSE_S = 1.0


def redrive_step(reader: DeadLetterReader, sender: Redrive, clock: Clock) -> JobStep:
    """The step of a schedule's run."""

    async def step(job: Job) -> Job:
        action = job.action
        assert isinstance(action, RedriveAction)
        tenant = None if job.tenant == ids.INSTALLATION else job.tenant
        wanted = DeadLetterFilter(tenant=tenant, code=action.code or None, topic=action.topic or None, agent=action.agent or None)
        return await redrive_some(job, reader, sender, clock, wanted, until=job.created_at, at_once=STEP_LETTERS, items_max=action.limit)

    return step


async def count_letters(reader: DeadLetterReader, wanted: DeadLetterFilter, until: datetime) -> tuple[int, bool]:
    """How many letters match that were there at ``until``; and whether that is all, not only of the newest."""
    letters, complete = await read_letters(reader, DeadLetterFilter(tenant=wanted.tenant), LETTERS_MAX)
    return sum(wanted.matches(letter) and letter.at <= until for letter in letters), complete


async def redrive_some(
    job: Job,
    reader: DeadLetterReader,
    sender: Redrive,
    clock: Clock,
    wanted: DeadLetterFilter,
    *,
    until: datetime,
    at_once: int,
    items_max: int,
) -> Job:
    """The job after the next ``at_once`` letters; ``position`` is the last one that was reached. What was sent before only counts."""
    if job.cancel:
        return stop(job, clock.now())
    letters, _ = await read_letters(reader, DeadLetterFilter(tenant=wanted.tenant), LETTERS_MAX)
    last = {(letter.topic, letter.key): letter.id for letter in reversed(letters)}
    matching = [letter for letter in reversed(letters) if wanted.matches(letter) and letter.at <= until]
    ahead = [letter for letter in matching if _place(letter) > job.position]
    total = job.total or min(len(matching), items_max)
    left = min(at_once, total - job.done)
    for letter in ahead[:left]:
        later = last[letter.topic, letter.key] if letter.key is not None else letter.id
        try:
            sent = await sender.send(letter.id, await reader.get(letter.id), later="" if later == letter.id else later)
        except Refused as refusal:
            job = count_failure(job, letter.id, refusal.code)
        else:
            job = count_result(job, sent.outcome)
        job = replace(job, done=job.done + 1, position=_place(letter))
    job, now = replace(job, total=total, unit="dead letters"), clock.now()
    if job.done >= total or len(ahead) <= left:
        return succeed(job, now)
    return go_on(job, now + timedelta(seconds=PAUSE_S))


def _place(letter: DeadLetter) -> str:
    """Sorts as the letters were written."""
    return f"{int(letter.at.timestamp() * 1000):015d} {letter.partition:05d} {letter.offset:018d}"
