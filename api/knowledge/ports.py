"""What the routes of knowledge bases use."""

from dataclasses import dataclass

from api.area import Opening
from api.core import Core
from api.http.ports import HttpPorts
from api.knowledge.search_cache import SearchCache
from domain.indexes.catalogue import CollectionCatalogue
from domain.indexes.plans import PlanWriter
from domain.indexes.reindex_reports import ReindexReports
from domain.retrieval.index_client import IndexClient


@dataclass(frozen=True, slots=True, kw_only=True)
class KnowledgePorts:
    """``index_client`` asks the agents that hold the index."""

    core: Core
    http: HttpPorts
    index_client: IndexClient
    search_cache: SearchCache
    catalogue: CollectionCatalogue
    plans: PlanWriter
    reindex_reports: ReindexReports


def open_ports(opening: Opening) -> KnowledgePorts:
    """Built from the core."""
    core = opening.core
    index_client = IndexClient(core.settings.kafka, core.publisher, core.clock)
    catalogue = CollectionCatalogue(core.settings.kafka)
    opening.run(index_client)
    opening.run(catalogue)
    return KnowledgePorts(
        core=core,
        http=opening.ports(HttpPorts),
        index_client=index_client,
        search_cache=SearchCache.of(core.cache, core.visibility, catalogue),
        catalogue=catalogue,
        plans=PlanWriter(catalogue, core.records, core.publisher, core.clock, core.random_bytes, "api"),
        reindex_reports=ReindexReports(core.redis, core.settings.redis.key_prefix),
    )
