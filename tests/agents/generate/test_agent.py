import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from adapters.models.port import EmptyAnswer, Finish, Piece, Speaker, Spent, ThoughtPiece
from adapters.models.prices import Prices
from agents.generate import metrics
from domain.chats.history import HistoryBudget
from domain.chats.topics import CHATS_ANSWERED, CHATS_ASKED, DIGESTS_ASKED, MESSAGES_CHANGED
from schemas.chats import (
    ChatGrounded,
    LogPlace,
    MessageChanged,
    ReplyCancelled,
    ReplyCompleted,
    ReplyExtended,
    ReplyFailed,
    ReplyStarted,
    ReplyThought,
    Sampling,
    Turn,
    Usage,
    UsageRecorded,
)
from schemas.errors import CATALOGUE, Problem, Refused, Superseded, Unavailable
from schemas.summaries import Digest
from streams.log.outgoing import Outgoing
from streams.runtime.adaptive_concurrency import AdaptiveConcurrency
from tests.support.generating import PASSAGE, Redis, Script, generating_agent, grounded_event
from tests.support.ports import RememberingPublisher, context


async def _run(model: Script, redis: Redis, publisher: RememberingPublisher, event=None, **more):
    returned = await generating_agent(model, redis).step(event or grounded_event(), context(publisher, attempt=7, **more))
    return [*publisher.sent, *returned]


async def test_the_message_is_stored_before_the_reply_is_called_complete():
    redis, publisher = Redis(), RememberingPublisher()
    sent = await _run(Script(["高41.8米", "[1]。", Finish(usage=Usage(prompt_tokens=10, completion_tokens=4))]), redis, publisher)
    kinds = [type(each.event) for each in sent]
    assert kinds[0] is ReplyStarted
    assert kinds.index(MessageChanged) < kinds.index(ReplyCompleted) < kinds.index(UsageRecorded)
    extended = [each.event.data for each in sent if isinstance(each.event, ReplyExtended)]
    assert [e.seq for e in extended] == list(range(1, len(extended) + 1))
    assert "".join(e.text for e in extended) == "高41.8米[1]。"
    message = redis.stored["r1"]
    assert message.content == "高41.8米[1]。"
    assert message.versions == {"acme/kb/doc": 5}
    assert message.citations[0].quote in PASSAGE.text
    assert redis.closed == ["r1"]
    assert {each.partition for each in sent if each.topic is CHATS_ANSWERED} == {3}
    assert {each.partition for each in sent if each.topic is MESSAGES_CHANGED} == {len("conv") % 4}


SPEAKER = Speaker(model="glm", provider="zhipu", prompt_hash="ab" * 32, prices=Prices(1.5, 3.0))


@pytest.mark.parametrize(
    ("end", "state"),
    [(Finish(usage=Usage(prompt_tokens=10, completion_tokens=4), speaker=SPEAKER), "complete"), (Refused("answer_interrupted"), "failed")],
)
async def test_the_record_says_who_answered_from_which_prompt_and_what_it_cost(end, state):
    """Also of an answer that broke off: its tokens are estimated, and paid."""
    redis, publisher = Redis(), RememberingPublisher()
    sent = await _run(Script([Piece("高41.8米。", SPEAKER), end]), redis, publisher)
    message = redis.stored["r1"]
    assert (message.state, message.model, message.provider, message.prompt_hash) == (state, "glm", "zhipu", "ab" * 32)
    assert message.usage.estimated == (state == "failed")
    assert message.cost_micros == round(message.usage.prompt_tokens * 1.5 + message.usage.completion_tokens * 3 + 1e-9) > 0
    (charged,) = [each.event.data for each in sent if isinstance(each.event, UsageRecorded)]
    assert (charged.provider, charged.model, charged.cost_micros) == ("zhipu", "glm", message.cost_micros)


async def test_an_answer_that_was_all_thinking_is_a_failed_reply_that_cost_what_it_cost():
    redis, spent = Redis(), Usage(prompt_tokens=10, completion_tokens=1024)
    sent = await _run(Script([EmptyAnswer("thought only", usage=spent, speaker=SPEAKER)]), redis, RememberingPublisher())
    (failed,) = [each.event.data for each in sent if isinstance(each.event, ReplyFailed)]
    assert failed.problem.code == "model_answer_empty"
    assert "max_tokens" in failed.problem.remedy
    message = redis.stored["r1"]
    assert (message.state, message.content, message.citations, message.usage) == ("failed", "", (), spent)
    (charged,) = [each.event.data for each in sent if isinstance(each.event, UsageRecorded)]
    assert (charged.completion_tokens, charged.model, charged.cost_micros) == (1024, "glm", round(10 * 1.5 + 1024 * 3))
    assert not [each for each in sent if isinstance(each.event, ReplyExtended | ReplyCompleted)]


