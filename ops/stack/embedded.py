"""How a command beside a stack finds its embedded servers: addresses and passwords are in the home folder, for its owner alone."""

from pathlib import Path

import msgspec

from ops.stack.credentials import USER, read_credentials
from ops.stack.kafka import MECHANISM
from ops.stack.state import StackState, read_state
from schemas.settings import NodeSettings, Settings

change = msgspec.structs.replace


def locate_servers(settings: Settings) -> Settings:
    """``settings`` with the addresses and credentials of the embedded servers of ``CLAW_HOME``, where other servers are not given.

    Raises ConfigurationError when the credentials are there and cannot be used.
    """
    home = settings.node.home.absolute()
    state, kafka, redis = read_state(home), settings.kafka, settings.redis
    of_kafka = kafka.security_protocol == "PLAINTEXT" and _is_embedded("kafka", kafka.bootstrap, state.kafka if state else "", state)
    of_redis = _is_embedded("redis", redis.url, state.redis if state else "", state)
    credentials = read_credentials(home) if of_kafka or of_redis else None
    if credentials is None:
        return settings
    if of_kafka:
        kafka = change(
            kafka,
            bootstrap=state.kafka if state else "",
            security_protocol="SASL_PLAINTEXT",
            sasl_mechanism=MECHANISM,
            sasl_username=USER,
            sasl_password=credentials.kafka,
        )
    if of_redis:
        url = state.redis if state else ""
        redis = change(redis, url=url, username=redis.username or USER, password=redis.password or credentials.redis)
    return change(settings, kafka=kafka, redis=redis)


def locate(home: Path) -> Settings:
    """Standard settings with the embedded servers of the stack that runs in ``home``."""
    return locate_servers(Settings(node=NodeSettings(home=home)))


def _is_embedded(name: str, given: str, address: str, state: StackState | None) -> bool:
    """Whether a server is the stack's own: none is given, or the very one that the stack runs."""
    if state is None:
        return not given
    return name in state.components and given in ("", address)
