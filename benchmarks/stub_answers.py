"""What the stub provider says: one answer, frame by frame, in the dialect of OpenAI or of BigModel, spoilt as asked."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from msgspec import Struct

CREATED = 1_700_000_000
STATUS_FAULTS: dict[str, tuple[str, str]] = {
    "400": ("invalid_request_error", "bad_request"),
    "401": ("authentication_error", "invalid_api_key"),
    "403": ("permission_error", "forbidden"),
    "429": ("rate_limit_error", "rate_limit_exceeded"),
    "500": ("server_error", "server_error"),
    "503": ("server_error", "overloaded"),
}
_WORDS = ("知识库", "记录", "了", "这", "一点", "：", "the", " log", " is", " the", " system", "，", "🙂", "每个", "事件", "。")
_MIDDLE = frozenset({"hang_middle", "cut_middle", "broken_frame", "error_object"})


class Behaviour(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one request is answered. ``text`` replaces the token text; ``cite`` puts the marker ``[cite]`` after every eighth token."""

    first_ms: float = 0.0
    tokens: int = 32
    token_ms: float = 0.0
    fault: str = ""
    times: int = 1_000_000
    retry_after: str = ""
    code: str = ""  # error code instead of the fault's own
    finish: str = "stop"
    cite: int = 0
    text: str = ""

    def pieces(self) -> list[str]:
        """The tokens of the answer."""
        if self.text:
            return [self.text[i : i + 3] for i in range(0, len(self.text), 3)]
        marker = f"[{self.cite}]" if self.cite else ""
        return [_WORDS[i % len(_WORDS)] + (marker if i % 8 == 7 else "") for i in range(self.tokens)]


class Answer:
    """One answer as the wire has it."""

    def __init__(self, body: dict[str, Any], behaviour: Behaviour, *, bigmodel: bool) -> None:
        self._behaviour, self._bigmodel = behaviour, bigmodel
        self._pieces = behaviour.pieces()[: body.get("max_tokens")]
        prompt = sum(len(str(message["content"])) for message in body["messages"])
        self._usage = {"prompt_tokens": prompt, "completion_tokens": len(self._pieces), "total_tokens": prompt + len(self._pieces)}
        asked = bigmodel or (body.get("stream_options") or {}).get("include_usage", False)
        self._reports = asked and behaviour.fault != "no_usage"
        self._head: dict[str, Any] = {"id": "chatcmpl-stub", "created": CREATED, "model": body["model"]}
        if not bigmodel:
            self._head["object"] = "chat.completion.chunk"
        before, after = msgspec.json.encode(self._chunk({"content": "\x00"})).split(b'"\\u0000"')
        self._before, self._after = b"data: " + before, after + b"\n\n"

    def whole(self) -> dict[str, Any]:
        message = {"role": "assistant", "content": "".join(self._pieces)}
        choice = {"index": 0, "message": message, "finish_reason": self._behaviour.finish}
        return self._head | {"object": "chat.completion", "choices": [choice], "usage": self._usage}

    async def frames(self) -> AsyncIterator[bytes | None]:
        """What is written, in order and in time; None where the connection breaks."""
        fault = self._behaviour.fault
        token_s = 0.5 if fault == "slow" else self._behaviour.token_ms / 1000
        if fault == "error_first":
            yield _error_frame(self._behaviour)
            return
        if not self._bigmodel:
            yield _data(self._chunk({"role": "assistant", "content": ""}))
        async for part in self._tokens(fault, token_s):
            yield part
        if fault in _MIDDLE:
            return
        for frame in self._end():
            yield frame
        if fault == "hang_end":
            await silence()

    async def _tokens(self, fault: str, token_s: float) -> AsyncIterator[bytes | None]:
        middle = len(self._pieces) // 2
        for i, piece in enumerate(self._pieces):
            if i and token_s:
                await asyncio.sleep(token_s)
            if i == middle and fault in _MIDDLE:
                async for spoilt in self._spoil():
                    yield spoilt
                return
            frame = self._before + msgspec.json.encode(piece) + self._after
            for part in _dressed(frame, fault):
                yield part
                if fault == "split_utf8":
                    await asyncio.sleep(0.002)

    async def _spoil(self) -> AsyncIterator[bytes | None]:
        fault = self._behaviour.fault
        if fault == "hang_middle":
            await silence()
        elif fault == "broken_frame":
            yield b'data: {"choices": [{"delta": {"content": "cut\n\n'
        elif fault == "error_object":
            yield _error_frame(self._behaviour)
        else:
            yield None

    def _end(self) -> list[bytes]:
        fault = self._behaviour.fault
        if fault == "no_finish":
            return []
        last = self._chunk({}, self._behaviour.finish)
        if fault == "hang_end":
            return [_data(last)]
        if self._bigmodel and self._reports:
            last["usage"] = self._usage
        frames = [_data(last)]
        if self._reports and not self._bigmodel:
            frames.append(_data(self._head | {"choices": [], "usage": self._usage}))
        if fault != "no_done":
            frames.append(b"data: [DONE]\n\n")
        return [frame.replace(b"\n", b"\r\n") for frame in frames] if fault == "crlf" else frames

    def _chunk(self, delta: dict[str, str], finish: str | None = None) -> dict[str, Any]:
        return self._head | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def _dressed(frame: bytes, fault: str) -> tuple[bytes, ...]:
    if fault == "crlf":
        return (frame.replace(b"\n", b"\r\n"),)
    if fault == "comments":
        return (b": still here\n\nevent: message\n" + frame,)
    if fault == "split_utf8":
        cut = next((i + 1 for i, byte in enumerate(frame) if byte >= 0xC0), len(frame) // 2)
        return frame[:cut], frame[cut:]
    return (frame,)


def _data(value: dict[str, Any]) -> bytes:
    return b"data: " + msgspec.json.encode(value) + b"\n\n"


def _error_frame(behaviour: Behaviour) -> bytes:
    code = behaviour.code or "server_error"
    return _data({"error": {"message": "The server had an error", "type": code, "code": code}})


async def silence() -> None:
    """Until the client leaves (the handler is cancelled then)."""
    await asyncio.Event().wait()
