"""Answers of the stub provider, frame by frame, in the dialect of OpenAI or of BigModel, with faults on demand."""

import asyncio
import random
import re
from collections.abc import AsyncIterator, Mapping
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
THOUGHT = "hm"
_WORDS = ("知识库", "记录", "了", "这", "一点", "：", "the", " log", " is", " the", " system", "，", "🙂", "每个", "事件", "。")
_MIDDLE = frozenset({"hang_middle", "cut_middle", "reset_middle", "broken_frame", "error_object"})


class Behaviour(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one request is answered. ``text`` replaces the token text; ``cite`` puts the marker ``[cite]`` after every eighth token.

    ``holds``: the model reads. It repeats the first line with that text in the passages of the prompt, with its passage's number; without
    one it says the sentence that the rules ask for.

    ``thinking`` tokens come before it, out of the same ``max_tokens``: as ``reasoning_content`` (DeepSeek, GLM, Qwen), ``reasoning``
    (Ollama, OpenRouter, vLLM), both, ``tags`` in the content, or ``opened``: in the content, with the closing tag only, as where the chat
    template has the opening one. When they leave nothing, the answer is empty and ends with ``length``. With ``obeys=1`` a request that
    turns thinking off is obeyed. ``cached`` prompt tokens are reported, ``cached_as=deepseek`` in DeepSeek's field.

    The fault ``random`` is another one for a ``share`` of the requests, which and when by ``seed``: the same seed, the same sequence.

    ``trace`` is the caller's name for a streamed request in ``GET /calls``. With ``numbered=1`` an answer from the passages begins with the
    number of the call, so that no two calls say the same.
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
    holds: str = ""
    thinking: int = 0
    thinks: str = "reasoning_content"
    obeys: int = 0
    cached: int = 0
    cached_as: str = ""
    message: str = ""  # of an error, instead of the stub's own
    seed: int = 0
    share: float = 0.3
    trace: str = ""
    numbered: int = 0

    def draw_fault(self, number: int) -> str:
        """The fault of the ``number``th request under ``random``; none for those that are spared."""
        dice = random.Random(f"{self.seed}/{number}")
        return dice.choice(CHAOS) if dice.random() < self.share else ""

    def pieces(self) -> list[str]:
        """The tokens of the answer."""
        if self.text:
            return [self.text[i : i + 3] for i in range(0, len(self.text), 3)]
        marker = f"[{self.cite}]" if self.cite else ""
        return [_WORDS[i % len(_WORDS)] + (marker if i % 8 == 7 else "") for i in range(self.tokens)]

    def thoughts(self) -> list[str]:
        """The tokens of the thinking; their text is in no answer."""
        return [f"{THOUGHT}{i} [1] " for i in range(self.thinking)]


_PASSAGE = re.compile(r'<passage n="(?P<number>\d+)"[^\n]*\n(?P<text>.*?)\n</passage>', re.DOTALL)
_ASKED_SENTENCE = re.compile(r"(?:：|:)\n(?P<sentence>[^\n]+)\n")


def read_passages(body: dict[str, Any], wanted: str) -> str:
    """What a model says that looks for ``wanted`` in the passages of a prompt; see ``Behaviour.holds``."""
    for passage in _PASSAGE.finditer(str(body["messages"][-1]["content"])):
        for line in passage["text"].splitlines():
            if wanted in line and "holds=" not in line:
                return f"{line} [{passage['number']}]"
    asked = _ASKED_SENTENCE.search(str(body["messages"][0]["content"]))
    return asked["sentence"] if asked else "No rule says what to say."


class StubAnswer:
    """One answer on the wire."""

    def __init__(self, body: dict[str, Any], behaviour: Behaviour, *, bigmodel: bool) -> None:
        self._behaviour, self._bigmodel = behaviour, bigmodel
        budget = body.get("max_tokens") or body.get("max_completion_tokens") or len(behaviour.pieces()) + behaviour.thinking
        self._thoughts = [] if behaviour.obeys and turns_thinking_off(body) else behaviour.thoughts()[:budget]
        self._pieces = behaviour.pieces()[: budget - len(self._thoughts)]
        eaten = bool(self._thoughts) and bool(behaviour.pieces()) and not self._pieces
        self._finish = "length" if eaten else behaviour.finish
        prompt, tokens = sum(len(str(message["content"])) for message in body["messages"]), len(self._thoughts) + len(self._pieces)
        self._usage: dict[str, Any] = {"prompt_tokens": prompt, "completion_tokens": tokens, "total_tokens": prompt + tokens}
        if self._thoughts:
            self._usage["completion_tokens_details"] = {"reasoning_tokens": len(self._thoughts)}
        if behaviour.cached and behaviour.cached_as == "deepseek":
            self._usage |= {"prompt_cache_hit_tokens": behaviour.cached, "prompt_cache_miss_tokens": prompt - behaviour.cached}
        elif behaviour.cached:
            self._usage["prompt_tokens_details"] = {"cached_tokens": behaviour.cached}
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
        for delta in self._thinking():
            message |= {name: message.get(name, "") + text for name, text in delta.items() if text is not None and name != "content"}
        if self._uses_tags:
            message["content"] = "".join(text or "" for delta in self._thinking() for text in delta.values()) + message["content"]
        choice = {"index": 0, "message": message, "finish_reason": self._finish}
        usage = {} if self._behaviour.fault == "no_usage" else {"usage": self._usage}
        return self._head | {"object": "chat.completion", "choices": [choice]} | usage

    def body(self) -> bytes:
        """The whole answer as it is sent, with the faults of transport that apply to it."""
        body = msgspec.json.encode(self.whole())
        if self._behaviour.fault == "broken_frame":
            return body[: len(body) // 2]
        if self._behaviour.fault in ("error_first", "error_object"):
            return msgspec.json.encode(_error(self._behaviour, bigmodel=self._bigmodel))
        return body

    @property
    def _uses_tags(self) -> bool:
        return bool(self._thoughts) and self._behaviour.thinks in ("tags", "opened")

    def _thinking(self) -> list[dict[str, str | None]]:
        """The deltas of the thinking. Tags are split over frames; the closing tag is missing when no token is left for it."""
        if not self._thoughts:
            return []
        if self._uses_tags:
            opening = "<think>\n" if self._behaviour.thinks == "tags" else ""
            said = opening + "".join(self._thoughts) + ("\n</think>\n\n" if self._pieces else "")
            return [{"content": said[i : i + 4]} for i in range(0, len(said), 4)]
        names = ("reasoning_content", "reasoning") if self._behaviour.thinks == "both" else (self._behaviour.thinks,)
        content = "" if self._behaviour.thinks == "reasoning" else None  # as Ollama, and as DeepSeek
        return [{"content": content} | dict.fromkeys(names, thought) for thought in self._thoughts]

    async def frames(self) -> AsyncIterator[bytes | None]:
        """The frames in order, with their delays; None where the connection breaks."""
        fault = self._behaviour.fault
        token_s = 0.5 if fault == "slow" else self._behaviour.token_ms / 1000
        if fault == "error_first":
            yield _data(_error(self._behaviour, bigmodel=self._bigmodel))
            return
        if not self._bigmodel:
            yield _data(self._chunk({"role": "assistant", "content": ""}))
        for delta in self._thinking():
            yield _data(self._chunk(delta))
            if token_s:
                await asyncio.sleep(token_s)
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
            for part in _apply_frame_fault(frame, fault):
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
        last = self._chunk({}, self._finish)
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

    def _chunk(self, delta: Mapping[str, str | None], finish: str | None = None) -> dict[str, Any]:
        return self._head | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def _apply_frame_fault(frame: bytes, fault: str) -> tuple[bytes, ...]:
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


def turns_thinking_off(body: Mapping[str, Any]) -> bool:
    """Whether a request does, in any server's field."""
    template = body.get("chat_template_kwargs") or {}
    return (
        (body.get("thinking") or {}).get("type") == "disabled"
        or body.get("enable_thinking") is False
        or template.get("enable_thinking") is False
        or body.get("reasoning_effort") == "none"
    )


def _error(behaviour: Behaviour, *, bigmodel: bool) -> dict[str, Any]:
    """An error object in the middle of an answer. BigModel's have a number and no type."""
    code = behaviour.code or ("500" if bigmodel else "server_error")
    return {"error": {"message": behaviour.message or "The server had an error", "code": code} | ({} if bigmodel else {"type": code})}


def refusal(behaviour: Behaviour, message: str, *, bigmodel: bool) -> dict[str, Any]:
    """The body of a status fault."""
    kind, code = STATUS_FAULTS[behaviour.fault]
    message = message or behaviour.message or f"stub fault {behaviour.fault}"
    if bigmodel:
        return {"error": {"code": behaviour.code or _BIGMODEL_CODES[behaviour.fault], "message": message}}
    return {"error": {"message": message, "type": kind, "code": behaviour.code or code, "param": None}}


async def silence() -> None:
    """Wait until the client disconnects, which cancels the handler."""
    await asyncio.Event().wait()
