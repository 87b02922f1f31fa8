"""The topic of index plans."""

from schemas import indexes
from streams.topics import Topic

INDEXES_CHANGED = Topic(
    "claw.indexes.changed.v1",
    "tenant/kb",
    indexes.IndexPlanChanged,
    ("api", "rebuild", "run_jobs"),
    "Which build of an index readers see.",
    None,
    count="single",
    tombstones=True,
    readers=("api", "worker", "track"),
)
