"""Frames of the relay as chunks: what was sent is never taken back, however often an answer is made anew."""

import itertools
import json
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.openai.responses import DONE, CompletionEncoder, CompletionHead, completion
from domain.chats.relay.frames import HEARTBEAT, EventId, ReplyFrame, frames_of, snapshot_of
from domain.chats.reply_fold import ReplyFold, Restarted
from schemas.bodies.openai import ErrorAnswer
from schemas.bodies.streams import ChatCompletionChunk, CompletedData
from schemas.chats import Cancelled, Citation, Completed, Extended, Failed, Started, Thought, Usage
from schemas.errors import Problem, Refused, Unavailable
from tests.support.reply_speaker import CITATION

HEAD = CompletionHead("chatcmpl-r", 1_700_000_000, "claw", "https://claw.example")
OTHER = msgspec.structs.replace(CITATION, marker=2, document_id="a b/c", title="Other")
ENDS = st.sampled_from(["whole", "shorter", "other"])


def frames(*steps: Any) -> list[ReplyFrame]:
    return [frame for offset, step in enumerate(steps) for frame in frames_of(0, offset, [step])]


def delta(seq: int, text: str, *citations: Citation, attempt: int = 1) -> Extended:
    return Extended(conversation_id="c", attempt=attempt, seq=seq, text=text, citations=citations)


def completed(text: str, *citations: Citation, reason: str = "stop") -> Completed:
    usage = Usage(prompt_tokens=7, completion_tokens=3, estimated=True)
    return Completed(conversation_id="c", attempt=1, text=text, citations=citations, usage=usage, finish_reason=reason)


def told(steps: Iterable[ReplyFrame], *, include_usage: bool = False) -> tuple[list[dict[str, Any]], bytes]:
    """The chunks, and what came after the last."""
    chunks = CompletionEncoder(HEAD, include_usage=include_usage)
    said = chunks.begin()
    for frame in steps:
        assert not chunks.ended
        said += chunks.encode(frame)
    lines = [line for line in said.split(b"\n\n") if line and not line.startswith(b":")]
    done = lines.pop() if lines[-1] == DONE.strip() else b""
    bodies = [line.removeprefix(b"data: ") for line in lines]
    for body in bodies:  # each is what OpenAPI says, to the byte
        kind = ErrorAnswer if body.startswith(b'{"error":') else ChatCompletionChunk
        assert msgspec.json.encode(msgspec.json.decode(body, type=kind)) == body
    return [json.loads(body) for body in bodies], done


def text_of(chunks: list[dict[str, Any]]) -> str:
    return "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk.get("choices", ()))


def annotations_of(chunks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for chunk in chunks for choice in chunk.get("choices", ()) for each in choice["delta"].get("annotations", ())]


def test_an_answer():
    started = Started(conversation_id="c", attempt=1, model="m")
    steps = frames(started, delta(1, "25 "), delta(2, "days [1].", CITATION), completed("25 days [1].", CITATION))
    chunks, done = told([*steps[:2], HEARTBEAT, *steps[2:]])
    assert done
    assert {(chunk["id"], chunk["object"], chunk["created"], chunk["model"]) for chunk in chunks} == {
        ("chatcmpl-r", "chat.completion.chunk", 1_700_000_000, "claw")
    }
    assert [chunk["choices"][0]["delta"] for chunk in chunks[:3]] == [
        {"role": "assistant", "content": "", "refusal": None},
        {"content": "25 "},
        {"content": "days [1]."},
    ]
    (annotation,) = annotations_of(chunks)
    place = annotation["url_citation"]
    assert "25 days [1]."[place["start_index"] : place["end_index"]] == "[1]"
    assert (place["title"], place["url"]) == ("Rules", "https://claw.example/api/v1/knowledge/k/documents/rules")
    assert annotation["citation"] == msgspec.to_builtins(CITATION)
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None] * 4 + ["stop"]
    assert all("usage" not in chunk for chunk in chunks)


def test_usage_comes_last_and_without_choices():
    chunks, done = told(frames(delta(1, "x"), completed("x", reason="length")), include_usage=True)
    assert done
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == {
        "prompt_tokens": 7,
        "completion_tokens": 3,
        "total_tokens": 10,
        "estimated": True,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }
    assert all(chunk["usage"] is None for chunk in chunks[:-1])
    assert chunks[-2]["choices"][0]["finish_reason"] == "length"


def test_a_word_of_the_providers_own_is_a_stop():
    chunks, _ = told(frames(completed("x", reason="model_context_window")))
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (Failed(conversation_id="c", attempt=1, problem=Unavailable("model_unavailable").problem()), "model_unavailable"),
        (Failed(conversation_id="c", attempt=1, problem=Problem()), "internal_error"),
        (Failed(conversation_id="c", attempt=1, problem=Refused("model_answer_empty", "It thought.").problem()), "model_answer_empty"),
        (Cancelled(conversation_id="c", attempt=1, text="2"), "answer_interrupted"),
    ],
)
def test_what_is_no_end_is_an_error(end: Any, code: str):
    """Without [DONE]: whoever passes over the error still sees that there is more."""
    chunks, done = told(frames(delta(1, "2"), end))
    assert not done
    assert chunks[-1]["error"]["code"] == code
    assert chunks[-1]["error"]["type"] == "server_error"
    assert chunks[-1]["error"]["message"]
    assert getattr(end, "problem", Problem()).remedy in chunks[-1]["error"]["message"]


