"""The area of the audit log."""

from domain.area import Area
from domain.audit.topics import AUDIT_RECORDED

AREA = Area(name="audit", topics=(AUDIT_RECORDED,))
