"""Cached answers: the same question in the same context, as long as every document behind the answer is unchanged.

The key is all that the prompt is made from but the passages: the prompt's template (a digest of its modules), the model that is asked first
(the chosen one, else the first of the settings) and its provider, the request as it is made of the question (its mode included), and the
search query. A cached answer is given again only while

* every document version that its model was shown is visible, and
* nothing in the knowledge bases has changed since, or it cites something and the best passage of this question is one of its own:
  a better source, or a first one, is worth a new answer.

This is checked on every read, whatever was invalidated, so that an answer is never older than the documents.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
from msgspec import Struct

from adapters.models import prompts, rules
from adapters.models.candidates import find_candidate
from adapters.models.port import AnswerModel, first_asked
from adapters.models.request import build_grounded_request
from agents.generate import reply_events
from agents.generate.reply_events import ReplyDraft
from domain.documents.visibility import VisibilitySource
from schemas.chats import ChatGrounded, Citation, Outcome, Passage, Source, UnsupportedNumber
from schemas.errors import Unavailable
from schemas.model_names import model_chain
from schemas.settings import Settings
from streams.cache import CacheEntry, RedisCache, SingleFlightLease
from streams.cache.names import knowledge_tag
from streams.cache.scenario_cache import ScenarioCache
from streams.live import Live

ALONE_S = 1.0  # after an answer that cannot be cached: all that waited for it ask the model at once
PIECE_CHARS = 400  # of a cached answer: few events, each worth showing

_encode = msgspec.json.Encoder(order="deterministic").encode


class AnswerPiece(Struct, frozen=True):
    """A part of the text, and the citations of the markers in it."""

    text: str
    citations: tuple[Citation, ...] = ()


class CachedAnswer(Struct, frozen=True, kw_only=True):
    """A complete answer. ``sources``: every passage its model was shown; ``versions``: of their documents, by document key."""

    pieces: tuple[AnswerPiece, ...]
    sources: tuple[Source, ...]
    versions: dict[str, int]
    finish_reason: str
    model: str
    provider: str
    prompt_hash: str
    unsupported_numbers: tuple[UnsupportedNumber, ...] = ()
    outcome: Outcome | None = None

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.pieces)

    @property
    def citations(self) -> tuple[Citation, ...]:
        return tuple(citation for piece in self.pieces for citation in piece.citations)


@dataclass(slots=True)
class AnswerClaim:
    """``answer`` is the cached one; without it the model's answer may be stored."""

    answer: CachedAnswer | None = None
    lease: SingleFlightLease | None = None
    cache: "AnswerCache | None" = None
    tenant: str = ""
    model: str = ""  # that is asked first

    async def store(self, draft: ReplyDraft, passages: Sequence[Passage]) -> None:
        """Store a complete answer of the model that was asked first (another may have stood in); with Redis down nothing is stored."""
        if self.lease is None or self.cache is None or draft.finish_reason != "stop" or not draft.text:
            return
        speaker = draft.speaker
        if speaker.model not in ("", self.model):
            return
        answer = CachedAnswer(
            pieces=merge_spans(draft.spans),
            sources=tuple(reply_events.source_of(passage) for passage in passages),
            versions=reply_events.versions_of(self.tenant, passages),
            finish_reason=draft.finish_reason,
            model=self.model,
            provider=speaker.provider,
            prompt_hash=speaker.prompt_hash,
            unsupported_numbers=draft.unsupported_numbers,
            outcome=draft.outcome,
        )
        lease, self.lease = self.lease, None
        await self.cache.entries.store(self.tenant, lease, answer)


