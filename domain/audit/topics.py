"""The topic of the audit log."""

from schemas import audit
from streams.topics import DAY_MS, Topic

RETENTION_DAYS = 400  # a year and the month in which it is looked at

AUDIT_RECORDED = Topic(
    "claw.audit.recorded.v1",
    "tenant",
    audit.AuditRecorded,
    ("api", "ops"),
    "The audit log: what was done or refused that concerns security, by whom and from where.",
    RETENTION_DAYS * DAY_MS,
    private=True,  # it has addresses
    readers=("api",),
)