@pytest.mark.parametrize("said", [[], ["[9]"], [" \n", "[9][8]"]])
async def test_an_answer_of_which_nothing_can_be_shown_has_failed(said):
    """Also one of nothing but markers of no passage."""
    redis, usage = Redis(), Usage(prompt_tokens=10, completion_tokens=2)
    sent = await _run(Script([*said, Finish(usage=usage, speaker=SPEAKER)]), redis, RememberingPublisher())
    (failed,) = [each.event.data for each in sent if isinstance(each.event, ReplyFailed)]
    assert failed.problem.code == "model_answer_empty"
    assert (redis.stored["r1"].state, redis.stored["r1"].usage) == ("failed", usage)
    assert [each.event.data.completion_tokens for each in sent if isinstance(each.event, UsageRecorded)] == [2]


async def test_the_askers_sampling_reaches_the_model():
    asked = []

    class Listening(Script):
        async def answer(self, request):
            asked.append((request.max_tokens, request.temperature, request.stop))
            yield Finish()

    event = grounded_event()
    sampling = Sampling(max_tokens=5, temperature=0.0, stop=("。",))
    question = msgspec.structs.replace(event.data.question, sampling=sampling)
    event = msgspec.structs.replace(event, data=msgspec.structs.replace(event.data, question=question))
    await _run(Listening([]), Redis(), RememberingPublisher(), event)
    assert asked == [(5, 0.0, ("。",))]


async def test_every_attempt_has_its_own_events_but_one_charge():
    """Readers tell attempts apart; analysts count by id, and messages by subject."""
    first, second = RememberingPublisher(), RememberingPublisher()
    script = ["答", Finish(usage=Usage(prompt_tokens=1, completion_tokens=1))]
    one = [*first.sent, *await generating_agent(Script(script), Redis()).step(grounded_event(), context(first, attempt=1))]
    two = [*second.sent, *await generating_agent(Script(script), Redis()).step(grounded_event(), context(second, attempt=2))]
    one, two = [*first.sent, *one], [*second.sent, *two]

    def idents(sent: Sequence[Outgoing], kind: type) -> set[str]:
        return {each.event.id for each in sent if isinstance(each.event, kind)}

    assert idents(one, ReplyCompleted).isdisjoint(idents(two, ReplyCompleted))
    assert idents(one, UsageRecorded) == idents(two, UsageRecorded)
    assert idents(one, MessageChanged).isdisjoint(idents(two, MessageChanged))
    assert {each.event.subject for each in (*one, *two) if isinstance(each.event, MessageChanged)} == {"r1"}


async def test_a_question_that_was_searched_again_is_charged_once_and_stored_under_one_subject():
    """Each search makes an event of its own; a worker may die at the end of either."""
    script = ["答", Finish(usage=Usage(prompt_tokens=1, completion_tokens=1))]
    found: list[set[str]] = []
    for number in range(2):
        event = grounded_event()
        question = msgspec.structs.replace(event.data.question, round=number)
        event = msgspec.structs.replace(event, id=f"round-{number}", data=msgspec.structs.replace(event.data, question=question))
        publisher = RememberingPublisher()
        ended = await generating_agent(Script(script), Redis()).step(event, context(publisher, attempt=number + 1))
        events = [each.event for each in (*publisher.sent, *ended)]
        found.append({each.id for each in events if isinstance(each, UsageRecorded)})
        found.append({each.subject for each in events if isinstance(each, MessageChanged)})
    assert found[0] == found[2]
    assert found[1] == found[3] == {"r1"}
    assert len(found[0]) == 1


