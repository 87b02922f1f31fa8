"""CPU that one answer of 32 tokens costs its client: the lean adapter, the official ``openai`` client, the ``zhipuai`` SDK.

All ask the same stub in turns, in rounds, from a process that does nothing else; the time is the process's own, user and system, so
that the stub and whatever else runs on the machine do not count. Medians over the rounds; ratios are to the lean adapter in the same run.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

import openai
import zhipuai

from adapters.models.port import AnswerRequest, Finish, Piece
from adapters.models.providers.openai import OpenAIModel
from benchmarks.figures import Figure, median
from benchmarks.stub_process import launch_stub_provider
from schemas.settings import ModelSettings
from schemas.settings.section import Secret

MODEL = "stub?first_ms=5&tokens=32&token_ms=1"  # a pause between tokens, so that each arrives as a packet of its own
TOKENS = 32
ROUNDS, ANSWERS, WARM_UP = 5, 60, 20
AT_ONCE = 8  # answers; the zhipuai SDK has a thread for each
QUESTION = "Which harbour does the lighthouse guard?"
KEY = "bench"

Ask = Callable[[], Awaitable[str]]


async def run() -> list[Figure]:
    """One figure per client."""
    provider = launch_stub_provider()
    async with provider as stub:
        model = OpenAIModel(ModelSettings(provider="openai", base_url=stub.url, api_key=Secret(KEY), name=MODEL))
        await model.start()
        with zhipuai.ZhipuAI(api_key=KEY, base_url=stub.url, disable_token_cache=True, max_retries=0) as zhipu:
            async with openai.AsyncOpenAI(base_url=stub.url, api_key=KEY, max_retries=0) as official:
                clients = {"lean": _lean(model), "openai": _openai(official), "zhipuai": _zhipuai(zhipu)}
                rounds = await _rounds(clients)
        await model.stop()
    return [
        Figure(
            f"cpu_per_answer_{name}",
            round(median([cpu_ms[name] for cpu_ms in rounds]), 2),
            "ms",
            None if name == "lean" else round(median([cpu_ms[name] / cpu_ms["lean"] for cpu_ms in rounds]), 2),
            "" if name == "lean" else "lean",
        )
        for name in clients
    ]


async def _rounds(clients: dict[str, Ask]) -> list[dict[str, float]]:
    """Milliseconds of CPU per answer, by client."""
    for ask in clients.values():
        await _answers(ask, WARM_UP)
    return [{name: await _answers(ask, ANSWERS) for name, ask in clients.items()} for _ in range(ROUNDS)]


async def _answers(ask: Ask, count: int) -> float:
    began_s, texts = time.process_time(), set[str]()
    for _ in range(0, count, AT_ONCE):
        texts.update(await asyncio.gather(*(ask() for _ in range(AT_ONCE))))
    if len(texts) != 1 or not texts.pop():
        raise SystemExit("the answers of one client differ")
    return (time.process_time() - began_s) * 1000 / (-(-count // AT_ONCE) * AT_ONCE)


def _lean(model: OpenAIModel) -> Ask:
    request = AnswerRequest(question=QUESTION, max_tokens=TOKENS)

    async def ask() -> str:
        text, finish = "", None
        async for said in model.answer(request):
            if isinstance(said, Piece):
                text += said.text
            else:
                finish = said
        if not isinstance(finish, Finish) or finish.usage.estimated:
            raise SystemExit("an answer came without its usage")
        return text

    return ask


def _openai(client: openai.AsyncOpenAI) -> Ask:
    async def ask() -> str:
        text = ""
        async for chunk in await client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": QUESTION}], stream=True, stream_options={"include_usage": True}
        ):
            text += "".join(choice.delta.content or "" for choice in chunk.choices)
        return text

    return ask


def _zhipuai(client: zhipuai.ZhipuAI) -> Ask:
    def ask() -> str:
        chunks = client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": QUESTION}], stream=True)
        return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)

    return lambda: asyncio.to_thread(ask)
