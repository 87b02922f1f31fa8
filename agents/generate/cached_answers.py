"""Answers that are said again: the same question in the same context, as long as every document behind the answer is as it was.

The key is all that the prompt is made from but the passages: the prompt's template (a digest of its module), the provider, the model, the
request as it is made of the question, and what was searched for. A kept answer is said again only while

* readers see every document version that its model was shown, and
* nothing in the knowledge bases has changed since, or it cites something and the best passage found for this question is one of its own:
  a better source, or a first one, is worth a new answer.

So that an answer is never older than the documents, whatever was invalidated or not, it is judged anew on every read.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
from msgspec import Struct

from adapters.models import prompts
from adapters.models.request import request_of
from agents.generate import reply_events
from agents.generate.reply_events import Speech
from domain.documents.visibility import Standings
from schemas.chats import ChatGrounded, Citation, Passage, Source
from schemas.errors import Unavailable
from schemas.settings import Model, Settings
from streams.cache import Cache, Found, Lease
from streams.cache.names import knowledge_tag
from streams.cache.scenario_cache import Kept

ALONE_S = 1.0  # after an answer that cannot be kept: who waited for it asks the model at once, all of them
PIECE_CHARS = 400  # of a kept answer, as it is said again: a few events, each worth showing

_encode = msgspec.json.Encoder(order="deterministic").encode


class Piece(Struct, frozen=True):
    """A part of the text, and the citations of the markers in it."""

    text: str
    citations: tuple[Citation, ...] = ()


class Answer(Struct, frozen=True, kw_only=True):
    """A complete answer. ``sources``: every passage its model was shown; ``versions``: of their documents, by document key."""

    pieces: tuple[Piece, ...]
    sources: tuple[Source, ...]
    versions: dict[str, int]
    finish_reason: str
    model: str
    provider: str
    prompt_hash: str

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.pieces)

    @property
    def citations(self) -> tuple[Citation, ...]:
        return tuple(citation for piece in self.pieces for citation in piece.citations)


@dataclass(slots=True)
class Claim:
    """``answer`` is to be said again; else ``keep`` what the model says."""

    answer: Answer | None = None
    lease: Lease | None = None
    kept: "KeptAnswers | None" = None
    tenant: str = ""

    async def keep(self, speech: Speech, passages: Sequence[Passage]) -> None:
        """Only what came to its proper end, of the model it was asked of (another one may have stood in); with Redis down nothing."""
        if self.lease is None or self.kept is None or speech.finish_reason != "stop" or not speech.text:
            return
        speaker = speech.speaker
        if speaker.model not in ("", self.kept.model):
            return
        answer = Answer(
            pieces=pieces(speech.spans),
            sources=tuple(reply_events.source(passage) for passage in passages),
            versions=reply_events.versions_of(self.tenant, passages),
            finish_reason=speech.finish_reason,
            model=self.kept.model,
            provider=speaker.provider,
            prompt_hash=speaker.prompt_hash,
        )
        lease, self.lease = self.lease, None
        await self.kept.kept.store(self.tenant, lease, answer)


@dataclass(frozen=True, slots=True)
class KeptAnswers:
    """``wait_s``: for somebody else who is just asking the model the same."""

    kept: Kept[Answer]
    visibility: Standings
    settings: Model
    model: str
    wait_s: float
    template: str

    @classmethod
    def of(cls, kept: Kept[Answer], visibility: Standings, settings: Model, model: str, wait_s: float) -> "KeptAnswers":
        """``model`` is the name of the one that answers."""
        template = hashlib.sha256(Path(prompts.__file__).read_bytes()).hexdigest()
        return cls(kept, visibility, settings, model, wait_s, template)

    @asynccontextmanager
    async def claimed(self, event: ChatGrounded, passages: Sequence[Passage], cancelled: asyncio.Event) -> AsyncIterator[Claim]:
        """What is kept for this question, or the right to keep its answer, or neither. Ends early when the reply is cancelled."""
        got = await self._unless(cancelled, event, passages)
        if isinstance(got, Found):
            yield Claim(answer=got.value)
            return
        claim = Claim(lease=got, kept=self, tenant=event.tenant)
        try:
            yield claim
        finally:
            if claim.lease is not None:
                await self.kept.release(claim.lease, alone_s=ALONE_S)

    async def _unless(self, cancelled: asyncio.Event, event: ChatGrounded, passages: Sequence[Passage]) -> Found[Answer] | Lease | None:
        claiming = asyncio.create_task(self._claimed(event, passages))
        stopping = asyncio.create_task(cancelled.wait())
        try:
            await asyncio.wait({claiming, stopping}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            await self._given_back(claiming)
            raise
        finally:
            stopping.cancel()
        if not claiming.done():
            await self._given_back(claiming)
            return None
        return claiming.result()

    async def _given_back(self, claiming: asyncio.Task[Found[Answer] | Lease | None]) -> None:
        """Nobody waits for it any more; a lease that came at the last moment is let go."""
        claiming.cancel()
        await asyncio.wait({claiming})
        if not claiming.cancelled() and isinstance(lease := claiming.result(), Lease):
            await self.kept.release(lease)

    async def _claimed(self, event: ChatGrounded, passages: Sequence[Passage]) -> Found[Answer] | Lease | None:
        question = event.data.question
        tags = tuple(knowledge_tag(base) for base in sorted(question.knowledge_base_ids))

        async def will_do(answer: Answer | None, is_current: bool) -> bool:  # noqa: FBT001 - see Accepts
            return answer is not None and grounded(answer, passages, current=is_current) and await self._visible(answer)

        return await self.kept.claim(event.tenant, self.key(event), tags, wait_s=self.wait_s, accepts=will_do, overtake=not question.cache)

    def key(self, event: ChatGrounded) -> str:
        """``model/digest``: an admin can take back a model's answers by prefix."""
        question, settings = event.data.question, self.settings
        context = (self.template, settings.provider, settings.base_url, self.model, request_of(question, (), settings))
        digest = hashlib.sha256(_encode((context, event.data.query, sorted(question.knowledge_base_ids))))
        return f"{self.model}/{digest.hexdigest()}"

    async def _visible(self, answer: Answer) -> bool:
        """Whether readers see every version it rests on; while nobody can tell, they do not."""
        try:
            standing = await self.visibility.of(sorted(answer.versions))
        except Unavailable:
            return False
        return all(standing[key].shows(version) for key, version in answer.versions.items())


