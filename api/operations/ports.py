"""What the routes for operators use."""

from dataclasses import dataclass

from api.area import Opening
from api.chats.ports import ChatPorts
from api.core import Core
from api.operations.readiness import Health


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationsPorts:
    """``health`` asks every part whether it is up."""

    core: Core
    health: Health


def open_ports(opening: Opening) -> OperationsPorts:
    """Built from the core; readiness includes the relay of replies."""
    core = opening.core
    prefix = core.settings.redis.key_prefix
    return OperationsPorts(
        core=core,
        health=Health(core.redis, prefix, core.publisher, opening.ports(ChatPorts).relay, core.watches.tables, core.watches.clients),
    )
