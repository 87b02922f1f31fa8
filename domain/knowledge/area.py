"""The area of knowledge bases: sets of documents that belong to an account."""

from domain.area import Area
from domain.knowledge.topics import KNOWLEDGE_CHANGED
from schemas.records import KnowledgeBase, KnowledgeBaseChanged, RecordOwner
from streams.tables.projection import Record, rank_of

KNOWLEDGE_BASES = Record(
    table="knowledge_bases",
    topic=KNOWLEDGE_CHANGED,
    event=KnowledgeBaseChanged,
    type=KnowledgeBase,
    scope=lambda event: event.data.tenant,
    gone=lambda event: event.data.deleted,
    rank=lambda event, _offset: rank_of(event.data.created_at),
)

ACCOUNT_KNOWLEDGE_BASES = Record(  # their ids, for what an account stores
    table="account_knowledge_bases",
    topic=KNOWLEDGE_CHANGED,
    event=KnowledgeBaseChanged,
    type=RecordOwner,
    scope=lambda event: f"{event.data.tenant}/{event.data.user_id}",
    value=lambda event: RecordOwner(event.data.user_id),
    gone=lambda event: event.data.deleted,
    rank=lambda event, _offset: rank_of(event.data.created_at),
)

AREA = Area(name="knowledge", topics=(KNOWLEDGE_CHANGED,), records=(KNOWLEDGE_BASES, ACCOUNT_KNOWLEDGE_BASES))
