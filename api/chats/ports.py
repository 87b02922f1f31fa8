"""What the routes of questions, answers and conversations use."""

from dataclasses import dataclass

from api.area import Opening
from api.chats.asked_questions import AskedQuestions
from api.chats.estimates import Estimates
from api.chats.reply_locations import ReplyLocations
from api.chats.running import RunningConversations
from api.core import Core
from api.http.ports import HttpPorts
from api.limits.ports import LimitPorts
from api.limits.quotas import Quotas
from domain.chats.audit_trail import AuditTrails
from domain.chats.relay import Relay
from domain.chats.reply_lock import ReplyLocks


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatPorts:
    """``running`` remembers conversations that are active in this process, ``asked`` its questions; they go on while Redis is down."""

    core: Core
    http: HttpPorts
    relay: Relay
    reply_locks: ReplyLocks
    locations: ReplyLocations
    running: RunningConversations
    asked: AskedQuestions
    estimates: Estimates
    audit_trails: AuditTrails
    quotas: Quotas


def open_ports(opening: Opening) -> ChatPorts:
    """Built from the core and the limits."""
    core, limits = opening.core, opening.ports(LimitPorts)
    settings, prefix = core.settings, core.settings.redis.key_prefix
    relay, reply_locks = Relay(settings.kafka), ReplyLocks(core.redis, prefix)
    estimates = Estimates(
        core.redis, prefix, core.clock, settings.documents.wait_s_max, settings.limits.chat_wait_s_max, settings.lanes.weight_of
    )
    opening.run(relay)
    opening.stop_with(estimates.stop)
    return ChatPorts(
        core=core,
        http=limits.http,
        relay=relay,
        reply_locks=reply_locks,
        locations=ReplyLocations(core, reply_locks),
        running=RunningConversations(),
        asked=AskedQuestions(),
        estimates=estimates,
        audit_trails=AuditTrails(settings.kafka),
        quotas=limits.quotas,
    )
