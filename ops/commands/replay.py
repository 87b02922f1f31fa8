"""``claw replay``: the answer of another model to a recorded context, beside the recorded answer. Nothing is written.

A reply is found by the message tables when its tenant is known or is the default one, else by looking through the topic of messages. The
context is the recorded one: the passages as they were, also those of documents that have changed or gone since.
"""

import asyncio
import sys
import textwrap
import time
from contextlib import AsyncExitStack, aclosing

import msgspec
from msgspec import Struct

from adapters.models.choose import create_answer_model
from adapters.models.grounding.citations import CitationResolver
from adapters.models.port import AnswerModel, AnswerRequest, Finish, Piece
from adapters.models.request import build_grounded_request
from adapters.redis.client import RedisClient, connect
from domain.chats.audit_trail import AuditTrails
from domain.chats.reply_lock import ReplyLocation, ReplyLocks
from domain.chats.topics import MESSAGES_CHANGED
from domain.read_models import ReadModels
from schemas.chats import Citation, Message, MessageChanged, Passage, Usage
from schemas.errors import ConfigurationError, Unavailable
from schemas.settings import ModelSettings, Settings
from streams.log.reader import open_log_reader

DEFAULT_TENANT = "default"
SCAN_S_MAX = 120.0  # for looking through the topic of messages
COLUMN_CHARS = 58  # two of them fit a terminal of 120


class MeasuredAnswer(Struct, frozen=True, kw_only=True):
    """An answer with its costs. ``first_text_ms`` and ``total_ms`` count from the request to the model; null when not measured."""

    model: str
    provider: str
    text: str
    citations: tuple[Citation, ...]
    usage: Usage
    finish_reason: str
    first_text_ms: float | None
    total_ms: float | None
    cost_micros: int | None


class ReplayComparison(Struct, frozen=True, kw_only=True):
    """Both answers, with the question and passages they were generated from."""

    reply_id: str
    tenant: str
    question: str
    passages: tuple[Passage, ...]
    recorded: MeasuredAnswer
    replayed: MeasuredAnswer


async def run(settings: Settings, reply_id: str, model: ModelSettings, *, tenant: str, as_json: bool) -> int:
    """Print the two answers; raises ConfigurationError when the reply cannot be found or its context has left the log."""
    async with AsyncExitStack() as stack:
        redis = connect(settings.redis)
        stack.push_async_callback(redis.aclose)
        found = await _find_message(settings, redis, reply_id, tenant)
        if found is None:
            raise ConfigurationError(f"there is no reply {reply_id}" + (f" of tenant {tenant}" if tenant else ""))
        whose, message, location = found
        trail = await AuditTrails(settings.kafka).read(whose, message, location)
        if trail.grounded is None:
            raise ConfigurationError(f"the passages of {reply_id} cannot be read: {trail.missing['grounded']}")
        question, passages = trail.grounded.data.question, trail.answer_passages(message)
        chosen = msgspec.structs.replace(settings, model=model)
        other = create_answer_model(chosen)
        await other.start()
        stack.push_async_callback(other.stop)
        given = await ask_model(other, build_grounded_request(trail.grounded.data, passages, chosen.model), chosen.model.provider)
    both = ReplayComparison(
        reply_id=message.id, tenant=whose, question=question.content, passages=passages, recorded=_answer_of(message), replayed=given
    )
    print(msgspec.json.format(msgspec.json.encode(both)).decode() if as_json else "\n".join(columns(both)))
    return 0


def other_model(model: ModelSettings, *, name: str, provider: str, base_url: str) -> ModelSettings:
    """The model to replay with: that of the settings with the given changes. Another provider brings its own address and name; the key is
    that of the settings.
    """
    if provider and provider != model.provider:
        return msgspec.structs.replace(model, provider=provider, name=name, base_url=base_url)
    return msgspec.structs.replace(model, name=name or model.name, base_url=base_url or model.base_url)


async def ask_model(model: AnswerModel, request: AnswerRequest, provider: str) -> MeasuredAnswer:
    """Ask the model; citations are resolved as in a reply."""
    began, first_s, text = time.monotonic(), None, ""
    cited: list[Citation] = []
    finish = Finish()
    citations = CitationResolver(request.passages)
    async with aclosing(model.answer(request)) as pieces:
        async for piece in pieces:
            if isinstance(piece, Finish):
                finish = piece
                continue
            if not isinstance(piece, Piece):
                continue
            first_s = time.monotonic() if first_s is None else first_s
            for span in citations.feed(piece.text):
                text, cited = text + span.text, [*cited, *span.citations]
    for span in citations.finish():
        text, cited = text + span.text, [*cited, *span.citations]
    return MeasuredAnswer(
        model=model.name,
        provider=provider,
        text=text,
        citations=tuple(cited),
        usage=finish.usage,
        finish_reason=finish.reason,
        first_text_ms=round((first_s - began) * 1000, 1) if first_s is not None else None,
        total_ms=round((time.monotonic() - began) * 1000, 1),
        cost_micros=None,
    )


