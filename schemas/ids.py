"""Deterministic ids: the same cause always gives the same id, so a repeat is recognisable."""

import hashlib
from collections.abc import Callable
from uuid import UUID

INSTALLATION = "-"  # the tenant of events that concern all tenants; no account can have it
CLAW = UUID("5f1b1c1e-6f0a-5d3b-9a57-0c1a5a4c0de0")  # namespace of every derived id; never changes


def derive(*parts: str | int) -> str:
    """uuid5 of the parts, unambiguous whatever they contain (each is length-prefixed)."""
    name = "".join([f"{len(text)}:{text}" for text in map(str, parts)])
    digest = bytearray(hashlib.sha1(CLAW.bytes + name.encode(), usedforsecurity=False).digest()[:16])  # uuid5, at a third of its cost
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def is_derived(id: str) -> bool:  # noqa: A002
    """Whether the id was derived, and is not random: derived ids are UUIDs of version 5, random ones of version 4."""
    try:
        return UUID(id).version == 5  # noqa: PLR2004
    except ValueError:
        return False


def random_id(random_bytes: Callable[[int], bytes]) -> str:
    """A UUID of random bits."""
    return str(UUID(bytes=random_bytes(16), version=4))


def event_id(cause: str, agent: str, ordinal: int) -> str:
    """Id of the ``ordinal``-th event that ``agent`` makes of the event ``cause``."""
    return derive("event", cause, agent, ordinal)


def content_id(event: str, content: bytes) -> str:
    """Id of an event whose content a repeat may find changed, such as the result of a search: other content is another event."""
    return derive("content", event, hashlib.sha256(content).hexdigest())


def default_knowledge_base(tenant: str) -> str:
    """Id of a tenant's first knowledge base, derived from the tenant: upstream systems need no id."""
    return derive("knowledge-base", tenant, "default")


def own_knowledge_base(tenant: str, account: str) -> str:
    """Id of the default knowledge base of an account that joined a tenant."""
    return derive("knowledge-base", tenant, "own", account)


def document_key(tenant: str, knowledge_base: str, document: str) -> str:
    """Key of every document event: ``tenant/kb/document``; neither part may contain a slash."""
    return f"{tenant}/{knowledge_base}/{document}"


def task_id(submission: str) -> str:
    """Id of the task that the submission event started."""
    return derive("task", submission)


def chunk_id(key: str, version: int, ordinal: int, generation: int = 0) -> str:
    """Id of a chunk and of its point in the index."""
    return derive("chunk", key, version, ordinal, generation) if generation else derive("chunk", key, version, ordinal)


def chunk_ordinal(chunk: str, key: str, version: int, generation: int, count: int) -> int | None:
    """The ordinal of the chunk with this id among the ``count`` of a version; None when it is none of them. Microseconds for each."""
    return next((ordinal for ordinal in range(count) if chunk_id(key, version, ordinal, generation) == chunk), None)


def collection_name(knowledge_base: str, generation: int) -> str:
    """The name of a collection in the index: each build of a knowledge base has its own, the first one the knowledge base's id."""
    return f"{knowledge_base}~{generation}" if generation else knowledge_base


def generation_of(collection: str) -> int:
    """The generation in a collection's name; -1 for a name that no collection has."""
    _, build, generation = collection.partition("~")
    return (int(generation) if generation.isdecimal() else -1) if build else 0


def knowledge_base_of(collection: str) -> str:
    """The knowledge base of a collection's name."""
    return collection.partition("~")[0]
