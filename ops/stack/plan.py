"""The plan of a stack by its settings: every port is resolved and every refusal raised here, before any process starts."""

import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ops.stack.child import Component
from ops.stack.credentials import USER, ensure_credentials, ensure_instance
from ops.stack.environment import environment_of, with_secret
from ops.stack.fork_server import CLAW
from ops.stack.kafka import KafkaNode
from ops.stack.ports import claim, free_port
from ops.stack.probe import http_status
from ops.stack.redis import RedisNode
from schemas.errors import ConfigurationError
from schemas.settings import WORKER_GROUPS, Settings

NICE = {"documents": 5}  # bulk work has a lower priority than requests of people
OK = 200
EXIT_S = 1.0  # on top of the grace for work in flight: closing connections and writing the last log line

# Variables that reduce memory and threads of the Python processes on one machine; the user's own values have precedence.
PYTHON_ENVIRONMENT = {
    "PYTHONUNBUFFERED": "1",
    "MALLOC_ARENA_MAX": "2",  # glibc's arena per thread costs memory and buys nothing under the interpreter lock
    "OMP_NUM_THREADS": "1",  # small matrices: a thread pool per process only competes with the other workers
    "OPENBLAS_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "UNSTRUCTURED_DISABLE_NOTICE": "1",
    "SCARF_NO_ANALYTICS": "true",
    "DO_NOT_TRACK": "true",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """A stack that can be started: the settings of the children, the embedded servers (None: external ones), the processes."""

    settings: Settings
    environ: Mapping[str, str]
    kafka: KafkaNode | None
    redis: RedisNode | None
    services: tuple[Component, ...]
    service_environ: Mapping[str, str]  # what the services have in common

    @property
    def home(self) -> Path:
        return self.settings.node.home

    @property
    def logs(self) -> tuple[Path, ...]:
        """The log of every part."""
        return (*(node.log for node in (self.kafka, self.redis) if node is not None), *(service.log for service in self.services))

    @property
    def command(self) -> str:
        """The command line before the arguments, for an operator in this folder, with which a command finds the servers of this stack.

        Their addresses and passwords are in its home folder (``ops.stack.embedded``).
        """
        embedded = self.kafka or self.redis
        variables = [f"CLAW_HOME={self.home}"] if embedded and self.home != Settings().node.home.absolute() else []
        program = Path(sys.argv[0])
        name = "claw" if program.name != "claw" else os.path.relpath(program) if program.is_absolute() else str(program)
        return " ".join((*variables, name))

    @property
    def url(self) -> str:
        """The URL of the API."""
        host = _connect_address(self.settings.node.host)
        return f"http://[{host}]:{self.settings.node.port}" if ":" in host else f"http://{host}:{self.settings.node.port}"


def plan(settings: Settings, environ: Mapping[str, str]) -> Plan:
    """Resolve home, ports and secret; raises ConfigurationError naming the variable, with nothing started."""
    home = settings.node.home.absolute()
    _refuse_impossible(settings)
    taken: set[int] = set()
    api_port = claim("CLAW_PORT", settings.node.port, taken, settings.node.host)
    kafka = redis = None
    credentials = ensure_credentials(home) if not (settings.kafka.bootstrap and settings.redis.url) else None
    if credentials and not settings.kafka.bootstrap:
        port = claim("CLAW_KAFKA_PORT", settings.kafka.port, taken)
        ports = port, claim("controller", 0, taken)
        kafka = KafkaNode(home / "kafka", home / "logs" / "kafka.log", *ports, settings.kafka.heap_mib, credentials.kafka)
    if credentials and not settings.redis.url:
        port = claim("CLAW_REDIS_PORT", settings.redis.port, taken) if settings.redis.port else 0
        user, password = settings.redis.username or USER, settings.redis.password or credentials.redis
        redis = RedisNode(home / "redis", home / "logs" / "redis.log", port, user, password)
    change = msgspec.structs.replace
    resolved = with_secret(
        change(
            settings,
            node=change(settings.node, home=home, port=api_port, metrics_port=0),
            kafka=kafka.settings(settings.kafka) if kafka else settings.kafka,
            redis=redis.settings(settings.redis) if redis else settings.redis,
        ),
        environ,
        create=True,
    )
    children = PYTHON_ENVIRONMENT | environment_of(resolved, environ)
    services = *_worker_groups(resolved, children, taken), _api(resolved, children)
    return Plan(resolved, environ, kafka, redis, services, children)


def _refuse_impossible(settings: Settings) -> None:
    if not settings.kafka.bootstrap and settings.kafka.security_protocol != "PLAINTEXT":
        raise ConfigurationError("CLAW_KAFKA_SECURITY_PROTOCOL needs CLAW_KAFKA_BOOTSTRAP: the embedded broker has credentials of its own")
    if not settings.redis.url and settings.redis.username and not settings.redis.password:
        raise ConfigurationError("CLAW_REDIS_USERNAME needs CLAW_REDIS_PASSWORD")


def _worker_groups(settings: Settings, environ: Mapping[str, str], taken: set[int]) -> list[Component]:
    lanes, instance = [], ensure_instance(settings.node.home)
    for lane in WORKER_GROUPS:
        port = free_port(taken)
        taken.add(port)
        lanes.append(
            Component(
                name=lane,
                command=(*CLAW, "worker", "--lane", lane),
                environ={"CLAW_LANE_INSTANCE": instance, **environ, "CLAW_METRICS_PORT": str(port)},
                log=settings.node.home / "logs" / f"{lane}.log",
                answers=_readiness_probe("127.0.0.1", port),
                where=f"127.0.0.1:{port}",
                stop_s=settings.node.shutdown_grace_s + EXIT_S,
                nice=NICE.get(lane, 0),
            )
        )
    return lanes


def _api(settings: Settings, environ: Mapping[str, str]) -> Component:
    host, port = settings.node.host, settings.node.port
    return Component(
        name="api",
        command=(*CLAW, "api"),
        environ=environ,
        log=settings.node.home / "logs" / "api.log",
        answers=_readiness_probe(_connect_address(host), port),
        where=f"{host}:{port}",
        stop_s=settings.node.shutdown_grace_s + EXIT_S,
    )


def _readiness_probe(host: str, port: int) -> Callable[[], Awaitable[bool]]:
    async def ready() -> bool:
        return await http_status(port, "/readyz", host) == OK

    return ready


def _connect_address(host: str) -> str:
    """The address to connect to for a server bound to ``host``."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared with, not bound to