def columns(both: ReplayComparison) -> list[str]:
    """The two side by side, for a terminal."""
    lines = [
        f"question: {both.question}",
        f"passages: {', '.join(f'{each.marker}. {each.title}' for each in both.passages) or 'none'}",
        "",
    ]
    left, right = _describe("recorded", both.recorded), _describe("replayed", both.replayed)
    for number in range(max(len(left), len(right))):
        first = left[number] if number < len(left) else ""
        second = right[number] if number < len(right) else ""
        lines.append(f"{first}{' ' * (COLUMN_CHARS - _width(first))} | {second}".rstrip())
    return lines


def _describe(name: str, given: MeasuredAnswer) -> list[str]:
    usage = given.usage
    figures = [
        f"{name}: {given.model} ({given.provider or 'provider unknown'})",
        f"tokens: {usage.prompt_tokens} + {usage.completion_tokens}{' (estimated)' if usage.estimated else ''}",
        f"first text: {_ms(given.first_text_ms)}, whole: {_ms(given.total_ms)}",
        f"cost: {'not priced' if given.cost_micros is None else f'{given.cost_micros / 1_000_000:.6f}'}, ended: {given.finish_reason}",
        "",
    ]
    cited = [f"[{each.marker}] {each.title}: {each.quote}" for each in given.citations]
    return [*figures, *_wrap(given.text), "", *(line for each in cited for line in _wrap(each))]


def _wrap(text: str) -> list[str]:
    """Lines no wider than a column; a Chinese character takes two places."""
    lines: list[str] = []
    for paragraph in text.splitlines() or [""]:
        narrow = COLUMN_CHARS if paragraph.isascii() else COLUMN_CHARS // 2
        lines += textwrap.wrap(paragraph, narrow) or [""]
    return lines


def _width(text: str) -> int:
    return min(COLUMN_CHARS, sum(1 if ord(character) < 0x1100 else 2 for character in text))  # noqa: PLR2004  # Hangul begins the wide ones


def _ms(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.0f} ms"


def _answer_of(message: Message) -> MeasuredAnswer:
    return MeasuredAnswer(
        model=message.model,
        provider=message.provider,
        text=message.content,
        citations=message.citations,
        usage=message.usage,
        finish_reason=message.finish_reason,
        first_text_ms=message.timings_ms.get("first_text"),
        total_ms=message.timings_ms.get("generate"),
        cost_micros=message.cost_micros,
    )


async def _find_message(
    settings: Settings, redis: RedisClient, reply_id: str, tenant: str
) -> tuple[str, Message, ReplyLocation | None] | None:
    """The message of a reply with its tenant and location: from the tables, else from the topic."""
    prefix, whose = settings.redis.key_prefix, tenant or DEFAULT_TENANT
    location: ReplyLocation | None = None
    try:
        location = await ReplyLocks(redis, prefix).locate(whose, reply_id)
        if location is not None:
            message = await ReadModels(redis, prefix).messages.get(f"{whose}/{location.conversation_id}", reply_id)
            if message is not None:
                return whose, message, location
    except Unavailable:
        print("Redis is out of reach: looking through the topic", file=sys.stderr)
    try:
        async with asyncio.timeout(SCAN_S_MAX):
            event = await _find_on_topic(settings, reply_id, tenant)
    except TimeoutError:
        raise ConfigurationError(f"{reply_id} was not found on {MESSAGES_CHANGED.name} within {SCAN_S_MAX:g} s: give --tenant") from None
    return None if event is None else (event.tenant, event.data, location)


async def _find_on_topic(settings: Settings, reply_id: str, tenant: str) -> MessageChanged | None:
    """The newest record of the message; only records of its key are decoded."""
    found: MessageChanged | None = None
    async with open_log_reader(settings.kafka) as reader:
        for place, (begin, end) in (await reader.bounds(await reader.partitions(MESSAGES_CHANGED))).items():
            async for batch in reader.batches(place, begin, end):
                for value in (record.value for record in batch if record.key == reply_id.encode() and record.value is not None):
                    event = _decode(value)
                    if event is not None and event.data.role == "assistant" and event.tenant == (tenant or event.tenant):
                        found = event
            if found is not None:
                break  # a message has one partition
    return found


def _decode(value: bytes) -> MessageChanged | None:
    try:
        return msgspec.json.decode(value, type=MessageChanged)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
