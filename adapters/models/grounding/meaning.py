"""Sentences chosen by meaning, for passages that share no words with the question: the nearest ones by the vectors of each sentence.

Measured with 780 English questions on Chinese passages: two sentences, of which the second is nearly as near as the first, have the
answer in .57 and come from the right passage in .67; three have it in .63 and come from it in .64, one in .45 and .73.
"""

import asyncio

import structlog

from adapters.embedders.port import Embedder
from adapters.models.grounding.rows import RowTexts, is_heading
from adapters.models.grounding.statements import read_statements
from adapters.text.language import language_of
from schemas.chats import Passage
from schemas.errors import ClawError

SENTENCES_MAX = 400  # of the passages, about 30 ms of a thread
QUOTES_MAX = 2
BESIDE_BEST = 0.05  # of cosine below the best sentence
RANK_BONUS = 0.05  # of the first passage: the search saw whole passages, which say more than a sentence

log = structlog.get_logger(__name__)


class SentenceRanking:
    """The nearest sentences. The embedder is opened with the first question that needs it; without one there are no sentences."""

    def __init__(self, embedder: Embedder | None) -> None:
        self._embedder, self._opening = embedder, asyncio.Lock()
        self._is_open = False

    async def stop(self) -> None:
        """Close the embedder, if it was opened."""
        if self._embedder is not None and self._is_open:
            self._is_open = False
            await self._embedder.stop()

    async def choose(self, question: str, passages: tuple[Passage, ...]) -> list[tuple[int, str]]:
        """Marker and text of the nearest sentences, best first; none when nothing can be embedded."""
        language = language_of(question)
        rows = RowTexts(passages, language)
        texts = [
            (rank, passage.marker, stated.text)
            for rank, passage in enumerate(passages)
            for stated in read_statements(passage.text)
            if not (rows.is_header(passage.marker, stated.text) or is_heading(stated.text, passage))
            # in one language a row is found by its words or not at all
            and not (rows.is_row(passage.marker, stated.text) and language_of(passage.text) == language)
        ][:SENTENCES_MAX]
        embedder = await self._open()
        if embedder is None or not texts:
            return []
        try:
            vectors = await embedder.embed([question, *(text for _, _, text in texts)])
        except ClawError as error:
            log.warning("sentences_not_embedded", code=error.code, detail=error.detail)
            return []
        cosines = vectors[1:] @ vectors[0]
        scores = [float(cosine) + RANK_BONUS / (1 + rank) for cosine, (rank, _, _) in zip(cosines, texts, strict=True)]
        order = sorted(range(len(texts)), key=lambda at: -scores[at])[:QUOTES_MAX]
        return [texts[at][1:] for at in order if scores[at] >= scores[order[0]] - BESIDE_BEST]

    async def _open(self) -> Embedder | None:
        async with self._opening:
            if self._embedder is not None and not self._is_open:
                try:
                    await self._embedder.start()
                except ClawError as error:
                    log.warning("sentence_embedder_unavailable", code=error.code, detail=error.detail)
                    self._embedder = None
                else:
                    self._is_open = True
            return self._embedder
