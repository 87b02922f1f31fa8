"""Explanations of answers, made from recorded events: pure functions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from adapters.models import prompts
from adapters.models.fingerprint import hash_messages
from adapters.models.request import build_grounded_request
from domain.chats.audit_trail import AuditTrail
from schemas.bodies.explanations import (
    AttemptExplained,
    DocumentExplained,
    Explanation,
    Hop,
    PassageExplained,
    PromptExplained,
    PromptMessage,
    QuestionExplained,
    RetrievalExplained,
)
from schemas.bodies.feedback import FeedbackView
from schemas.chats import (
    Answered,
    Feedback,
    Grounding,
    LogPlace,
    Message,
    Passage,
    Question,
    ReplyCancelled,
    ReplyCompleted,
    ReplyExtended,
    ReplyFailed,
    ReplyStarted,
)
from schemas.settings import Settings

LOCAL = "local"  # the keyless model, which gets no prompt
ENDS = {ReplyCompleted: "completed", ReplyFailed: "failed", ReplyCancelled: "cancelled"}


@dataclass(frozen=True, slots=True)
class RecordedReply:
    """The input of an explanation. ``visible``: the version that readers see now, by document key."""

    message: Message
    trail: AuditTrail
    feedback: Feedback | None
    visible: Mapping[str, int | None]


def explain_reply(recorded: RecordedReply, settings: Settings) -> Explanation:
    """The whole explanation; what is no longer recorded is named in ``missing``."""
    message, trail = recorded.message, recorded.trail
    grounding = trail.grounded.data if trail.grounded is not None else None
    question = trail.asked.data if trail.asked is not None else grounding.question if grounding is not None else None
    offered = trail.answer_passages(message)
    missing = dict(trail.missing)
    prompt = _prompt(question, grounding, offered, message, settings, missing)
    return Explanation(
        reply_id=message.id,
        conversation_id=message.conversation_id,
        state=message.state,
        text=message.content,
        question=_question(question) if question is not None else None,
        retrieval=_retrieval(grounding) if grounding is not None else None,
        passages=_passages(grounding, offered, message),
        prompt=prompt,
        provider=message.provider,
        model=message.model,
        usage=message.usage,
        cost_micros=message.cost_micros,
        cached=message.cached,
        finish_reason=message.finish_reason,
        outcome=message.outcome,
        problem=message.problem,
        attempt=message.attempt,
        attempts=attempts(trail.answered),
        hops=hops(trail, message),
        timings_ms=_timings(message, grounding),
        documents=tuple(_document(key, version, recorded.visible) for key, version in sorted(message.versions.items())),
        citations=message.citations,
        feedback=FeedbackView.of(recorded.feedback) if recorded.feedback is not None else None,
        traceparent=next((event.traceparent for event in (trail.asked, trail.grounded, *trail.answered) if event is not None), ""),
        places=_places(message, trail),
        missing=missing,
    )


def attempts(events: Sequence[Answered]) -> tuple[AttemptExplained, ...]:
    """Every attempt, in order, from all events of the reply."""
    return tuple(
        _attempt(number, [event for event in events if event.data.attempt == number]) for number in sorted({e.data.attempt for e in events})
    )


def hops(trail: AuditTrail, message: Message) -> tuple[Hop, ...]:
    """The recorded steps, in order; ``started`` and ``ended`` are those of the attempt that counts."""
    asked = (
        trail.asked.data.asked_at
        if trail.asked is not None
        else trail.grounded.data.question.asked_at
        if trail.grounded is not None
        else None
    )
    if asked is None:
        return ()
    standing = next((each for each in attempts(trail.answered) if each.attempt == message.attempt), None)
    times: list[tuple[str, datetime | None]] = [
        ("asked", asked),
        ("grounded", trail.grounded.time if trail.grounded is not None else None),
        ("started", standing.started_at if standing is not None else None),
        ("first_text", standing.first_text_at if standing is not None else None),
        ("stored", message.created_at),
        ("ended", standing.ended_at if standing is not None else None),
    ]
    return tuple(
        Hop(name=name, at=at, ms=round((at - asked).total_seconds() * 1000, 3))  # type: ignore[arg-type]  # the names are Hop's
        for name, at in times
        if at is not None
    )


def _attempt(number: int, events: Sequence[Answered]) -> AttemptExplained:
    started = next((event for event in events if isinstance(event, ReplyStarted)), None)
    extended = {event.data.seq: event for event in events if isinstance(event, ReplyExtended)}
    ended = next((event for event in events if isinstance(event, ReplyCompleted | ReplyFailed | ReplyCancelled)), None)
    return AttemptExplained(
        attempt=number,
        model=started.data.model if started is not None else "",
        started_at=started.time if started is not None else None,
        first_text_at=extended[min(extended)].time if extended else None,
        ended_at=ended.time if ended is not None else None,
        ended_as=ENDS[type(ended)] if ended is not None else None,  # type: ignore[arg-type]  # the words are AttemptExplained's
        characters=sum(len(event.data.text) for event in extended.values()),
    )


def _question(question: Question) -> QuestionExplained:
    return QuestionExplained(
        content=question.content,
        asked_at=question.asked_at,
        door=question.door,
        history_messages=len(question.history),
        summary=question.summary,
        system_prompt=question.system_prompt,
        knowledge_base_ids=question.knowledge_base_ids,
        searches=question.round + 1,
        mode=question.mode,
    )


def _retrieval(grounding: Grounding) -> RetrievalExplained:
    return RetrievalExplained(
        query=grounding.query,
        condensed_by=grounding.condensed_by,
        keywords=grounding.keywords,
        problem=grounding.problem,
        courtesy=grounding.courtesy,
        answerable=grounding.answerable,
        reranked_by=grounding.reranked_by,
    )


def _passages(grounding: Grounding | None, offered: Sequence[Passage], message: Message) -> tuple[PassageExplained, ...]:
    shown, cited = {passage.marker for passage in offered}, {citation.passage or citation.marker for citation in message.citations}
    return tuple(
        PassageExplained(
            marker=passage.marker,
            chunk_ids=passage.chunk_ids or (passage.chunk_id,),
            knowledge_base_id=passage.knowledge_base_id,
            document_id=passage.document_id,
            version=passage.version,
            title=passage.title,
            locator=passage.locator,
            score=passage.score,
            text=passage.text,
            offered=passage.marker in shown,
            cited=passage.marker in cited,
        )
        for passage in (grounding.passages if grounding is not None else ())
    )


def _prompt(
    question: Question | None,
    grounding: Grounding | None,
    offered: Sequence[Passage],
    message: Message,
    settings: Settings,
    missing: dict[str, str],
) -> PromptExplained | None:
    """The prompt, rebuilt by the function that built it; ``missing`` gets the reason when there is none."""
    if LOCAL in (message.provider, message.model) and not message.prompt_hash:
        missing["prompt"] = "no language model was asked"
        return None
    if question is None or grounding is None:
        missing["prompt"] = "it cannot be rebuilt without its passages"
        return None
    sent = prompts.build_messages(build_grounded_request(grounding, offered, settings.model), tokens_max=settings.prompt_tokens_max)
    digest = hash_messages(sent)
    return PromptExplained(
        messages=tuple(PromptMessage(each.role, each.content) for each in sent),
        sha256=digest,
        recorded_sha256=message.prompt_hash,
        exact=digest == message.prompt_hash,
    )


def _timings(message: Message, grounding: Grounding | None) -> dict[str, float]:
    """As the agents measured them."""
    condense = {"condense": grounding.condense_ms} if grounding is not None and grounding.condense_ms else {}
    return {**message.timings_ms, **condense}


def _document(key: str, version: int, visible: Mapping[str, int | None]) -> DocumentExplained:
    _, base, document = key.split("/", 2)
    return DocumentExplained(knowledge_base_id=base, document_id=document, version=version, visible=visible.get(key))


def _places(message: Message, trail: AuditTrail) -> dict[str, LogPlace]:
    asked = message.asked or (trail.grounded.data.asked if trail.grounded is not None else None)
    places = {"asked": asked, "grounded": message.grounded, "answered": trail.answered_from}
    return {name: place for name, place in places.items() if place is not None}
