"""What the stub provider says: one answer, frame by frame, in the dialect of OpenAI or of BigModel, spoilt as asked."""

import asyncio
import random
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
_BIGMODEL_CODES = {"400": "1210", "401": "1002", "403": "1220", "429": "1302", "500": "500", "503": "1305"}
CHAOS = (  # what the fault ``random`` draws from
    "429",
    "500",
    "503",
    "cut_before",
    "cut_middle",
    "reset_before",
    "reset_middle",
    "broken_frame",
    "error_first",
    "error_object",
    "hang_before",
    "hang_middle",
    "slow",
    "split_utf8",
    "no_usage",
    "wrong_usage",
    "no_done",
)
_WRONG_USAGE = {"prompt_tokens": "many", "completion_tokens": -7, "total_tokens": None}
_WORDS = ("知识库", "记录", "了", "这", "一点", "：", "the", " log", " is", " the", " system", "，", "🙂", "每个", "事件", "。")
_MIDDLE = frozenset({"hang_middle", "cut_middle", "reset_middle", "broken_frame", "error_object"})


class Behaviour(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one request is answered. ``text`` replaces the token text; ``cite`` puts the marker ``[cite]`` after every eighth token.

    The fault ``random`` is another one for a ``share`` of the requests, which and when by ``seed``: the same seed, the same sequence.
    """

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
    seed: int = 0
    share: float = 0.3

    def drawn(self, number: int) -> str:
        """The fault of the ``number``th request under ``random``; none for those that are spared."""
        dice = random.Random(f"{self.seed}/{number}")
        return dice.choice(CHAOS) if dice.random() < self.share else ""

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
        self._usage: dict[str, Any] = {
            "prompt_tokens": prompt,
            "completion_tokens": len(self._pieces),
            "total_tokens": prompt + len(self._pieces),
        }
        asked = bigmodel or (body.get("stream_options") or {}).get("include_usage", False)
        self._reports = asked and behaviour.fault != "no_usage"
        if behaviour.fault == "wrong_usage":
            self._usage = dict(_WRONG_USAGE)
        self._head: dict[str, Any] = {"id": "chatcmpl-stub", "created": CREATED, "model": body["model"]}
        if not bigmodel:
            self._head["object"] = "chat.completion.chunk"
        before, after = msgspec.json.encode(self._chunk({"content": "\x00"})).split(b'"\\u0000"')
        self._before, self._after = b"data: " + before, after + b"\n\n"

    def whole(self) -> dict[str, Any]:
        message = {"role": "assistant", "content": "".join(self._pieces)}
        choice = {"index": 0, "message": message, "finish_reason": self._behaviour.finish}
        usage = {} if self._behaviour.fault == "no_usage" else {"usage": self._usage}
        return self._head | {"object": "chat.completion", "choices": [choice]} | usage

    def body(self) -> bytes:
        """The whole answer as it is sent; faults of the way spoil it as far as that makes sense."""
        body = msgspec.json.encode(self.whole())
        if self._behaviour.fault == "broken_frame":
            return body[: len(body) // 2]
        if self._behaviour.fault in ("error_first", "error_object"):
            return msgspec.json.encode(_error(self._behaviour, bigmodel=self._bigmodel))
        return body

    async def frames(self) -> AsyncIterator[bytes | None]:
        """What is written, in order and in time; None where the connection breaks."""
        fault = self._behaviour.fault
        token_s = 0.5 if fault == "slow" else self._behaviour.token_ms / 1000
        if fault == "error_first":
            yield _data(_error(self._behaviour, bigmodel=self._bigmodel))
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
            yield _data(_error(self._behaviour, bigmodel=self._bigmodel))
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


def _error(behaviour: Behaviour, *, bigmodel: bool) -> dict[str, Any]:
    """An error object where an answer was begun. BigModel's have a number and no type."""
    code = behaviour.code or ("500" if bigmodel else "server_error")
    return {"error": {"message": "The server had an error", "code": code} | ({} if bigmodel else {"type": code})}


def refusal(behaviour: Behaviour, message: str, *, bigmodel: bool) -> dict[str, Any]:
    """The body of a status fault."""
    kind, code = STATUS_FAULTS[behaviour.fault]
    message = message or f"stub fault {behaviour.fault}"
    if bigmodel:
        return {"error": {"code": behaviour.code or _BIGMODEL_CODES[behaviour.fault], "message": message}}
    return {"error": {"message": message, "type": kind, "code": behaviour.code or code, "param": None}}


async def silence() -> None:
    """Until the client leaves (the handler is cancelled then)."""
    await asyncio.Event().wait()
