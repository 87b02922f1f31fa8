"""Later retries: when a version whose step failed for want of something outside is tried again.

A step is repeated in place for ``CLAW_LANE_RETRY_S``. What is away longer than that (a provider of embeddings, a web server) would hold up
its partition; so the version goes back to its queue at a time, as its progress event says, and the reconciler's durable timers queue it
then. After the last retry it fails, with a dead letter.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from domain.documents.progress import progress_event
from schemas.documents import Progress
from schemas.events import Event
from schemas.settings import DocumentSettings
from streams.log.outgoing import Outgoing

FACTOR = 5  # from one wait to the next
DELAY_S_MAX = 3_600.0
SPREAD = 0.2  # of a wait, to either side: what failed together does not return together
ORDINAL = 20  # of the progress events, behind those of the steps


def delay_s_of(retries: int, name: str, settings: DocumentSettings) -> float | None:
    """Seconds until the next retry after so many ``retries``; None when there is none. ``name`` decides where in the spread it lies."""
    if retries >= settings.retries_max:
        return None
    full_s = min(DELAY_S_MAX, settings.retry_delay_s * float(FACTOR**retries))
    share = int.from_bytes(hashlib.sha256(f"{name} {retries}".encode()).digest()[:4]) / 2**32
    return full_s * (1 - SPREAD + 2 * SPREAD * share)


def postponement(
    event: Event, agent: str, progress: Progress, settings: DocumentSettings, now: datetime, *, quiet: bool
) -> Sequence[Outgoing] | None:
    """The event that sends the version back to its queue, with ``progress``, which names the cause. None when there is no retry left, or
    when the work is ``quiet``: it fills a hidden collection, whose build has retries of its own.
    """
    delay_s = None if quiet else delay_s_of(progress.retries, f"{event.subject} {progress.version}", settings)
    if delay_s is None:
        return None
    later = msgspec.structs.replace(progress, retries=progress.retries + 1, retry_at=now + timedelta(seconds=delay_s))
    return [progress_event(event, agent, later, now, ordinal=ORDINAL)]