async def test_every_attempt_numbers_its_sources_from_one_and_everywhere_alike():
    """In the deltas, in their citations, at the end and in the record; who makes the answer anew begins anew."""
    second = msgspec.structs.replace(PASSAGE, marker=2, chunk_id="c2", text="灯塔是红色的。")

    async def broken() -> None:
        raise Unavailable("kafka_unavailable")

    with pytest.raises(Unavailable):
        await _run(Script(["高41.8米[1]。", broken]), Redis(), RememberingPublisher(), grounded_event(passages=(PASSAGE, second)))
    redis = Redis()
    script = Script(["红色[", "2]，高41.8米[1]，红色[2]。", Finish()])
    sent = await _run(script, redis, RememberingPublisher(), grounded_event(passages=(PASSAGE, second)))
    extended = [each.event.data for each in sent if isinstance(each.event, ReplyExtended)]
    (completed,) = [each.event.data for each in sent if isinstance(each.event, ReplyCompleted)]
    assert "".join(each.text for each in extended) == completed.text == redis.stored["r1"].content == "红色[1]，高41.8米[2]，红色[1]。"
    cited = tuple(citation for each in extended for citation in each.citations)
    assert cited == completed.citations == redis.stored["r1"].citations
    assert [(each.marker, each.passage, each.chunk_id) for each in cited] == [(1, 2, "c2"), (2, 1, "c1"), (1, 2, "c2")]


async def test_a_question_that_comes_twice_is_answered_once():
    redis, publisher = Redis(), RememberingPublisher()
    await _run(Script(["一次", Finish()]), redis, publisher)
    again, model = RememberingPublisher(), Script(["两次", Finish()])
    redis.closed.clear()
    sent = await _run(model, redis, again)
    assert model.asked == 0
    (completed,) = [each.event for each in sent if isinstance(each.event, ReplyCompleted)]
    assert completed.data.text == "一次"
    assert redis.closed == ["r1"]  # who asked again took the turn again: the next question must not find it taken


async def test_an_answer_that_was_stored_is_not_failed_by_the_deaths_after_it():
    """Workers died after it was said, three times: the event is buried, the answer stays what it is."""
    redis = Redis()
    await _run(Script(["一次", Finish()]), redis, RememberingPublisher())
    redis.closed.clear()
    problem = Problem(code="event_poisonous", title="x", status=500)
    sent = await generating_agent(Script([]), redis).report_failure(grounded_event(), problem, context(attempt=9))
    assert [type(each.event) for each in sent if isinstance(each.event, ReplyCompleted | ReplyFailed)] == [ReplyCompleted]
    assert redis.stored["r1"].state == "complete"


async def test_a_cancel_keeps_what_was_said_and_stops_the_model():
    redis, publisher = Redis(), RememberingPublisher()

    async def cancel() -> None:
        redis.cancel.set()
        await asyncio.sleep(30)

    sent = await _run(Script(["说了一半", cancel, "不会说", Finish()]), redis, publisher)
    assert isinstance(sent[-1].event, UsageRecorded | ReplyCancelled)
    (cancelled,) = [each.event for each in sent if isinstance(each.event, ReplyCancelled)]
    assert cancelled.data.text == "说了一半"
    assert redis.stored["r1"].state == "cancelled"
    assert not [each for each in sent if isinstance(each.event, ReplyCompleted)]


async def test_who_waits_for_a_turn_may_still_cancel():
    """A loop that is late begins nothing more; a person who gives up meanwhile hears so at once, and the model is not asked."""
    model, redis, speaking, may_end = Script(["x", Finish()]), Redis(), asyncio.Event(), asyncio.Event()
    generate, publisher = generating_agent(model, redis), RememberingPublisher()
    generate.throttle = AdaptiveConcurrency(1, late_s=0.1)
    agent = generate.agent()

    async def hold() -> None:
        async with generate.throttle.slot(unless=asyncio.Event()):
            speaking.set()
            await may_end.wait()

    holding = asyncio.create_task(hold())
    await speaking.wait()
    asked = asyncio.create_task(generate.step(grounded_event(), context(publisher)))
    await asyncio.sleep(0.01)
    assert agent.waits() == 1
    redis.cancel.set()
    sent = await asyncio.wait_for(asked, 1)
    assert model.asked == 0
    assert [type(each.event) for each in sent[-2:]] == [ReplyCancelled, UsageRecorded]
    assert (sent[-1].event.data.ended, sent[-1].event.data.prompt_tokens) == ("cancelled", 0)  # asked, and paid by nobody
    assert agent.waits() == 0
    may_end.set()
    await holding


