"""Collections of earlier indexes are found where they are, on real indexes in a folder."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from adapters.embedders import multilingual, wordllama
from adapters.embedders.query import QueryEncoder
from adapters.index.choose import create_vector_index, list_indexes, remove_empty_index
from adapters.index.port import Point, VectorIndex, index_name
from domain.indexes.engines import Engines
from domain.indexes.outdated import OutdatedIndexes
from domain.indexes.plans import PlanStep
from schemas import ids
from schemas.documents import Shelf
from schemas.errors import ConfigurationError
from schemas.indexes import IndexPlan
from schemas.settings import NodeSettings, Settings
from tests.support.index_library import Plans

OLD, NEW = index_name(wordllama.NAME), index_name(multilingual.NAME)
PAID = "bm25.2-zhipu-embedding-3-8"


@dataclass
class Installation:
    """The indexes of a folder; plans change without a log."""

    settings: Settings
    engines: Engines
    plans: Plans = field(default_factory=Plans)

    async def change(self, tenant: str, knowledge_base: str, step: PlanStep, *, by: str) -> IndexPlan:
        self.plans.known[tenant, knowledge_base] = step(self.plans.plan(tenant, knowledge_base))
        return self.plans.plan(tenant, knowledge_base)

    async def look(self) -> None:
        async def names() -> list[str]:
            return await list_indexes(self.settings)

        async def remove(name: str) -> None:
            await remove_empty_index(self.settings, name)

        await OutdatedIndexes(self.engines, self.plans, self, names, remove).start()  # type: ignore[arg-type]

    async def store(self, engine: str, tenant: str, collection: str, text: str) -> None:
        opened = await self.engines.get(engine)
        encoded = await opened.encoder.encode(text)
        name = ids.derive(tenant, collection, text)
        point = Point(
            id=name,
            tenant=tenant,
            collection=collection,
            document_id="d",
            version=1,
            ordinal=0,
            title="t",
            headings=(),
            text=text,
            dense=encoded.dense,
            sparse=encoded.sparse,
        )
        await opened.index.upsert([point])


@pytest.fixture
async def installation(tmp_path: Path) -> AsyncIterator[Installation]:
    settings = Settings(node=NodeSettings(home=tmp_path))

    def make(encoder: QueryEncoder, name: str) -> VectorIndex:
        return create_vector_index(settings, model=encoder.embedding_name, dimensions=encoder.dimensions, name=name)

    made = Installation(settings, Engines(settings.retrieval, make))
    await made.engines.start()
    yield made
    await made.engines.stop()


async def test_collections_are_found_where_they_are(installation: Installation):
    """Each base's plan names the old index; one that is rebuilt already, or was never there, is left alone; what is found can be read."""
    await installation.store("wordllama", "t", "kb", "alte Worte")
    await installation.store("wordllama", "t", "rebuilt", "left over")
    await installation.store("", "t", "rebuilt", "rebuilt words")
    await installation.store(PAID, "u", "kb~2", "bought words")
    installation.plans.known["u", "kb"] = IndexPlan(tenant="u", knowledge_base_id="kb", active=Shelf(generation=2))
    await installation.store("", "t", "new", "new words")
    await installation.look()
    assert {key: plan.active for key, plan in installation.plans.known.items()} == {
        ("t", "kb"): Shelf(index=OLD),
        ("u", "kb"): Shelf(generation=2, index=PAID),
    }
    assert await (await installation.engines.get(OLD)).index.count_collection("t", "kb") == 1
    paid = await installation.engines.get(PAID)
    assert (paid.encoder.embedding_name, paid.encoder.dimensions) == ("none", 8)
    assert not (await paid.encoder.encode("bought words")).dense.any()
    plans = dict(installation.plans.known)
    await installation.look()
    assert installation.plans.known == plans


async def test_two_names_of_one_index_open_it_once(installation: Installation):
    """A second would wait for the first one's lock for ever."""
    assert await installation.engines.get("local") is await installation.engines.get("") is await installation.engines.get(NEW)
    assert await installation.engines.get("wordllama") is await installation.engines.get(OLD)
    with pytest.raises(ConfigurationError, match="openai"):
        await installation.engines.get("openai")


async def test_an_empty_index_is_removed(installation: Installation, tmp_path: Path):
    await installation.store("wordllama", "t", "kb", "words")
    await (await installation.engines.get("wordllama")).index.remove_collection("t", "kb")
    await installation.look()
    assert [folder.name for folder in (tmp_path / "index").iterdir()] == [NEW]
    assert installation.plans.known == {}


async def test_what_cannot_be_read_is_no_reason_to_answer_nobody(installation: Installation, tmp_path: Path):
    """An index of an embedding without a size, and a folder that is none."""
    for name in ("bm25.2-unknown", "notes"):
        (tmp_path / "index" / name / "shard").mkdir(parents=True)
    await installation.look()
    assert installation.plans.known == {}
    assert (tmp_path / "index" / "bm25.2-unknown").exists()
