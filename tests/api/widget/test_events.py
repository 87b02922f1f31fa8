"""What visitors see of an answer: nothing of the account, its documents' ids, its model or its spending."""

import msgspec
import pytest
from msgspec import Struct

from api.widget.events import public_frame
from domain.chats.relay import HEARTBEAT, ReplyFrame
from schemas.bodies.streams import REPLY_EVENTS, WIDGET_EVENTS, AcceptedData, CompletedData, RetrievedData, SnapshotData
from schemas.chats import Citation, Source, Usage
from schemas.errors import Problem

CITATION = Citation(
    marker=1,
    chunk_id="SECRET-chunk",
    knowledge_base_id="SECRET-base",
    document_id="SECRET-document",
    version=7,
    title="Rules",
    locator="p. 3",
    quote="25 days",
    url="https://SECRET.example/rules",
)
SOURCE = Source(
    marker=1, chunk_id="SECRET", knowledge_base_id="SECRET", document_id="SECRET", version=7, title="SECRET", locator="SECRET", score=0.5
)
SEEN = {"marker": 1, "title": "Rules", "locator": "p. 3", "quote": "25 days"}


def seen(event: str, data: Struct) -> object:
    frame = public_frame(ReplyFrame("0.1.2", event, msgspec.json.encode(data)))
    assert frame is not None
    assert (frame.id, frame.event) == ("0.1.2", event)
    assert b"SECRET" not in frame.data
    return msgspec.json.decode(frame.data)


@pytest.mark.parametrize(
    ("event", "data", "expected"),
    [
        (
            "accepted",
            AcceptedData(message_id="SECRET", reply_id="r", conversation_id="SECRET", queue_position=2),
            {"reply_id": "r", "queue_position": 2, "estimated_wait_s": None},
        ),
        ("retrieved", RetrievedData(("SECRET",), (SOURCE, SOURCE), "SECRET-model"), {"passages": 2}),
        ("citation", CITATION, SEEN),
        (
            "snapshot",
            SnapshotData("25 [1]", 3, ("SECRET",), (SOURCE,), (CITATION,), "SECRET"),
            {"text": "25 [1]", "seq": 3, "citations": [SEEN]},
        ),
        (
            "completed",
            CompletedData("25 [1]", (CITATION,), Usage(prompt_tokens=9), "stop", True, "SECRET-model"),
            {"text": "25 [1]", "citations": [SEEN], "finish_reason": "stop"},
        ),
        (
            "failed",
            Problem(
                code="answer_failed", status=503, title="No answer", title_zh="没有答案", detail="SECRET", remedy="SECRET", rule="SECRET"
            ),
            {"code": "answer_failed", "status": 503, "title": "No answer", "title_zh": "没有答案", "retry_after_s": 0},
        ),
    ],
)
def test_an_event_is_reduced_to_what_a_reader_of_the_page_needs(event: str, data: Struct, expected: object) -> None:
    assert seen(event, data) == expected


def test_other_events_stay_behind_the_door() -> None:
    """A new event of a reply is decided here before a visitor sees it."""
    assert public_frame(HEARTBEAT) is HEARTBEAT
    assert set(REPLY_EVENTS) - set(WIDGET_EVENTS) == {"thinking"}
    for event in ("thinking", "invented"):
        assert public_frame(ReplyFrame("0.1.2", event, b'{"text":"SECRET"}')) is None