async def test_a_cancel_before_the_start_never_asks_the_model():
    model, redis = Script(["x", Finish()]), Redis()
    redis.cancel.set()
    sent = await _run(model, redis, RememberingPublisher())
    assert model.asked == 0
    assert [type(each.event) for each in sent[-2:]] == [ReplyCancelled, UsageRecorded]
    assert (sent[-1].event.data.ended, sent[-1].event.data.prompt_tokens) == ("cancelled", 0)  # asked, and paid by nobody


async def test_an_answer_whose_conversation_was_deleted_leaves_no_text():
    """Who deletes cancels; the reply ends, and nothing of it is stored or told."""
    redis, publisher = Redis(deleted=True), RememberingPublisher()

    async def cancel() -> None:
        redis.cancel.set()
        await asyncio.sleep(30)

    sent = await _run(Script(["说了一半", cancel, Finish()]), redis, publisher)
    (cancelled,) = [each.event for each in sent if isinstance(each.event, ReplyCancelled)]
    assert cancelled.data.text == ""
    assert redis.stored == {}
    assert not [each for each in sent if each.topic is MESSAGES_CHANGED]
    assert [each for each in sent if isinstance(each.event, UsageRecorded)]


def _asked(event: ChatGrounded, **more: object) -> ChatGrounded:
    question = msgspec.structs.replace(event.data.question, **more)
    return msgspec.structs.replace(event, data=msgspec.structs.replace(event.data, question=question))


async def test_a_branch_that_outgrows_its_share_asks_for_a_summary_and_a_first_answer_for_a_title():
    """By id: no text travels. A repeat asks with the same id; nothing is asked for a door's answer or a failed one."""
    long = (Turn("user", "长" * 30), Turn("assistant", "长" * 30))

    async def asked(event: ChatGrounded, *, titles: bool = True, script: Sequence[object] = ("好", Finish())) -> list[Any]:
        generate = generating_agent(Script(list(script)), Redis())
        generate.budget, generate.titles = HistoryBudget(20, 10_000, 70, 20), titles
        return [each.event for each in await generate.step(event, context(attempt=2)) if each.topic is DIGESTS_ASKED]

    (title,) = await asked(grounded_event())
    assert title.data == Digest(conversation_id="conv", message_id="r1", user_id="u", title=True)
    assert await asked(grounded_event(), titles=False) == []
    outgrown = _asked(grounded_event(), history=long, ancestors=("q0", "r0"))
    (summary,) = await asked(outgrown)
    assert summary.data == Digest(conversation_id="conv", message_id="r1", user_id="u", summary=True)
    assert summary.subject == "conv"
    assert [event.id for event in await asked(outgrown)] == [summary.id]
    assert await asked(_asked(outgrown, door="openai")) == []
    assert await asked(outgrown, script=[Refused("answer_interrupted", "gone")]) == []
    assert await asked(_asked(grounded_event(), ancestors=("q0", "r0"))) == []


async def test_a_greeting_gives_no_title_and_the_first_question_after_it_does():
    async def titles(event: ChatGrounded) -> list[bool]:
        generate = generating_agent(Script(["好", Finish()]), Redis())
        generate.titles = True
        return [each.event.data.title for each in await generate.step(event, context(attempt=2)) if each.topic is DIGESTS_ASKED]

    polite = Turn("user", "你好！"), Turn("assistant", "你好！")
    assert await titles(grounded_event(passages=(), courtesy="greeting")) == []
    assert await titles(_asked(grounded_event(), ancestors=("q0", "r0"), history=polite)) == [True]
    assert await titles(_asked(grounded_event(), ancestors=("q0", "r0"), history=(*polite, Turn("user", "灯塔在哪？")))) == []


async def test_the_answer_knows_its_branch_and_the_model_the_summary():
    redis, model = Redis(), Script(["好", Finish()])
    await _run(model, redis, RememberingPublisher(), _asked(grounded_event(), ancestors=("q0", "r0"), summary="此前", tone="support"))
    assert redis.stored["r1"].ancestors == ("q0", "r0", "m1")
    assert (model.request.summary, model.request.tone) == ("此前", "support")


async def test_a_model_that_breaks_off_ends_the_reply_in_failure_with_the_text_so_far():
    redis, publisher = Redis(), RememberingPublisher()
    sent = await _run(Script(["半句", Refused("answer_interrupted", "gone")]), redis, publisher)
    (failed,) = [each.event for each in sent if isinstance(each.event, ReplyFailed)]
    assert failed.data.problem.code == "answer_interrupted"
    assert redis.stored["r1"].content == "半句"
    assert "".join(each.event.data.text for each in sent if isinstance(each.event, ReplyExtended)) == "半句"


