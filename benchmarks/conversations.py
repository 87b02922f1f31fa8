"""Time to the first token in a conversation of 500 messages against one of 5, interleaved in the same run.

The stub provider's first token comes after 50 ms. The long conversation is talked through like any other; every short one is asked in once.
"""

import asyncio
import tempfile
from pathlib import Path

import aiohttp

from benchmarks.chat import Chat, chats_through, load, settings_for
from benchmarks.figures import Figure, median, percentile
from benchmarks.stub_process import launch_stub_provider
from claw_client import Client
from ops.stack.launch import stack

MODEL = "stub?first_ms=50&tokens=8&token_ms=1"
LONG, SHORT = 500, 5  # the measured question is message number so many
PAIRS = 40
WARM_UP = 10
PREPARED_AT_ONCE = 8


async def run() -> list[Figure]:
    """Pairs of one question in the long and one in a short conversation, either first in turns; medians over the pairs."""
    provider = launch_stub_provider()
    with tempfile.TemporaryDirectory(prefix="claw-bench-") as home:
        async with (
            provider as stub,
            stack(Path(home), settings_for(stub.url) | {"CLAW_MODEL_NAME": MODEL}) as up,
            aiohttp.ClientSession(base_url=up.url) as session,
        ):
            client = await Client.register(session, "bench@example.org", "a long benchmark passphrase")
            await load(client)
            long, *short = [await client.create_conversation() for _ in range(1 + WARM_UP + PAIRS)]
            lots = [short[n::PREPARED_AT_ONCE] for n in range(PREPARED_AT_ONCE)]
            await asyncio.gather(_talk(client, [long], LONG), *(_talk(client, lot, SHORT) for lot in lots))
            chat = chats_through(client, [long, *short])
            pairs = [await _pair(chat, n) for n in range(WARM_UP + PAIRS)][WARM_UP:]
    return _figures(pairs)


async def _talk(client: Client, conversations: list[str], messages: int) -> None:
    """Fill a conversation until the next question is message number ``messages``."""
    for conversation in conversations:
        chat = chats_through(client, [conversation])
        for n in range(messages // 2):
            await chat(0, n)


async def _pair(chat: Chat, n: int) -> tuple[float, float]:
    """Seconds to the first token of the same question, in the long conversation and in the next short one."""
    if n % 2:
        short_s = await chat(1 + n, n)
        return await chat(0, n), short_s
    return await chat(0, n), await chat(1 + n, n)


def _figures(pairs: list[tuple[float, float]]) -> list[Figure]:
    long, short = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    ratio = round(median(long) / median(short), 3)
    return [
        Figure(f"first_token_p50_{SHORT}_messages", round(median(short) * 1000, 1), "ms"),
        Figure(
            f"first_token_p50_{LONG}_messages", round(median(long) * 1000, 1), "ms", ratio, f"{SHORT} messages, same run", "0.8x to 1.2x"
        ),
        Figure(
            f"first_token_p90_{LONG}_messages",
            round(percentile(long, 0.9) * 1000, 1),
            "ms",
            round(percentile(long, 0.9) / percentile(short, 0.9), 3),
            f"{SHORT} messages, same run",
        ),
    ]
