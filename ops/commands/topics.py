"""Topic administration: creates missing topics, corrects or reports drift, refuses changes of partition counts."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.coordinator.protocol import ConsumerProtocolMemberMetadata
from aiokafka.errors import KafkaError, for_code

from adapters.kafka import connection_options, open_admin
from domain.areas import all_topics
from schemas.errors import ConfigurationError, Unavailable
from schemas.settings import KafkaSettings, Settings
from streams.log.reader import GROUP_PREFIX, retry_for_coordinator
from streams.topics import Topic

REQUEST_MS = 15_000  # one administrative call
SETTLE_S = 15.0  # until every changed topic shows its leaders and configuration
SETTLE_EVERY_S = 0.05
NONE, UNKNOWN_TOPIC, ALREADY_EXISTS = 0, 3, 36  # Kafka's error codes
UNFINISHED = "claw.restore.unfinished"  # the topic that is there while a restore writes the others
SET_ON_TOPIC = 1  # where a value of DescribeConfigs comes from: the topic itself

Kind = Literal["missing", "partitions", "configuration"]


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference between the catalogue and the broker."""

    topic: str
    kind: Kind
    detail: str

    def __str__(self) -> str:
        return f"{self.topic}: {self.detail}"


@dataclass(frozen=True, slots=True)
class BrokerTopic:
    """A topic of the broker: partition count, and the configuration set on the topic itself and in effect."""

    partitions: int
    own: Mapping[str, str]
    effective: Mapping[str, str]


def catalogue(settings: Settings) -> tuple[Topic, ...]:
    """Every topic of this installation."""
    return all_topics(settings.lanes.inboxes)


def broker_name(kafka: KafkaSettings, topic: Topic) -> str:
    """The topic's name on the broker."""
    return kafka.topic_prefix + topic.name


async def check(kafka: KafkaSettings, topics: Sequence[Topic]) -> list[Drift]:
    """Every difference, in catalogue order; raises Unavailable when the broker cannot be reached."""
    async with open_administration(kafka) as admin:
        return _compare(kafka, topics, await _describe_topics(admin, {broker_name(kafka, topic) for topic in topics}))


async def apply(kafka: KafkaSettings, topics: Sequence[Topic]) -> list[Drift]:
    """Create what is missing, correct configurations; returns what was changed.

    Raises ConfigurationError, having changed nothing, when a partition count differs (it can never be changed: order, compaction and event
    ids hang on it) or the broker refuses a topic; Unavailable when it cannot be reached.
    """
    async with open_administration(kafka) as admin:
        await refuse_unfinished(admin, kafka)
        standing = await _describe_topics(admin, {broker_name(kafka, topic) for topic in topics})
        drifts = _compare(kafka, topics, standing)
        if fixed := [drift for drift in drifts if drift.kind == "partitions"]:
            raise ConfigurationError("; ".join(map(str, fixed)))
        by_name = {broker_name(kafka, topic): topic for topic in topics}
        if missing := [by_name[drift.topic] for drift in drifts if drift.kind == "missing"]:
            await _create(admin, kafka, missing)
        for drift in drifts:
            if drift.kind == "configuration":
                await configure(admin, drift.topic, {**standing[drift.topic].own, **by_name[drift.topic].configuration()})
        if drifts:
            await _settle(admin, kafka, topics)
        return drifts


async def refuse_unfinished(admin: AIOKafkaAdminClient, kafka: KafkaSettings) -> None:
    """Raise ConfigurationError when a restore into this installation began and did not end."""
    if kafka.topic_prefix + UNFINISHED in await admin.list_topics():
        raise ConfigurationError(
            "a restore into this installation did not end: run `claw restore` again with everything stopped, which begins anew"
        )


async def names(kafka: KafkaSettings) -> frozenset[str]:
    """Every topic of this installation that the broker has, without the prefix; raises Unavailable when it cannot be reached."""
    async with open_administration(kafka) as admin:
        found = await admin.list_topics()
    return frozenset(name.removeprefix(kafka.topic_prefix) for name in found if name.startswith(kafka.topic_prefix))


async def subscriptions(kafka: KafkaSettings, lane: str) -> frozenset[str] | None:
    """The topics, without the prefix, that the running workers of a group read; None when none runs. Raises Unavailable."""
    async with open_administration(kafka) as admin:
        groups = [f"{kafka.topic_prefix}{GROUP_PREFIX}{lane}"]
        (response,) = await retry_for_coordinator(lambda: admin.describe_consumer_groups(groups))
    members = [member for group in response.to_object()["groups"] for member in group["members"] if member["member_metadata"]]
    if not members:
        return None
    read = [ConsumerProtocolMemberMetadata.decode(member["member_metadata"]).subscription for member in members]
    return frozenset(name.removeprefix(kafka.topic_prefix) for topics in read for name in topics)


async def delete(kafka: KafkaSettings, topics: Sequence[Topic]) -> None:
    """Delete topics that exist; for tests and for taking an installation down for good."""
    async with open_administration(kafka) as admin:
        await delete_named(admin, [broker_name(kafka, topic) for topic in topics])


async def delete_named(admin: AIOKafkaAdminClient, names: Sequence[str]) -> None:
    """Delete the topics of these names on the broker that exist."""
    response = await admin.delete_topics(list(names), timeout_ms=REQUEST_MS)
    for name, code in response.topic_error_codes:
        if code not in (NONE, UNKNOWN_TOPIC):
            raise Unavailable("kafka_unavailable", f"{name} could not be deleted: {for_code(code).__name__}")