def test_the_end_brings_what_was_missing():
    """An extension that never came to the log, with its citation."""
    chunks, done = told(frames(delta(1, "A [1]", CITATION), completed("A [1] B [2]", CITATION, OTHER)))
    assert done
    assert text_of(chunks) == "A [1] B [2]"
    assert [each["citation"]["marker"] for each in annotations_of(chunks)] == [1, 2]
    assert annotations_of(chunks)[1]["url_citation"]["url"] == "https://claw.example/api/v1/knowledge/k/documents/a%20b%2Fc"


def test_markers_that_come_twice_have_two_places():
    chunks, _ = told(frames(delta(1, "A [1] B [1]", CITATION, CITATION), completed("A [1] B [1]", CITATION, CITATION)))
    assert [each["url_citation"]["start_index"] for each in annotations_of(chunks)] == [2, 8]
    whole = completion(HEAD, CompletedData("A [1] B [1]", (CITATION, CITATION), Usage(), "stop", cached=False, model="m"))
    assert [each.url_citation.start_index for each in whole.choices[0].message.annotations] == [2, 8]
    assert [msgspec.to_builtins(each) for each in whole.choices[0].message.annotations] == annotations_of(chunks)


def test_a_snapshot_is_what_is_missing_of_it():
    fold = ReplyFold()
    fold._extensions.extend([delta(1, "A [1]", CITATION), delta(2, " B")])
    chunks, done = told(
        [*frames(delta(1, "A [1]", CITATION)), snapshot_of(fold, EventId(0, 9, 1)), *frames(completed("A [1] B", CITATION))]
    )
    assert done
    assert text_of(chunks) == "A [1] B"
    assert len(annotations_of(chunks)) == 1


def test_citations_of_an_answer_made_anew_are_told_once():
    first = (delta(1, "A [1]", CITATION), delta(2, " B"))
    again = (delta(1, "A [1] B [2]", CITATION, OTHER, attempt=2), completed("A [1] B [2]", CITATION, OTHER))
    chunks, done = told(frames(*first, Restarted(2), *again))
    assert done
    assert text_of(chunks) == "A [1] B [2]"
    assert [each["citation"]["marker"] for each in annotations_of(chunks)] == [1, 2]


@given(
    st.text(alphabet="ab[1]", min_size=1, max_size=20),
    st.integers(0, 20),
    st.lists(st.integers(0, 20), max_size=4),
    st.lists(st.integers(0, 20), max_size=4),
    ENDS,
)
def test_made_anew(text: str, died_at: int, cuts: list[int], again_cuts: list[int], second: str):
    """Whatever the cuts: the same answer again is told once, and one that differs ends in an error after a beginning of the first."""

    def pieces(whole: str, at: list[int], attempt: int) -> list[Extended]:
        places = sorted({0, *(min(cut, len(whole)) for cut in at), len(whole)})
        parts = [whole[a:b] for a, b in itertools.pairwise(places)]
        return [delta(seq, part, attempt=attempt) for seq, part in enumerate(parts, start=1)]

    first = text[: min(died_at, len(text))]
    again = {"whole": text, "shorter": first[:-1], "other": "c" + text}[second]
    steps = frames(*pieces(first, cuts, 1), Restarted(2), *pieces(again, again_cuts, 2), completed(again))
    stream = CompletionEncoder(HEAD, include_usage=False)
    said = stream.begin()
    for frame in steps:
        said += stream.encode(frame)
        if stream.ended:
            break
    lines = [line.removeprefix(b"data: ") for line in said.split(b"\n\n") if line]
    chunks = [json.loads(line) for line in lines if line != b"[DONE]"]
    if again.startswith(first):
        assert text_of(chunks) == again
        assert lines[-1] == b"[DONE]"
    else:
        assert text_of(chunks) == first
        assert chunks[-1]["error"]["code"] == "answer_interrupted"
        assert b"[DONE]" not in lines


def test_thinking_is_reasoning_content():
    """Beside the text, and no part of it; a restart takes nothing of it back."""
    thoughts = [Thought(conversation_id="c", attempt=1, seq=seq, text=text) for seq, text in enumerate(("hm ", "so"), start=1)]
    chunks, done = told(frames(*thoughts, Restarted(2), thoughts[0], delta(1, "25", attempt=2), completed("25")))
    assert done
    assert [chunk["choices"][0]["delta"].get("reasoning_content") for chunk in chunks[1:4]] == ["hm ", "so", "hm "]
    assert text_of(chunks) == "25"


def test_a_whole_completion_has_it_only_when_there_is_some():
    whole = CompletedData("25", (), Usage(reasoning_tokens=4, completion_tokens=5, cached_tokens=3, prompt_tokens=9), "stop", False, "m")
    made = msgspec.to_builtins(completion(HEAD, whole, "hm"))
    assert made["choices"][0]["message"]["reasoning_content"] == "hm"
    assert made["usage"]["completion_tokens_details"] == {"reasoning_tokens": 4}
    assert made["usage"]["prompt_tokens_details"] == {"cached_tokens": 3}
    assert "reasoning_content" not in msgspec.to_builtins(completion(HEAD, whole))["choices"][0]["message"]
