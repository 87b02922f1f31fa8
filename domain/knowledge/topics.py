"""The topic of knowledge bases."""

from schemas import records
from streams.topics import Topic

KNOWLEDGE_CHANGED = Topic(
    "claw.knowledge.changed.v1",
    "knowledge base id",
    records.KnowledgeBaseChanged,
    ("api",),
    "Knowledge bases.",
    None,
    count="single",
    tombstones=True,
    readers=("project",),
)
