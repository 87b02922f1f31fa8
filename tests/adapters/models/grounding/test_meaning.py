"""Sentences are chosen by meaning where words cannot choose."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from adapters.models.grounding.local import LocalModel
from adapters.models.grounding.meaning import QUOTES_MAX, SentenceRanking
from adapters.models.port import AnswerRequest, Piece
from schemas.documents import TablePart
from schemas.errors import ConfigurationError, Unavailable
from tests.support.model_samples import passage

PASSAGES = (
    passage(1, "食堂供应午餐。员工的汽车可停放在地下二层。"),
    passage(2, "密码每半年更换。"),
)
QUESTION = "Where can I leave my vehicle?"
NEAR = {QUESTION: (1.0, 0.0), "员工的汽车可停放在地下二层。": (0.95, 0.3)}


@dataclass
class Embedding:
    """Vectors of two dimensions: what is near the question, and all else."""

    name: str = "two"
    dimensions: int = 2
    missing: bool = False
    failing: bool = False
    opened: int = 0
    seen: list[str] = field(default_factory=list)

    async def start(self) -> None:
        if self.missing:
            raise ConfigurationError("no table")
        self.opened += 1

    async def stop(self) -> None:
        self.opened -= 1

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if self.failing:
            raise Unavailable("model_unavailable", "not now")
        self.seen += texts
        return np.array([NEAR.get(text, (0.6, 0.8)) for text in texts], np.float32)


async def test_the_nearest_sentence_is_chosen_and_the_embedder_opened_once() -> None:
    embedding = Embedding()
    ranking = SentenceRanking(embedding)
    for _ in range(2):
        assert await ranking.choose(QUESTION, PASSAGES) == [(1, "员工的汽车可停放在地下二层。")]
    assert embedding.opened == 1
    await ranking.stop()
    await ranking.stop()
    assert embedding.opened == 0


async def test_neither_a_heading_nor_a_header_is_an_answer() -> None:
    heading = passage(1, "# 退货政策\n\n员工的汽车可停放在地下二层。", "退货政策", ("退货政策",))
    header = replace(
        passage(2, "车位\t楼层\n甲\t2"), tables=(TablePart(number=1, start=6, end=9, total=1, columns=("车位", "楼层"), header=6),)
    )
    embedding = Embedding()
    assert await SentenceRanking(embedding).choose(QUESTION, (heading, header)) == [(1, "员工的汽车可停放在地下二层。")]
    assert await SentenceRanking(embedding).choose(QUESTION, (passage(1, "# 退货政策", "退货政策"),)) == []
    assert "# 退货政策" not in embedding.seen
    assert "车位\t楼层" not in embedding.seen


async def test_in_one_language_a_row_is_not_chosen_by_meaning() -> None:
    text = "品种\t单价\n丝瓜\t4.1\n\n蔬菜每天早晨到货。"
    sold = replace(passage(1, text), tables=(TablePart(number=1, start=6, end=12, total=1, columns=("品种", "单价"), header=6),))
    near = Embedding()
    assert [said for _, said in await SentenceRanking(near).choose("苦瓜多少钱？", (sold,))] == ["蔬菜每天早晨到货。"]
    assert "丝瓜\t4.1" in [said for _, said in await SentenceRanking(near).choose("How much is it?", (sold,))]


async def test_equally_near_ones_are_bounded() -> None:
    many = (passage(1, "甲一。甲二。甲三。甲四。"),)
    assert len(await SentenceRanking(Embedding()).choose(QUESTION, many)) == QUOTES_MAX


async def test_without_an_embedding_nothing_is_chosen() -> None:
    for embedder in (None, Embedding(missing=True), Embedding(failing=True)):
        assert await SentenceRanking(embedder).choose(QUESTION, PASSAGES) == []
    assert await SentenceRanking(Embedding()).choose(QUESTION, ()) == []


async def text_of(request: AnswerRequest) -> str:
    return "".join([piece.text async for piece in LocalModel(Embedding()).answer(request) if isinstance(piece, Piece)])


async def test_where_the_keyless_model_stands_in_it_answers_as_it_would_alone() -> None:
    """A provider is down: words say no, and passages were found by meaning for the language model, which judges for itself."""
    alone = AnswerRequest(question=QUESTION, passages=PASSAGES, by_meaning=True)
    standing_in = AnswerRequest(question=QUESTION, passages=PASSAGES, answerable=False, meant=tuple(each.marker for each in PASSAGES))
    nothing = AnswerRequest(question=QUESTION, passages=PASSAGES, answerable=False)
    texts = [await text_of(request) for request in (alone, standing_in, nothing)]
    assert texts[0] == texts[1]
    assert texts[0].startswith("Found by meaning")
    assert "[" not in texts[2]


async def test_the_answer_says_how_it_was_found() -> None:
    request = AnswerRequest(question=QUESTION, passages=PASSAGES, by_meaning=True)
    for embedder, begins in ((Embedding(), "Found by meaning"), (Embedding(missing=True), "Quoted from")):
        said = "".join([piece.text async for piece in LocalModel(embedder).answer(request) if isinstance(piece, Piece)])
        assert said.startswith(begins)
    request = AnswerRequest(question="把車停在哪裡？", passages=PASSAGES, by_meaning=True)
    said = "".join([piece.text async for piece in LocalModel(Embedding()).answer(request) if isinstance(piece, Piece)])
    assert said.startswith("以下為按含義找到的知識庫原文")
    assert said.count("[") == 2