async def read_topics(kafka: KafkaSettings) -> dict[str, BrokerTopic]:
    """The topics of this installation that the broker has, by their names without prefix; raises Unavailable."""
    async with open_administration(kafka) as admin:
        prefix = f"{kafka.topic_prefix}{GROUP_PREFIX}"
        names = {name for name in await admin.list_topics() if name.startswith(prefix)}
        return {name.removeprefix(kafka.topic_prefix): each for name, each in (await _describe_topics(admin, names)).items()}


def run(settings: Settings, action: Literal["apply", "check"]) -> int:
    """The command: prints the changes or differences; returns the exit code."""
    topics = catalogue(settings)
    drifts = asyncio.run((apply if action == "apply" else check)(settings.kafka, topics))
    for drift in drifts:
        print(drift, file=sys.stdout if action == "apply" else sys.stderr)
    if action == "apply":
        print(f"{len(topics)} topics as they should be on {settings.kafka.servers}, {len(drifts)} made or changed")
        return 0
    if not drifts:
        print(f"{len(topics)} topics as they should be on {settings.kafka.servers}")
    return 1 if drifts else 0


@asynccontextmanager
async def open_administration(kafka: KafkaSettings) -> AsyncIterator[AIOKafkaAdminClient]:
    """A client for administration; raises Unavailable, also for what goes wrong inside the block."""
    try:
        async with open_admin(connection_options(kafka), request_ms=REQUEST_MS, client_id="claw-topics") as admin:
            yield admin
    except (KafkaError, TimeoutError) as error:
        raise Unavailable("kafka_unavailable", f"{kafka.servers}: {error}") from error


async def _describe_topics(admin: AIOKafkaAdminClient, names: AbstractSet[str]) -> dict[str, BrokerTopic]:
    described = await admin.describe_topics()  # all of them: asking for one by name would create it on a broker that does so by itself
    partitions = {row["topic"]: len(row["partitions"]) for row in described if row["topic"] in names}
    if not partitions:
        return {}
    standing: dict[str, BrokerTopic] = {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name, None) for name in partitions]
    for response in await admin.describe_configs(resources):
        for code, message, _, name, entries in response.resources:
            raise_for_code(name, code, message)
            own = {entry[0]: entry[1] for entry in entries if entry[3] == SET_ON_TOPIC}
            standing[name] = BrokerTopic(partitions[name], own, {entry[0]: entry[1] for entry in entries})
    return standing


def _compare(kafka: KafkaSettings, topics: Sequence[Topic], standing: Mapping[str, BrokerTopic]) -> list[Drift]:
    drifts: list[Drift] = []
    for topic in topics:
        name, wanted = broker_name(kafka, topic), topic.partitions(kafka)
        there = standing.get(name)
        if there is None:
            drifts.append(Drift(name, "missing", f"missing, {wanted} partitions"))
            continue
        if not topic.allows(there.partitions, kafka):
            variable = "CLAW_KAFKA_REPLY_PARTITIONS" if topic.count == "replies" else "CLAW_KAFKA_PARTITIONS"
            detail = (
                f"has {there.partitions} partitions, {variable} says {wanted}: the count of a keyed topic never changes, for the order of "
                f"its keys and its event ids hang on it; set {variable}={there.partitions}"
            )
            drifts.append(Drift(name, "partitions", detail))
        differing = {key: value for key, value in topic.configuration().items() if there.effective.get(key) != value}
        if differing:
            detail = ", ".join(f"{key} is {there.effective.get(key)}, should be {value}" for key, value in sorted(differing.items()))
            drifts.append(Drift(name, "configuration", detail))
    return drifts


async def _create(admin: AIOKafkaAdminClient, kafka: KafkaSettings, topics: Sequence[Topic]) -> None:
    wanted = [
        NewTopic(broker_name(kafka, topic), topic.partitions(kafka), kafka.replication_factor, topic_configs=topic.configuration())
        for topic in topics
    ]
    response = await admin.create_topics(wanted, timeout_ms=REQUEST_MS)
    for name, code, message in response.topic_errors:
        if code != ALREADY_EXISTS:  # another process applies at the same time
            raise_for_code(name, code, message)


def _has_leaders(row: Mapping[str, Any]) -> bool:
    return row["error_code"] == NONE and bool(row["partitions"]) and all(partition["leader"] >= 0 for partition in row["partitions"])


async def _settle(admin: AIOKafkaAdminClient, kafka: KafkaSettings, topics: Sequence[Topic]) -> None:
    """Wait until the change is visible: a broker acknowledges it before applying it, and clients need topics that have leaders."""
    names = {broker_name(kafka, topic) for topic in topics}
    deadline = time.monotonic() + SETTLE_S
    while True:
        rows = [row for row in await admin.describe_topics() if row["topic"] in names]
        if all(map(_has_leaders, rows)) and not _compare(kafka, topics, await _describe_topics(admin, names)):
            return
        if time.monotonic() > deadline:
            raise Unavailable("kafka_unavailable", f"the broker does not show the changed topics after {SETTLE_S:g} s")
        await asyncio.sleep(SETTLE_EVERY_S)


async def configure(admin: AIOKafkaAdminClient, name: str, configuration: Mapping[str, str]) -> None:
    """Set the whole configuration of a topic: this call replaces, so values set by operators are part of ``configuration``."""
    for response in await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, dict(configuration))]):
        for code, message, _, topic in response.resources:
            raise_for_code(topic, code, message)


def raise_for_code(name: str, code: int, message: str | None) -> None:
    """Raise the exception of an error code: Unavailable when it passes by itself, else ConfigurationError."""
    if code == NONE:
        return
    error = for_code(code)
    text = f"{name}: {message or error.__name__}"
    if error.retriable:
        raise Unavailable("kafka_unavailable", text)
    raise ConfigurationError(text)
