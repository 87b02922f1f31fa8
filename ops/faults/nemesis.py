"""Injects the planned faults one group after the other, heals them, and measures how soon a question and a document succeed again."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count

import msgspec

from adapters.redis.client import connect
from ops.faults.clients import RecordedClient, ReplyReader
from ops.faults.history import HistoryRecorder, InjectedFault
from ops.faults.plan import FaultGroup, FaultStep
from ops.faults.target import FaultProvider, TargetStack
from ops.faults.texts import document_name, document_text, question_text, version_token
from schemas.errors import Unavailable

SUCCESSOR_S_MAX = 60.0
PROBE_S_MAX = 45.0  # longer than the promise, so that a late recovery has a figure
PROBE_EVERY_S = 0.1
PROBED = 99  # the number of the document that probes write
SCAN = 1_000
FLUSH_TRIES, FLUSH_PAUSE_S = 40, 0.5  # Redis may just have been killed, too
OK = 200


class ProbeSuite:
    """Asks and submits through the public doors until both have succeeded once."""

    def __init__(self, client: RecordedClient) -> None:
        self._client = client
        self._serials = count(1)

    async def recover(self, number: int) -> tuple[float | None, float | None]:
        """Seconds until a question was answered and until a document was searchable; None beyond ``PROBE_S_MAX``."""
        question, document = await asyncio.gather(self._time(self._question, number), self._time(self._document, number))
        return question, document

    async def _time(self, succeed: Callable[[int], Awaitable[None]], number: int) -> float | None:
        begin = self._client.recorder.now()
        with suppress(TimeoutError):
            async with asyncio.timeout(PROBE_S_MAX):
                await succeed(number)
                return self._client.recorder.now() - begin
        return None

    async def _question(self, number: int) -> None:
        """A question in a new conversation, until one is completed."""
        while True:
            reader = await self._ask(number)
            if reader is not None:
                await self._client.follow(reader)
                if reader.end == "completed":
                    return
            await asyncio.sleep(PROBE_EVERY_S)

    async def _ask(self, number: int) -> ReplyReader | None:
        conversation, serial = await self._client.create_conversation(), next(self._serials)
        if not conversation:
            return None
        key = f"probe-question-{number}-{serial}"
        _, reader = await self._client.ask(conversation, key, key, question=question_text(PROBED, f"probe{number}.{serial}"), probe=number)
        return reader

    async def _document(self, number: int) -> None:
        """A new version, repeated with its key until it is accepted; then until it, or a later one, is indexed."""
        serial = next(self._serials)
        token, key = version_token(self._client.tenant, PROBED, serial), f"probe-document-{number}-{serial}"
        name, version = document_name(PROBED), None
        while version is None:
            answer = await self._client.submit(name, document_text(PROBED, token, 1), token, key, probe=number)
            version = answer.body.get("version") if answer.outcome == "ok" else None
            if version is None:
                await asyncio.sleep(PROBE_EVERY_S)
        while True:
            answer = await self._client.read_document(name, probe=number)
            if answer.status == OK and (answer.body["visible_version"] or -1) >= version:
                return
            await asyncio.sleep(PROBE_EVERY_S)


@dataclass(slots=True)
class Nemesis:
    """Carries out the plan against one stack. ``report`` is told each group when it has recovered."""

    target: TargetStack
    provider: FaultProvider
    probes: ProbeSuite
    recorder: HistoryRecorder
    report: Callable[[list[InjectedFault]], None]

    async def run(self, plan: Iterable[FaultGroup], until: float) -> None:
        """Group after group; the last one begins before ``until``, seconds since the epoch."""
        for group in plan:
            await asyncio.sleep(group.quiet_s)
            if self.recorder.now() >= until:
                return
            await self.inflict(group)

    async def inflict(self, group: FaultGroup) -> None:
        """All faults of a group, their healing, and the recovery; then they are written down."""
        steps = [asyncio.create_task(self._take(group.number, step)) for step in group.steps]
        returns: list[asyncio.Task[InjectedFault]] = []
        try:
            for step in steps:
                returns.append(await step)  # noqa: PERF401 - each is cancelled below, also when the next one fails
            question_s, document_s = await self.probes.recover(group.number)
            faults = await asyncio.gather(*returns)
        finally:
            for task in (*steps, *returns):
                task.cancel()
            await asyncio.gather(*steps, *returns, return_exceptions=True)
        measured = [msgspec.structs.replace(fault, question_s=question_s, document_s=document_s) for fault in faults]
        for fault in measured:
            self.recorder.add(fault)
        self.report(measured)

    async def _take(self, number: int, step: FaultStep) -> "asyncio.Task[InjectedFault]":
        """Inflict one fault and heal it; the task ends when the part answers again."""
        await asyncio.sleep(step.after_s)
        begin = self.recorder.now()
        acts = {"kill": self._kill, "pause": self._pause, "provider": self._misbehave, "add": self._add, "flush": self._flush}
        back = await acts[step.kind](step)
        fault = InjectedFault(number=number, begin=begin, end=self.recorder.now(), kind=step.kind, target=step.target)
        return asyncio.create_task(self._await_return(fault, back))

    async def _await_return(self, fault: InjectedFault, back: Awaitable[None] | None) -> InjectedFault:
        if back is not None:
            with suppress(TimeoutError):
                await back
        return msgspec.structs.replace(fault, down_until=self.recorder.now() if back is not None else fault.end)

    async def _kill(self, step: FaultStep) -> Awaitable[None] | None:
        if step.target == "up":
            await self.target.kill()
            return self.target.start()  # healed by starting it again
        process = self.target.process(step.target)
        self.target.signal(process, signal.SIGKILL)
        return self.target.successor(step.target, process, SUCCESSOR_S_MAX)

    async def _pause(self, step: FaultStep) -> None:
        process = self.target.process(step.target)
        self.target.signal(process, signal.SIGSTOP)
        try:
            await asyncio.sleep(step.hold_s)
        finally:
            self.target.signal(process, signal.SIGCONT)

    async def _misbehave(self, step: FaultStep) -> None:
        await self.provider.behave(step.target)
        try:
            await asyncio.sleep(step.hold_s)
        finally:
            await self.provider.behave()

    async def _add(self, step: FaultStep) -> None:
        async with self.target.second_worker(step.target):
            await asyncio.sleep(step.hold_s)

    async def _flush(self, _: FaultStep) -> None:
        """Everything in Redis is lost; then its tables are rebuilt from the log."""
        await flush_redis(self.target)
        await self.target.command("rebuild", "tables", "--all")


async def flush_redis(target: TargetStack) -> None:
    """Remove every key, as FLUSHALL would: that command is nobody's. Raises Unavailable when Redis does not come back."""
    redis = connect(target.settings.redis)
    try:
        for left in reversed(range(FLUSH_TRIES)):
            try:
                async for key in redis.scan_iter(count=SCAN):
                    await redis.execute_command("UNLINK", key)
            except Unavailable:
                if not left:
                    raise
                await asyncio.sleep(FLUSH_PAUSE_S)
            else:
                return
    finally:
        await redis.aclose()