async def test_a_model_that_said_nothing_is_the_wrappers_to_retry():
    with pytest.raises(Unavailable):
        await _run(Script([Unavailable("model_unavailable")]), Redis(), RememberingPublisher())


async def test_a_question_whose_documents_changed_meanwhile_is_searched_again():
    """The new version may answer it; nothing was said yet, so the reader sees only a little more waiting."""
    redis, model = Redis(visible=6), Script(["x", Finish()])
    (again,) = await _run(model, redis, RememberingPublisher())
    assert again.topic is CHATS_ASKED
    assert again.event.data.round == 1
    assert model.asked == 0
    assert redis.stored == {}


async def test_after_a_few_rounds_a_passage_of_a_changed_document_is_left_out():
    redis, publisher = Redis(visible=6), RememberingPublisher()
    event = grounded_event()
    event = msgspec.structs.replace(
        event, data=msgspec.structs.replace(event.data, question=msgspec.structs.replace(event.data.question, round=2))
    )
    sent = await _run(Script(["高41.8米[1]。", Finish()]), redis, publisher, event)
    assert sent[0].event.data.sources == ()
    assert redis.stored["r1"].citations == ()
    assert "[1]" not in redis.stored["r1"].content


PAID = Finish(usage=Usage(prompt_tokens=10, completion_tokens=4), speaker=SPEAKER)


class Breaking(RememberingPublisher):
    """A log that breaks once, after the first text."""

    broke = False

    async def enqueue(self, outgoing):
        if not self.broke and any(isinstance(each.event, ReplyExtended) for each in self.sent):
            self.broke = True
            raise Unavailable("kafka_unavailable")
        return await super().enqueue(outgoing)


async def test_what_breaks_in_the_middle_is_said_again_and_what_was_not_shown_is_recorded_apart():
    model, publisher = Script([Piece("第一句。", SPEAKER), Piece("第二句。", SPEAKER), PAID]), Breaking()
    generate, again = generating_agent(model, Redis()), context(publisher, attempt=7)
    with pytest.raises(Unavailable):
        await generate.step(grounded_event(), again)
    again.attempt, again.replayed = 8, True  # as the wrapper does
    sent = [*publisher.sent, *await generate.step(grounded_event(), again)]
    usage = [each.event.data for each in sent if isinstance(each.event, UsageRecorded)]
    assert [each.purpose for each in usage] == ["answer", "unshown_answer"]
    assert usage[1].completion_tokens > 0
    assert {each.event.data.attempt for each in sent if isinstance(each.event, ReplyCompleted)} == {8}
    assert model.asked == 2


async def test_a_provider_is_asked_again_only_once_the_log_takes_events():
    """Else every try of an outage would be a call that is paid for."""

    class Refusing(RememberingPublisher):
        async def enqueue(self, outgoing):
            refused = asyncio.get_running_loop().create_future()
            refused.set_exception(Unavailable("kafka_unavailable"))
            return refused

    model, again = Script(["一次", Finish()]), context(Refusing(), attempt=7)
    generate = generating_agent(model, Redis())
    for number in range(4):
        again.attempt += 1
        again.replayed = number > 0
        with pytest.raises(Unavailable):
            await generate.step(grounded_event(), again)
    assert model.asked == 1


async def test_a_worker_that_loses_its_reply_records_what_it_spent():
    redis, publisher = Redis(), RememberingPublisher()
    late = context(publisher, attempt=3)

    async def no() -> bool:
        return False

    late.still_owner = no
    with pytest.raises(Superseded):
        await generating_agent(Script([Piece("迟了", SPEAKER), PAID]), redis).step(grounded_event(), late)
    (usage,) = [each.data for each in publisher.events() if isinstance(each, UsageRecorded)]
    assert usage.purpose == "unshown_answer"


async def test_a_log_that_takes_no_event_is_found_before_the_model_is_asked():
    """What the model answers could not be published, and would be paid for again at every repeat."""
    lost = Unavailable("kafka_unavailable", "no acknowledgement")

    class Unacknowledged(RememberingPublisher):
        is_fresh = False

        async def enqueue(self, outgoing):
            done = asyncio.get_running_loop().create_future()
            done.set_exception(lost)
            return done

    class WithoutPartitions(RememberingPublisher):
        def partition_for(self, topic, key):
            raise lost

    for publisher in (Unacknowledged(), WithoutPartitions()):
        model = Script(["Die Antwort.", Finish()])
        with pytest.raises(Unavailable):
            await _run(model, Redis(), publisher)
        assert model.asked == 0


