"""The topic of erasures."""

from schemas import erasures
from streams.topics import Topic

ERASURES_CHANGED = Topic(
    "claw.erasures.changed.v1",
    "erasure id",
    erasures.ErasureChanged,
    ("api", "erase"),
    "Erasures of accounts and tenants: how far they are, and what was found where. Ids, no names.",
    None,
    private=True,  # until the final check it has the address to look for, encrypted
    count="single",
    readers=("project", "erase"),
)
