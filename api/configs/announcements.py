"""The automatic end of a staged change, as people learn of it: an entry on the audit log, and a notice to every operator."""

from collections.abc import Callable

from domain.accounts.records import OPERATORS, OPERATORS_SCOPE
from domain.audit.entries import audit_entry
from domain.notices.notices import new_notice, notice_event
from schemas import ids
from schemas.audit import Actor
from schemas.configs import Config, StageOutcome
from schemas.traces import new_traceparent
from streams.clock import Clock
from streams.log.outgoing import Publisher
from streams.tables.projection import Tables

OPERATORS_MAX = 50
SOURCE = "api"
OUTCOMES: dict[StageOutcome, tuple[str, str, str]] = {  # the action on the audit log; in words
    "rolled_back": ("config.roll_back_stage", "rolled back", "已自动回滚"),
    "promoted": ("config.promote_stage", "promoted", "已自动提升"),
    "aborted": ("config.abort_stage", "aborted", "已中止"),
}


class StageAnnouncements:
    """Ids follow from the stage: a repeat is the same entry and the same notice."""

    def __init__(self, tables: Tables, publisher: Publisher, clock: Clock, random_bytes: Callable[[int], bytes]) -> None:
        self._tables, self._publisher, self._clock, self._random_bytes = tables, publisher, clock, random_bytes

    async def announce(self, config: Config) -> None:
        """``config`` is the revision that ended the stage. Raises Unavailable."""
        end = config.stage_end
        assert end is not None
        action, outcome, outcome_zh = OUTCOMES[end.outcome]
        traceparent = new_traceparent(self._random_bytes)
        entry = audit_entry(
            action,
            Actor(kind="system"),
            id=ids.derive("audit", "config-stage", end.id, end.outcome),
            tenant=ids.INSTALLATION,
            at=config.changed_at,
            source=f"/claw/{SOURCE}",
            traceparent=traceparent,
            target=config.key,
            detail={"revision": str(config.revision), "reason": config.reason}
            | {name: f"{value:g}" for name, value in end.figures.items()},
        )
        fields = {"key": config.key, "outcome": outcome, "outcome_zh": outcome_zh, "reason": config.reason}
        outgoing, now = [entry], self._clock.now()
        for operator in (await self._tables.of(OPERATORS).list(OPERATORS_SCOPE, limit=OPERATORS_MAX)).items:
            notice = await new_notice(self._tables, operator.tenant, operator.id, "config.stage_ended", fields, now, end.id)
            if notice is not None:
                outgoing.append(notice_event(notice, SOURCE, traceparent, now))
        await self._publisher.publish_all(outgoing)