async def test_with_redis_down_a_question_is_still_answered():
    sent = await _run(Script(["好", Finish()]), Redis(down=True), RememberingPublisher())
    assert [each.event.data.text for each in sent if isinstance(each.event, ReplyCompleted)] == ["好"]


async def test_a_worker_that_lost_its_lease_stores_nothing():
    redis, publisher = Redis(), RememberingPublisher()
    late = context(publisher, attempt=3)

    async def no() -> bool:
        return False

    late.still_owner = no
    with pytest.raises(Superseded):
        await generating_agent(Script(["迟了", Finish()]), redis).step(grounded_event(), late)
    assert redis.stored == {}
    assert not [e for e in publisher.events() if isinstance(e, ReplyCompleted | MessageChanged)]


async def test_a_failed_search_ends_the_reply():
    problem = Problem(code="index_unavailable", title=CATALOGUE["index_unavailable"].title)
    sent = await _run(Script(["x"]), Redis(), RememberingPublisher(), grounded_event(passages=(), problem=problem))
    (failed,) = [each.event for each in sent if isinstance(each.event, ReplyFailed)]
    assert failed.data.problem.code == "index_unavailable"


async def test_the_message_says_where_its_question_and_passages_lie_and_the_charge_which_key_asked():
    event = grounded_event(asked=LogPlace(2, 11))
    question = msgspec.structs.replace(event.data.question, api_key_id="k1")
    event = msgspec.structs.replace(event, data=msgspec.structs.replace(event.data, question=question))
    publisher, redis = RememberingPublisher(), Redis()
    outgoing = await generating_agent(Script(["41.8"]), redis).step(event, context(publisher, offset=40, attempt=1))
    message = redis.stored["r1"]
    assert (message.asked, message.grounded) == (LogPlace(2, 11), LogPlace(0, 40))
    (charge,) = [each.event for each in outgoing if isinstance(each.event, UsageRecorded)]
    assert charge.data.api_key_id == "k1"


@pytest.mark.parametrize("mode", ["grounded", "assistant"])
async def test_without_passages_a_grounded_question_is_no_call(mode):
    """There is nothing to ask a provider: the assistant is asked, because it may know by itself."""
    redis, model = Redis(), Script([Piece("In 1875.", SPEAKER), Finish(speaker=SPEAKER)])
    question = msgspec.structs.replace(grounded_event().data.question, mode=mode)
    sent = await _run(model, redis, RememberingPublisher(), grounded_event(question=question, passages=()))
    message = redis.stored["r1"]
    assert model.asked == int(mode == "assistant")
    assert (message.mode, message.outcome, message.citations) == (mode, "unsourced" if model.asked else "not_found", ())
    assert message.provider == ("zhipu" if model.asked else "local")
    (completed,) = [each.event.data for each in sent if isinstance(each.event, ReplyCompleted)]
    assert (completed.outcome, completed.text) == (message.outcome, message.content)


async def test_a_courtesy_is_the_models_and_is_counted_as_one():
    redis, model = Redis(), Script(["Hello!", Finish()])
    before = _counted("grounded", "courtesy")
    await _run(model, redis, RememberingPublisher(), grounded_event(passages=(), courtesy="greeting"))
    assert (model.asked, model.request.courtesy, redis.stored["r1"].outcome) == (1, "greeting", "courtesy")
    assert _counted("grounded", "courtesy") == before + 1


async def test_the_outcome_of_a_failed_answer_is_none():
    redis = Redis()
    await _run(Script(["half", Refused("model_refused")]), redis, RememberingPublisher())
    assert (redis.stored["r1"].state, redis.stored["r1"].mode, redis.stored["r1"].outcome) == ("failed", None, None)


def _counted(mode: str, outcome: str) -> float:
    return float(metrics.ANSWERS.labels(mode, outcome)._value.get())


def _asked_to_show(shows_thinking: bool) -> ChatGrounded:
    event = grounded_event()
    question = msgspec.structs.replace(event.data.question, shows_thinking=shows_thinking)
    return msgspec.structs.replace(event, data=msgspec.structs.replace(event.data, question=question))


