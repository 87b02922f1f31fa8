"""What the routes of the audit log use."""

from dataclasses import dataclass

from api.area import Opening
from domain.audit.reader import AuditReader


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPorts:
    """``reader`` reads the topic."""

    reader: AuditReader


def open_ports(opening: Opening) -> AuditPorts:
    """Built from the core."""
    core = opening.core
    return AuditPorts(reader=AuditReader(core.settings.kafka, core.publisher.partition_for))
