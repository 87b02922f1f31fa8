"""Which collections of each knowledge base there are, and which one readers see: claw.indexes.changed.v1 as a map in every process.

Processes learn of a change within milliseconds of each other, not together: a plan is changed only in steps that are right for readers and
writers of the step before as well (see ``domain/indexes/plans.py``).
"""

from collections.abc import Iterable
from typing import Protocol

import msgspec

from domain.indexes.topics import INDEXES_CHANGED
from schemas.errors import Unavailable
from schemas.indexes import IndexPlan, IndexPlanChanged, plan_key
from schemas.settings import KafkaSettings
from streams.tables.topic_map import READ_S_MAX, TopicMap

_decode = msgspec.json.Decoder(IndexPlanChanged).decode


class IndexPlans(Protocol):
    """Knows the plan of every knowledge base."""

    def plan(self, tenant: str, knowledge_base: str) -> IndexPlan:
        """Raises Unavailable("kafka_unavailable") while it is not known."""
        ...


class CollectionCatalogue(TopicMap[IndexPlan]):
    """The plans. ``start`` returns when the topic has been read once, or after 5 s; until then ``plan`` raises Unavailable."""

    def __init__(self, kafka: KafkaSettings, *, read_s_max: float = READ_S_MAX) -> None:
        super().__init__(kafka, INDEXES_CHANGED, lambda record: _decode(record).data, read_s_max=read_s_max)

    def plan(self, tenant: str, knowledge_base: str) -> IndexPlan:
        """The plan of a knowledge base; the default one when it was never changed.

        Raises Unavailable("kafka_unavailable") until the topic has been read once: a guess would search or fill the wrong collection.
        """
        plan = self.get(plan_key(tenant, knowledge_base))
        if plan is not None:
            return plan
        if not self.ready:
            raise Unavailable("kafka_unavailable", "the index plans have not been read yet")
        return IndexPlan(tenant=tenant, knowledge_base_id=knowledge_base)

    def plans(self) -> Iterable[IndexPlan]:
        """Every plan that was ever changed."""
        return self.values()