@pytest.mark.parametrize(("asked", "setting", "shown"), [(True, "asked", True), (False, "always", False), (True, "never", False)])
async def test_thinking_goes_out_where_it_was_asked_for_and_into_no_record(asked: bool, setting: str, shown: bool):
    """Before the first word, and never as text."""
    redis, publisher = Redis(), RememberingPublisher()
    model = Script(
        [ThoughtPiece("hm [1] "), ThoughtPiece("so"), "高41.8米[1]。", Finish(usage=Usage(reasoning_tokens=9, completion_tokens=12))]
    )
    agent = generating_agent(model, redis)
    agent.settings.replace(msgspec.structs.replace(agent.settings.value, show_thinking=setting))
    returned = await agent.step(_asked_to_show(asked), context(publisher, attempt=7))
    sent = [each.event for each in [*publisher.sent, *returned]]
    thoughts = [event.data for event in sent if isinstance(event, ReplyThought)]
    assert bool(thoughts) == shown
    if shown:
        assert "".join(each.text for each in thoughts) == "hm [1] so"
        assert [each.seq for each in thoughts] == list(range(1, len(thoughts) + 1))
        kinds = [type(event) for event in sent]
        last_thought = max(place for place, kind in enumerate(kinds) if kind is ReplyThought)
        assert kinds.index(ReplyStarted) < last_thought < kinds.index(ReplyExtended)
        assert {each.partition for each in publisher.sent if isinstance(each.event, ReplyThought)} == {3}
    message = redis.stored["r1"]
    assert (message.content, message.usage.reasoning_tokens) == ("高41.8米[1]。", 9)
    others = [event for event in sent if not isinstance(event, ReplyThought)]
    assert "hm" not in msgspec.json.encode(others).decode()
    assert len({event.id for event in sent}) == len(sent)


async def test_thinking_that_is_shown_is_bounded():
    publisher = RememberingPublisher()
    agent = generating_agent(Script([ThoughtPiece("x" * 80), ThoughtPiece("y" * 80), "高41.8米。", Finish()]), Redis())
    agent.settings.replace(msgspec.structs.replace(agent.settings.value, thinking_chars_max=100))
    await agent.step(_asked_to_show(True), context(publisher, attempt=7))
    thoughts = "".join(each.event.data.text for each in publisher.sent if isinstance(each.event, ReplyThought))
    assert thoughts == "x" * 80 + "y" * 20


async def test_what_a_call_without_an_answer_cost_is_charged_apart():
    """To the model that spent it, under an id that a repeat of the attempt gives again; the answer is one answer."""
    spent = Spent(usage=Usage(prompt_tokens=10, completion_tokens=1024, reasoning_tokens=1024), speaker=SPEAKER)
    other = Speaker(model="gpt", provider="openai", prices=Prices(1.0, 1.0))
    ids = set()
    for _ in range(2):
        script: list[object] = [
            spent,
            Piece("高41.8米。", other),
            Finish(usage=Usage(prompt_tokens=10, completion_tokens=4), speaker=other),
        ]
        sent = await _run(Script(script), Redis(), RememberingPublisher())
        first, second = (each.event for each in sent if isinstance(each.event, UsageRecorded))
        assert (first.data.purpose, first.data.model, first.data.cost_micros, first.data.reasoning_tokens) == (
            "failed_answer",
            "glm",
            round(10 * 1.5 + 1024 * 3),
            1024,
        )
        assert (second.data.purpose, second.data.model, second.data.completion_tokens) == ("answer", "gpt", 4)
        ids |= {first.id, second.id}
    assert len(ids) == 2


@pytest.mark.parametrize("shows", [True, False])
async def test_thinking_costs_also_when_the_answer_never_comes(shows: bool):
    """Whoever cancels a model that thinks pays for what it has thought."""
    redis = Redis()

    async def cancel() -> None:
        redis.cancel.set()
        await asyncio.sleep(10)

    event = _asked_to_show(shows)
    sent = await _run(Script([ThoughtPiece("四个汉字", SPEAKER), cancel]), redis, RememberingPublisher(), event)
    (charged,) = [each.event.data for each in sent if isinstance(each.event, UsageRecorded)]
    assert (charged.completion_tokens, charged.reasoning_tokens, charged.estimated, charged.model) == (4, 4, True, "glm")
    assert charged.cost_micros > 4 * 3
    assert redis.stored["r1"].state == "cancelled"