@asynccontextmanager
async def claimed(
    kept: KeptAnswers | None, event: ChatGrounded, passages: Sequence[Passage], cancelled: asyncio.Event
) -> AsyncIterator[Claim]:
    """See ``KeptAnswers.claimed``; where no answers are kept there is nothing to claim."""
    if kept is None:
        yield Claim()
        return
    async with kept.claimed(event, passages, cancelled) as claim:
        yield claim


def kept_answers(settings: Settings, cache: Cache, visibility: Standings, model: str) -> KeptAnswers | None:
    """As the settings say; None when no answers of this provider are kept."""
    wanted = settings.cache.answers
    if not settings.cache.ai_response_s or wanted == "off" or (wanted == "provider" and settings.model.provider == "local"):
        return None
    return KeptAnswers.of(cache.of("ai_response", Answer), visibility, settings.model, model, settings.cache.answer_wait_s)


def grounded(answer: Answer, passages: Sequence[Passage], *, current: bool) -> bool:
    """Whether the answer is still the best there is for what was found."""
    if current:
        return True
    shown = {source.chunk_id for source in answer.sources}
    return bool(answer.citations) and bool(passages) and passages[0].chunk_id in shown


def pieces(spans: Sequence[tuple[str, tuple[Citation, ...]]]) -> tuple[Piece, ...]:
    """Spans as they were said, gathered into few."""
    made: list[Piece] = []
    for text, citations in spans:
        if made and len(made[-1].text) < PIECE_CHARS:
            made[-1] = Piece(made[-1].text + text, made[-1].citations + citations)
        else:
            made.append(Piece(text, citations))
    return tuple(made)