@dataclass(frozen=True, slots=True)
class AnswerCache:
    """``wait_s``: how long to wait for another process that is asking the model the same."""

    entries: ScenarioCache[CachedAnswer]
    visibility: VisibilitySource
    settings: Live[Settings]
    answering: AnswerModel
    wait_s: float
    template: str

    @classmethod
    def of(
        cls,
        entries: ScenarioCache[CachedAnswer],
        visibility: VisibilitySource,
        settings: Live[Settings],
        answering: AnswerModel,
        wait_s: float,
    ) -> "AnswerCache":
        """With the digest of the prompts' template."""
        template = hashlib.sha256(b"".join(Path(str(module.__file__)).read_bytes() for module in (prompts, rules))).hexdigest()
        return cls(entries, visibility, settings, answering, wait_s, template)

    @asynccontextmanager
    async def claim(self, event: ChatGrounded, passages: Sequence[Passage], cancelled: asyncio.Event) -> AsyncIterator[AnswerClaim]:
        """The cached answer to this question, or the lease to store one, or neither. Ends early when the reply is cancelled."""
        model = first_asked(self.answering, event.data.question.model)
        if not self.is_cached(event.tenant, model):
            yield AnswerClaim()
            return
        claimed = await self._claim_unless_cancelled(cancelled, event, passages, model)
        if isinstance(claimed, CacheEntry):
            yield AnswerClaim(answer=claimed.value)
            return
        claim = AnswerClaim(lease=claimed, cache=self, tenant=event.tenant, model=model)
        try:
            yield claim
        finally:
            if claim.lease is not None:
                await self.entries.release(claim.lease, alone_s=ALONE_S)

    async def _claim_unless_cancelled(
        self, cancelled: asyncio.Event, event: ChatGrounded, passages: Sequence[Passage], model: str
    ) -> CacheEntry[CachedAnswer] | SingleFlightLease | None:
        claiming = asyncio.create_task(self._claim_entry(event, passages, model))
        stopping = asyncio.create_task(cancelled.wait())
        try:
            await asyncio.wait({claiming, stopping}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            await self._abandon(claiming)
            raise
        finally:
            stopping.cancel()
        if not claiming.done():
            await self._abandon(claiming)
            return None
        return claiming.result()

    async def _abandon(self, claiming: asyncio.Task[CacheEntry[CachedAnswer] | SingleFlightLease | None]) -> None:
        """Cancel the claim; a lease that came at the last moment is released."""
        claiming.cancel()
        await asyncio.wait({claiming})
        if not claiming.cancelled() and isinstance(lease := claiming.result(), SingleFlightLease):
            await self.entries.release(lease)

    async def _claim_entry(
        self, event: ChatGrounded, passages: Sequence[Passage], model: str
    ) -> CacheEntry[CachedAnswer] | SingleFlightLease | None:
        question = event.data.question
        tags = tuple(knowledge_tag(base) for base in sorted(question.knowledge_base_ids))

        async def accepts(answer: CachedAnswer | None, is_current: bool) -> bool:  # noqa: FBT001 - see Accepts
            return answer is not None and is_still_best(answer, passages, current=is_current) and await self._is_visible(answer)

        key, overtake = self.key(event, model), not question.cache
        return await self.entries.claim(event.tenant, key, tags, wait_s=self.wait_s, accepts=accepts, overtake=overtake)

    def is_cached(self, tenant: str, model: str) -> bool:
        """Whether answers of this model are cached: where only a provider's are, not those of the keyless one."""
        settings = self.settings.of_tenant(tenant)
        return settings.cache.answers != "provider" or find_candidate(settings, model).provider != "local"

    def key(self, event: ChatGrounded, model: str) -> str:
        """``model/digest``: an administrator can invalidate a model's answers by prefix."""
        question, settings = event.data.question, self.settings.of_tenant(event.tenant)
        asked = find_candidate(settings, model)
        context = (
            self.template,
            asked.foreign_markup,
            asked.provider,
            asked.base_url,
            model,
            msgspec.structs.replace(build_grounded_request(event.data, (), asked), model=""),  # named above, also where it is not chosen
        )
        digest = hashlib.sha256(_encode((context, event.data.query, sorted(question.knowledge_base_ids))))
        return f"{model}/{digest.hexdigest()}"

    async def _is_visible(self, answer: CachedAnswer) -> bool:
        """Whether every version it rests on is visible; False while that is not known."""
        try:
            states = await self.visibility.version_states(sorted(answer.versions))
        except Unavailable:
            return False
        return all(states[key].is_visible(version) for key, version in answer.versions.items())


@asynccontextmanager
async def claim_answer(
    answers: AnswerCache | None, event: ChatGrounded, passages: Sequence[Passage], cancelled: asyncio.Event
) -> AsyncIterator[AnswerClaim]:
    """See ``AnswerCache.claim``; without a cache the claim is empty."""
    if answers is None:
        yield AnswerClaim()
        return
    async with answers.claim(event, passages, cancelled) as claim:
        yield claim


def answer_cache(live: Live[Settings], cache: RedisCache, visibility: VisibilitySource, answering: AnswerModel) -> AnswerCache | None:
    """The answer cache by the settings; None when answers of these providers are not cached."""
    settings = live.value
    wanted = settings.cache.answers
    if wanted == "off" or (wanted == "provider" and all(provider == "local" for _, provider in model_chain(settings))):
        return None
    entries = cache.of("ai_response", CachedAnswer)
    return AnswerCache.of(entries, visibility, live, answering, settings.cache.answer_wait_s)


def is_still_best(answer: CachedAnswer, passages: Sequence[Passage], *, current: bool) -> bool:
    """Whether the answer is still the best there is for what was found."""
    if current:
        return True
    shown = {source.chunk_id for source in answer.sources}
    return bool(answer.citations) and bool(passages) and passages[0].chunk_id in shown


def merge_spans(spans: Sequence[tuple[str, tuple[Citation, ...]]]) -> tuple[AnswerPiece, ...]:
    """The spans, merged into few pieces."""
    made: list[AnswerPiece] = []
    for text, citations in spans:
        if made and len(made[-1].text) < PIECE_CHARS:
            made[-1] = AnswerPiece(made[-1].text + text, made[-1].citations + citations)
        else:
            made.append(AnswerPiece(text, citations))
    return tuple(made)
