"""The official SDKs as the oracle: from the same bytes the lean adapter has their text, their usage and their kind of error.

Nothing is repeated here. ``Outcome.kind``: ``done``; ``passes`` for what may succeed later; ``refused`` for what never will.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import openai
import pytest
import zhipuai
from msgspec import Struct

from adapters.models.port import AnswerRequest, Finish, Piece
from adapters.models.providers.openai import OpenAIModel
from adapters.models.providers.retries import RetryPolicy
from schemas.errors import Refused, Unavailable
from tests.support.model_samples import KEY, PASSAGES, model_settings
from tests.support.running_stub import Running

REQUEST = AnswerRequest(question="黄鹤楼在哪里？", passages=PASSAGES, max_tokens=64)

HARMLESS = ["", "split_utf8", "crlf", "no_done", "comments"]
PASSING = ["429", "500", "503", "cut_before", "reset_before", "hang_before", "error_first"]
BREAKING = ["cut_middle", "broken_frame", "error_object", "hang_middle"]
REFUSING = ["400", "401", "403"]


def silence_s(name: str) -> float:
    """The silence that everybody takes for the end: short where there is one, else out of the way of a busy machine."""
    return 0.6 if "hang" in name else 2.0 if "random" in name else 15.0


class Outcome(Struct, frozen=True):
    """``tokens``: of the prompt and of the answer, None when the provider did not say."""

    text: str
    kind: str
    tokens: tuple[int, int] | None = None


async def ours(stub: Running, dialect: str, name: str) -> Outcome:
    root = "/api/paas/v4" if dialect == "zhipu" else "/v1"
    settings = model_settings(stub.root, name, provider=dialect, base_url=stub.root + root, idle_timeout_s=silence_s(name))
    model, text = OpenAIModel(settings, patience=RetryPolicy(1, 1.0)), ""
    await model.start()
    try:
        async for item in model.answer(REQUEST):
            if isinstance(item, Finish):
                usage = item.usage
                return Outcome(text, "done", None if usage.estimated else (usage.prompt_tokens, usage.completion_tokens))
            text += item.text if isinstance(item, Piece) else ""
    except Unavailable:
        return Outcome(text, "passes")
    except Refused as error:
        code, cause = error.code, error.__cause__
    finally:
        await model.stop()
    refused = {"answer_interrupted"} if text else {"model_refused", "model_unauthorized", "model_access_denied"}
    assert code in refused, "what was said decides what the reader is told"
    return Outcome(text, "refused" if cause is None or isinstance(cause, Refused) else "passes")


async def of_openai(stub: Running, sent: dict[str, Any]) -> Outcome:
    text, tokens = "", None
    async with openai.AsyncOpenAI(base_url=f"{stub.root}/v1", api_key=KEY, max_retries=0, timeout=silence_s(sent["model"])) as client:
        try:
            async for chunk in await client.chat.completions.create(**sent):
                text += "".join(choice.delta.content or "" for choice in chunk.choices)
                if chunk.usage is not None:
                    tokens = (chunk.usage.prompt_tokens, chunk.usage.completion_tokens)
        except (openai.BadRequestError, openai.AuthenticationError, openai.PermissionDeniedError):
            return Outcome(text, "refused")
        except (openai.APIError, httpx.TransportError, json.JSONDecodeError):
            return Outcome(text, "passes")
    return Outcome(text, "done", tokens)


async def of_zhipuai(stub: Running, sent: dict[str, Any]) -> Outcome:
    return await asyncio.to_thread(_of_zhipuai, f"{stub.root}/api/paas/v4", sent)


def _of_zhipuai(base_url: str, sent: dict[str, Any]) -> Outcome:
    from zhipuai.core import _errors as sdk  # noqa: PLC0415

    text, tokens = "", None
    with zhipuai.ZhipuAI(
        api_key=KEY, base_url=base_url, disable_token_cache=True, max_retries=0, timeout=silence_s(sent["model"])
    ) as client:
        try:
            for chunk in client.chat.completions.create(**sent):
                text += "".join(choice.delta.content or "" for choice in chunk.choices)
                if chunk.usage is not None:
                    tokens = (chunk.usage.prompt_tokens, chunk.usage.completion_tokens)
        except (sdk.APIRequestFailedError, sdk.APIAuthenticationError):
            return Outcome(text, "refused")
        except sdk.APIStatusError as error:  # it has no class for 403
            return Outcome(text, "refused" if error.status_code == 403 else "passes")
        except (sdk.ZhipuAIError, httpx.TransportError, json.JSONDecodeError):
            return Outcome(text, "passes")
    return Outcome(text, "done", tokens)


ORACLES: dict[str, Callable[[Running, dict[str, Any]], Awaitable[Outcome]]] = {"openai": of_openai, "zhipu": of_zhipuai}


@pytest.mark.parametrize("dialect", ["openai", "zhipu"])
@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        *(("done", fault) for fault in HARMLESS),
        *(("passes", fault) for fault in (*PASSING, *BREAKING)),
        *(("refused", fault) for fault in REFUSING),
    ],
)
async def test_the_same_bytes_have_the_same_outcome(stub: Running, dialect: str, kind: str, fault: str) -> None:
    name = f"stub?tokens=20&cite=1&fault={fault}"
    lean = await ours(stub, dialect, name)
    assert lean == await ORACLES[dialect](stub, stub.provider.stats.last_request)
    assert lean.kind == kind
    assert bool(lean.text) == (fault in HARMLESS or fault in BREAKING)
    assert (lean.tokens is not None) == (kind == "done")


@pytest.mark.parametrize("dialect", ["openai", "zhipu"])
async def test_a_reset_may_swallow_what_nobody_has_read_yet(stub: Running, dialect: str) -> None:
    """So only the kind of the end is the same for sure."""
    lean = await ours(stub, dialect, "stub?tokens=20&fault=reset_middle")
    other = await ORACLES[dialect](stub, stub.provider.stats.last_request)
    assert (lean.kind, other.kind) == ("passes", "passes")
    assert lean.text.startswith(other.text) or other.text.startswith(lean.text)


@pytest.mark.parametrize("dialect", ["openai", "zhipu"])
async def test_where_we_know_better(stub: Running, dialect: str) -> None:
    """The SDKs take an answer that breaks off without an error for a whole one, hand impossible counts on, and read a web page as an empty
    answer: here it is interrupted, estimated, refused."""
    unfinished, oracle = await ours(stub, dialect, "stub?tokens=20&fault=no_finish"), ORACLES[dialect]
    theirs = await oracle(stub, stub.provider.stats.last_request)
    assert (unfinished.text, unfinished.kind, theirs.kind) == (theirs.text, "passes", "done")
    counted = await ours(stub, dialect, "stub?tokens=20&fault=wrong_usage")
    assert (counted.text, counted.kind, counted.tokens) == (theirs.text, "done", None)
    assert (await ours(stub, dialect, "stub?fault=html")) == Outcome("", "refused")


async def test_a_mix_of_faults_is_the_same_for_everybody(stub: Running) -> None:
    """By its seed the stub deals the same sequence again, and both see the same ends."""
    name = "stub?tokens=3&fault=random&share=0.8&seed=2"
    lean = [await ours(stub, "openai", name) for _ in range(6)]
    sent = dict(stub.provider.stats.last_request)
    stub.provider._faults.clear()
    assert [outcome.kind for outcome in lean] == [(await of_openai(stub, sent)).kind for _ in lean]
    assert {outcome.kind for outcome in lean} == {"done", "passes"}
