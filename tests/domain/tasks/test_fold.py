"""The fold of a task: any order of arrival and any repeat give the same task, and an outcome is final."""

from datetime import timedelta
from itertools import permutations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from domain.tasks.fold import put_step, read_task
from schemas.chats import ChatAsked, MessageChanged
from schemas.events import Event
from schemas.notices import DeliveryChanged, DeliveryState, MailEnded, MailRequest, MailRequested, MailResult, WebhookDelivery
from schemas.tasks import TERMINAL, Task, TaskState
from tests.support.task_events import NOW, answered, asked, event, fold, grounded, progressed, puts_of, question, submitted


def task_of(*events: Event) -> Task:
    puts = puts_of(events)
    (name,) = {put.task_id for put in puts}
    found = read_task("t", name, fold(puts))
    assert found is not None
    return found


CHAT = st.lists(
    st.one_of(
        st.builds(asked, st.integers(0, 9), st.integers(0, 2)),
        st.builds(grounded, st.integers(0, 9), st.integers(0, 2)),
        st.builds(answered, st.integers(0, 9), st.sampled_from(["complete", "failed", "cancelled"]), st.integers(1, 3)),
    ),
    min_size=1,
    max_size=8,
)
DOCUMENT = st.lists(
    st.one_of(
        st.builds(submitted),
        st.builds(
            progressed,
            st.integers(0, 9),
            st.sampled_from(["queued", "parsing", "embedding", "indexed", "unchanged", "failed"]),
            st.integers(0, 9),
        ),
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda each: (type(each), each.time),  # an offset has one record
)


@given(events=st.one_of(CHAT, DOCUMENT), data=st.data())
def test_any_order_and_any_repeat_give_the_same_task(events: list[Event], data: st.DataObject) -> None:
    """The slots are a join: order and repeats do not matter."""
    events = list({(type(each), each.time): each for each in events}.values())
    puts = puts_of(events)
    repeated = data.draw(st.permutations([*puts, *puts]))
    assert fold(repeated) == fold(puts)


@given(events=st.one_of(CHAT, DOCUMENT), more=st.one_of(CHAT, DOCUMENT))
def test_an_outcome_is_final(events: list[Event], more: list[Event]) -> None:
    """What comes later may be a greater outcome, but the task never runs again."""
    slots = fold(puts_of(events))
    before = read_task("t", "r", slots)
    for put in puts_of(more):
        slots = put_step(slots, put.slot, put.order, put.step)
        after = read_task("t", "r", slots)
        assert before is not None
        assert after is not None
        assert before.is_open or after.state in TERMINAL
        before = after


def test_a_chat() -> None:
    """PENDING, STARTED, SUCCESS, with the times and the owner."""
    assert task_of(asked(0)).state == "PENDING"
    assert task_of(asked(0), grounded(1)).state == "STARTED"
    done = task_of(asked(0), grounded(1), answered(3, "complete"))
    assert (done.state, done.kind, done.account, done.subject.conversation_id) == ("SUCCESS", "generate_ai_response", "u", "c")
    times = [(at - NOW).total_seconds() for at in (done.created_at, done.started_at, done.ended_at) if at is not None]
    assert (times, done.attempts, done.done, done.unit) == ([0, 1, 3], 1, 7, "tokens")
    again = answered(3, "complete")
    summarised = event(MessageChanged, again.data, 9)
    assert task_of(asked(0), again, summarised).ended_at == again.data.created_at


def test_a_chat_is_asked_again() -> None:
    """Its documents changed: RETRY until it is grounded again; of two takeovers the higher attempt counts."""
    assert task_of(asked(0), grounded(1), asked(2, 1)).state == "RETRY"
    assert task_of(asked(0), grounded(1), asked(2, 1), grounded(3, 1)).state == "STARTED"
    assert task_of(asked(0), answered(5, "failed", 2), answered(4, "complete", 1)).state == "FAILURE"


def test_a_chat_without_a_record_is_no_task() -> None:
    """Its caller waits for the answer."""
    data = question()
    for door in ("query", "openai"):
        plain = msgspec.structs.replace(data, door=door)
        assert puts_of([event(ChatAsked, plain, 0)]) == []


def test_a_document() -> None:
    """Through its stages, in any order of arrival."""
    stages = [submitted(), progressed(1, "queued"), progressed(2, "parsing"), progressed(3, "embedding", 4), progressed(4, "indexed", 9)]
    states: list[TaskState] = [task_of(*stages[: count + 1]).state for count in range(5)]
    assert states == ["PENDING", "PENDING", "STARTED", "STARTED", "SUCCESS"]
    halfway = task_of(*stages[:4])
    assert (halfway.title, halfway.account, halfway.done, halfway.total, halfway.unit) == ("A title", "u", 4, 9, "chunks")
    assert len({str(task_of(*some)) for some in permutations(stages)}) == 1


def test_a_document_is_queued_again_and_redriven() -> None:
    """RETRY when its work was queued again; the success of a redriven one replaces its failure, whose end stays otherwise."""
    assert task_of(submitted(), progressed(2, "embedding", 1), progressed(3, "queued")).state == "RETRY"
    failed = task_of(submitted(), progressed(2, "failed"), progressed(3, "embedding"), progressed(7, "failed"))
    assert (failed.state, failed.ended_at) == ("FAILURE", NOW + timedelta(seconds=2))
    assert failed.cause is not None
    assert task_of(submitted(), progressed(2, "failed"), progressed(4, "indexed")).state == "SUCCESS"


def test_a_document_waits_for_a_retry() -> None:
    """RETRY with the cause and the time, also when nothing was published of its first run; its later runs are attempts."""
    waits = task_of(submitted(), progressed(1, "queued"), progressed(9, "queued", retries=1, wait_s=60))
    assert (waits.state, waits.attempts, waits.retry_at) == ("RETRY", 1, NOW + timedelta(seconds=69))
    assert waits.cause is not None
    assert waits.cause.code == "url_unreachable"
    again = (progressed(70, "queued", retries=1), progressed(71, "embedding", retries=1))
    runs = task_of(submitted(), progressed(9, "queued", retries=1, wait_s=60), *again)
    assert (runs.state, runs.attempts, runs.retry_at, runs.cause) == ("STARTED", 2, None, None)
    waits = task_of(submitted(), *again, progressed(99, "queued", retries=2, wait_s=300))
    assert (waits.state, waits.attempts) == ("RETRY", 2)
    assert task_of(submitted(), *again, progressed(120, "indexed")).state == "SUCCESS"


def test_notifications() -> None:
    """A mail by its id; a message to a webhook is retried, fails, and succeeds after all when it is replayed. No address is kept."""
    request = MailRequest(id="mail", tenant="t", account_id="u", address="ada@example.org", template="invitation")
    mail = [event(MailRequested, request, 0)]
    assert (task_of(*mail).state, task_of(*mail).account, "ada" in str(task_of(*mail))) == ("PENDING", "u", False)
    result = MailResult(id="mail", tenant="t", account_id="u", template="invitation", outcome="failed", tries=3, ended_at=NOW, detail="550")
    failed = task_of(*mail, event(MailEnded, result, 2))
    assert (failed.state, failed.attempts, failed.cause and failed.cause.detail) == ("FAILURE", 3, "550")
    steps: list[tuple[DeliveryState, int]] = [("pending", 0), ("pending", 1), ("failed", 2), ("delivered", 3)]
    deliveries = [
        event(
            DeliveryChanged,
            WebhookDelivery(
                id="m", webhook_id="w", tenant="t", type="notice.created", payload="", state=state, tries=tries, created_at=NOW
            ),
            number,
        )
        for number, (state, tries) in enumerate(steps)
    ]
    assert [task_of(*deliveries[: count + 1]).state for count in range(4)] == ["PENDING", "RETRY", "FAILURE", "SUCCESS"]
