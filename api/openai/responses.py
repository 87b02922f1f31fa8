"""A reply in OpenAI's format: pure, from the relay's frames to chunks, or to one completion.

Chunks cannot be retracted. When a worker died and another one answers again (``restart``), the new answer must begin with the text that was
sent, and is continued from there; as soon as it differs the stream ends with an error.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from msgspec import UNSET

from api.http.openapi import VERSION
from api.openai import errors
from domain.chats.relay import ReplyFrame
from schemas.bodies.openai import (
    Annotation,
    ChatCompletion,
    Choice,
    CompletionMessage,
    CompletionTokenDetails,
    CompletionUsage,
    PromptTokenDetails,
    UrlCitation,
)
from schemas.bodies.streams import ChunkChoice, ChunkDelta, CompletedData, DeltaData, SnapshotData, ThinkingData
from schemas.chats import Citation, Usage, document_path
from schemas.errors import Problem, Unavailable

FINGERPRINT = f"claw-{VERSION}"
DONE = b"data: [DONE]\n\n"
REASONS = frozenset({"stop", "length", "content_filter"})  # reasons that clients know; any other of a provider becomes "stop"
_encode = msgspec.json.Encoder().encode
_delta = msgspec.json.Decoder(DeltaData).decode
_thinking = msgspec.json.Decoder(ThinkingData).decode
_citation = msgspec.json.Decoder(Citation).decode


@dataclass(frozen=True, slots=True)
class CompletionHead:
    """What all chunks of a completion share; ``created`` in seconds since 1970, ``base_url`` is how the client reaches this API."""

    id: str
    created: int
    model: str
    base_url: str


class Annotations:
    """Citations with the positions of their markers, in the order of the text. ``base_url`` begins the URLs of those without one.

    Clients make a link of an absolute URL only.
    """

    def __init__(self, base_url: str) -> None:
        self._base_url, self._after = base_url, 0

    def of(self, text: str, citation: Citation) -> Annotation:
        """``text`` is the text so far; the marker is the first with its number after the previous marker."""
        marker = f"[{citation.marker}]"
        start = text.find(marker, self._after)
        end = start + len(marker) if start >= 0 else len(text)
        self._after = end
        url = citation.url or self._base_url + document_path(citation.knowledge_base_id, citation.document_id)
        place = UrlCitation(start_index=start if start >= 0 else end, end_index=end, title=citation.title, url=url)
        return Annotation(url_citation=place, citation=citation)


def completion(head: CompletionHead, whole: CompletedData, thinking: str = "") -> ChatCompletion:
    """The whole answer as one completion, with the ``thinking`` before it, if that was asked for."""
    annotations = Annotations(head.base_url)
    message = CompletionMessage(
        content=whole.text,
        annotations=tuple(annotations.of(whole.text, each) for each in whole.citations),
        reasoning_content=thinking or UNSET,
        unsupported_numbers=whole.unsupported_numbers,
    )
    return ChatCompletion(
        id=head.id,
        created=head.created,
        model=head.model,
        choices=(Choice(message=message, finish_reason=_reason(whole)),),
        usage=_usage(whole.usage),
        system_fingerprint=FINGERPRINT,
    )


class CompletionEncoder:
    """Encodes one stream: frames in, bytes out. ``ended``: the last bytes were returned."""

    def __init__(self, head: CompletionHead, *, include_usage: bool) -> None:
        fields = {"id": head.id, "object": "chat.completion.chunk", "created": head.created, "model": head.model}
        self._head = _encode(fields | {"system_fingerprint": FINGERPRINT})[:-1]
        self._tail = b',"usage":null}\n\n' if include_usage else b"}\n\n"
        self._include_usage = include_usage
        self._sent = ""
        self._text = ""  # by the current attempt
        self._annotated, self._cited = 0, 0  # citations that were sent, and those of the current attempt
        self._annotations = Annotations(head.base_url)
        self.ended = False

    def begin(self) -> bytes:
        """The first chunk, with the role of the message."""
        return self._chunk(ChunkDelta(role="assistant", content="", refusal=None))

    def encode(self, frame: ReplyFrame) -> bytes:
        """The bytes that a frame adds; none for frames without a counterpart at OpenAI."""
        data = b""
        match frame.event:
            case "heartbeat":
                data = frame.sse()
            case "thinking":
                data = self._chunk(ChunkDelta(reasoning_content=_thinking(frame.data).text))
            case "delta":
                self._text += _delta(frame.data).text
                data = self._catch_up()
            case "citation":
                self._cited += 1
                if self._cited > self._annotated:
                    data = self._annotate((_citation(frame.data),))
            case "restart":
                self._text, self._cited = "", 0
            case "snapshot":
                snapshot = msgspec.json.decode(frame.data, type=SnapshotData)
                self._text = snapshot.text
                data = self._catch_up() + self._remaining_citations(snapshot.citations)
            case "completed":
                data = self._complete(msgspec.json.decode(frame.data, type=CompletedData))
            case "failed" | "cancelled":
                data = self._break_off(frame)
        return data

    def fail(self, problem: Problem) -> bytes:
        """The end with an error: clients raise an exception."""
        self.ended = True
        return b"data: " + _encode(errors.body(problem)) + b"\n\n"

    def interrupt(self, why: str) -> bytes:
        """The end before the answer is complete."""
        return self.fail(Unavailable("answer_interrupted", why).problem())

    def _break_off(self, frame: ReplyFrame) -> bytes:
        if frame.event == "failed":
            return self.fail(msgspec.json.decode(frame.data, type=Problem))
        return self.interrupt("the answer was cancelled")

    def _complete(self, whole: CompletedData) -> bytes:
        self._text = whole.text
        data = self._catch_up()
        if self._text != self._sent and not self.ended:
            return data + self._fail_diverged()
        if self.ended:
            return data
        data += self._remaining_citations(whole.citations) + self._chunk(_last_delta(whole), _reason(whole))
        self.ended = True
        if self._include_usage:
            data += b"data: " + self._head + b',"choices":[],"usage":' + _encode(_usage(whole.usage)) + b"}\n\n"
        return data + DONE

    def _catch_up(self) -> bytes:
        """The text beyond what was sent."""
        if len(self._text) <= len(self._sent):
            return b"" if self._sent.startswith(self._text) else self._fail_diverged()
        if not self._text.startswith(self._sent):
            return self._fail_diverged()
        more, self._sent = self._text[len(self._sent) :], self._text
        return self._chunk(ChunkDelta(content=more))

    def _fail_diverged(self) -> bytes:
        return self.interrupt("the answer was generated again, and does not begin with the text that was sent")

    def _remaining_citations(self, citations: Sequence[Citation]) -> bytes:
        """The citations that were not sent yet."""
        if self.ended:
            return b""
        self._cited = len(citations)
        return self._annotate(citations[self._annotated :])

    def _annotate(self, citations: Sequence[Citation]) -> bytes:
        if not citations:
            return b""
        self._annotated += len(citations)
        return self._chunk(ChunkDelta(annotations=tuple(self._annotations.of(self._sent, citation) for citation in citations)))

    def _chunk(self, delta: ChunkDelta, reason: str | None = None) -> bytes:
        choice = _encode(ChunkChoice(delta=delta, finish_reason=reason))
        return b"data: " + self._head + b',"choices":[' + choice + b"]" + self._tail


def _last_delta(whole: CompletedData) -> ChunkDelta:
    """Empty, as clients expect, but for what only the whole answer shows."""
    return ChunkDelta(unsupported_numbers=whole.unsupported_numbers) if whole.unsupported_numbers else ChunkDelta()


def _reason(whole: CompletedData) -> str:
    return whole.finish_reason if whole.finish_reason in REASONS else "stop"


def _usage(usage: Usage) -> CompletionUsage:
    return CompletionUsage(
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        total_tokens=usage.prompt_tokens + usage.completion_tokens,
        estimated=usage.estimated,
        prompt_tokens_details=PromptTokenDetails(cached_tokens=usage.cached_tokens),
        completion_tokens_details=CompletionTokenDetails(reasoning_tokens=usage.reasoning_tokens),
    )
