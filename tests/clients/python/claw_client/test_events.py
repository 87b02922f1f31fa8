"""Server-sent events from lines."""

from collections.abc import AsyncIterator

from claw_client import ServerEvent, events


async def lines(*given: bytes) -> AsyncIterator[bytes]:
    for line in given:
        yield line


async def test_every_event_has_its_id_name_and_data() -> None:
    stream = lines(b"id: 1\r\n", b"event: delta\r\n", b'data: {"text":\r\n', b'data: "h\xc3\xa9"}\r\n', b"\r\n", b'data: {"n": 2}\n', b"\n")
    assert [event async for event in events(stream)] == [
        ServerEvent("1", "delta", {"text": "hé"}),
        ServerEvent("1", "message", {"n": 2}),
    ]


async def test_comments_empty_events_and_an_unfinished_end_are_no_events() -> None:
    assert [event async for event in events(lines(b": heartbeat\n", b"\n", b"event: delta\n", b"\n", b"data: {}\n"))] == []
