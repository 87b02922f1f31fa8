"""The requests behind a document's versions: any order and any repeats leave the last ones."""

import random
import uuid

import pytest

from adapters.redis.client import RedisClient
from domain.documents.requests import EarlierSubmission, SubmissionRequests, request_of
from domain.documents.visibility import Visibility
from schemas import ids
from schemas.documents import Document, DocumentSubmitted, SubmissionRequest
from tests.support.ports import header

KEY = "acme/kb/doc"


def request(name: str, version: int) -> SubmissionRequest:
    return SubmissionRequest(id=name, version=version)


@pytest.mark.stack
async def test_the_last_requests_are_kept_whatever_the_order(redis: RedisClient, prefix: str):
    """Each with its highest version, which is that of a redrive; and of each document alone."""
    requests = SubmissionRequests(redis, prefix, 3)
    given = [request("a", 1), request("b", 4), request("c", 9), request("a", 12), request("d", 10), request("d", 10)]
    for seed in range(5):
        key = f"{KEY}{seed}"
        shuffled = random.Random(seed).sample(given, len(given))
        for some in (shuffled[:2], shuffled[2:3], shuffled[3:]):
            (kept,) = await requests.record_many([(key, some)])
        assert kept == (request("c", 9), request("d", 10), request("a", 12))
        assert await requests.find(key, "a") == EarlierSubmission(12, is_deleted=False)
        assert await requests.find(key, "b") is None
    assert await requests.find(KEY, "a") is None
    one, other = await requests.record_many([(KEY, [request("a", 2)]), (f"{KEY}0", [request("e", 2**53)])])
    assert (one, other[-1]) == ((request("a", 2),), request("e", 2**53))


@pytest.mark.stack
async def test_what_was_deleted_since_is_known(redis: RedisClient, prefix: str):
    """A withdrawal leaves the requests in the record, and hides those before it only."""
    requests, visibility = SubmissionRequests(redis, prefix, 3), Visibility(redis, prefix)
    await requests.record_many([(KEY, [request("a", 1)])])
    await visibility.record_withdrawal(KEY, 2)
    await requests.record_many([(KEY, [request("b", 3)])])
    assert await requests.find(KEY, "a") == EarlierSubmission(1, is_deleted=True)
    assert await requests.find(KEY, "b") == EarlierSubmission(3, is_deleted=False)


def test_only_a_request_with_a_key_derives_the_id_of_its_event():
    derived, random_id = ids.derive("request", "k"), str(uuid.uuid4())
    for event_id, origin, found in ((derived, "api", True), (derived, "inbox", False), (random_id, "api", False), ("other", "api", False)):
        document = Document(knowledge_base_id="kb", document_id="doc", title="t", origin=origin)  # type: ignore[arg-type]
        event = DocumentSubmitted(**header("s", KEY) | {"id": event_id}, data=document)
        assert request_of(event, 7) == (SubmissionRequest(id=event_id, version=7) if found else None)
