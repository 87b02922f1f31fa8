"""A question by meaning finds a chunk by its title and headings, where its own text says nothing of the matter."""

import numpy as np
import pytest

from adapters.embedders.local import load_embeddings
from adapters.parsing.chunks.chunking import searchable_text
from schemas.documents import Chunk
from schemas.settings import RetrievalSettings

SECTIONS = {
    "Annual leave": "Fifteen are granted after the first year. What is unused lapses at the end of March.",
    "Parking": "The lower level is reserved for staff. A badge opens the gate, and staying overnight is announced.",
    "Canteen": "From half past eleven to one. Cards only. The list of the week hangs at the door.",
    "年假": "满一年后为十五天,未用完的于三月底失效。",
    "停车": "地下一层供员工使用,凭工牌开门,过夜须提前登记。",
    "食堂": "十一点半到一点,只收卡,一周的单子贴在门口。",
}
ENGLISH, CHINESE = list(SECTIONS)[:3], list(SECTIONS)[3:]


@pytest.mark.parametrize(
    ("question", "sections", "found"),
    [
        ("May I take a holiday?", ENGLISH, "Annual leave"),
        ("Is there a garage for my car?", ENGLISH, "Parking"),
        ("汽车放在哪里？", CHINESE, "停车"),
        ("Is there lunch in the restaurant?", CHINESE, "食堂"),
    ],
)
def test_a_heading_is_part_of_what_a_chunk_means(question: str, sections: list[str], found: str):
    """In the title as in the path of headings: it is the nearest of its document, and nearer than its text alone."""
    model = load_embeddings(RetrievalSettings())
    chunks = [Chunk(ordinal=0, text=SECTIONS[name], headings=("Handbook", name), start=0, tokens=20) for name in sections]
    titled = [Chunk(ordinal=0, text=SECTIONS[name], headings=(), start=0, tokens=20) for name in sections]
    asked, bare = model.embed([question])[0], model.embed([SECTIONS[name] for name in sections])
    for texts in (
        [searchable_text("", each) for each in chunks],
        [searchable_text(name, each) for name, each in zip(sections, titled, strict=True)],
    ):
        cosines = model.embed(texts) @ asked
        assert sections[int(np.argmax(cosines))] == found
        at = sections.index(found)
        assert cosines[at] > bare[at] @ asked + 0.01
