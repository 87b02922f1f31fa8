"""Dead letters sent again some at a time: each reached once, in their order, also when a step is made again."""

from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from domain.job_actions import redrive
from domain.job_actions.redrive import redrive_step
from schemas.errors import Refused
from schemas.jobs import Job, RedriveAction
from streams.dead_letters.reader import DeadLetter, DeadLetterFilter, DeadLetterPage
from streams.dead_letters.redrive import RedriveResult
from tests.support.ports import NOW, StandingClock

JOB = Job(id="run", tenant="-", action=RedriveAction(code="broken", limit=25), created_at=NOW)


def letter(number: int, **changed: Any) -> DeadLetter:
    given: dict[str, Any] = {"code": "broken", "tenant": "acme", "at": NOW - timedelta(seconds=1_000 - number), "key": str(number).encode()}
    return DeadLetter(
        partition=0,
        offset=number,
        topic="t",
        original_partition=0,
        original_offset=number,
        original_at_ms=0,
        agent="a",
        detail="",
        attempts=1,
        value=b"x",
        value_bytes=1,
        headers={},
        **(given | changed),
    )


class Letters:
    """The letters, and what became of each."""

    def __init__(self, *letters: DeadLetter) -> None:
        self.letters, self.sent = list(letters), list[str]()

    async def page(self, wanted: DeadLetterFilter, *, limit: int, cursor: str = "") -> DeadLetterPage[DeadLetter]:
        begin = int(cursor or 0)
        newest = [each for each in reversed(self.letters) if wanted.matches(each)]
        end = begin + limit
        return DeadLetterPage(newest[begin:end], str(end) if end < len(newest) else "")

    async def get(self, letter_id: str) -> DeadLetter | None:
        return next((each for each in self.letters if each.id == letter_id), None)

    async def send(self, letter_id: str, found: DeadLetter | None, *, later: str = "") -> RedriveResult:
        assert found is not None
        if letter_id == "0-3":
            raise Refused("not_found", "no such topic")
        outcome: Any = "superseded" if later else "already_redriven" if letter_id in self.sent else "redriven"
        if outcome == "redriven":
            self.sent.append(letter_id)
        return RedriveResult(letter_id, outcome)


async def run(letters: Letters, job: Job = JOB) -> Job:
    step: Any = redrive_step(letters, letters, StandingClock())  # type: ignore[arg-type]
    while job.is_open:
        await step(job)  # a worker that died before the job was written
        job = await step(job)
    return job


async def test_the_oldest_that_match_are_sent_and_no_more_than_the_limit():
    letters = Letters(*(letter(number) for number in range(40)), letter(99, code="other"))
    job = await run(letters)
    assert letters.sent == [f"0-{number}" for number in range(25) if number != 3]
    assert (job.state, job.done, job.total, job.failed) == ("succeeded", 25, 25, 1)
    assert job.failures[0].code == "not_found"


async def test_an_older_one_of_a_key_is_left_and_later_letters_are_not_touched(monkeypatch):
    monkeypatch.setattr(redrive, "STEP_LETTERS", 1)
    letters = Letters(letter(0, key=b"k"), letter(1, key=b"k"), letter(2, at=NOW + timedelta(seconds=1)))
    job = await run(letters)
    assert (letters.sent, job.done, job.results["superseded"]) == (["0-1"], 2, 1)


async def test_nothing_that_matches_and_a_cancel_end_at_once():
    assert (await run(Letters())).state == "succeeded"
    assert (await run(Letters(letter(0)), replace(JOB, cancel=True))).state == "cancelled"
