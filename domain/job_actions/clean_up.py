"""The action ``clean_up``: removes what no process removes by itself.

* Files of unfinished uploads, and copies of files, that a killed process left behind.
* Invitations that expired a month ago unused: the address that they were for goes with them.
* Entries of lists whose records have expired: what is written often (messages to webhooks, notices, runs) leaves one behind for each.

Sessions, tasks, idempotency keys and records on the log expire by themselves.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from adapters.blobs import BlobStore
from adapters.redis.client import RedisClient
from domain.accounts.invitations import INVITATIONS, LISTED, invitation_lease
from domain.accounts.topics import INVITATIONS_CHANGED
from domain.areas import RECORDS
from domain.jobs.runner import JobStep
from domain.jobs.steps import count_result, go_on, stop, succeed
from schemas import ids
from schemas.jobs import Job
from schemas.records import Invitation, InvitationChanged
from schemas.traces import new_traceparent
from streams.clock import Clock
from streams.log.outgoing import Outgoing
from streams.tables.projection import Tables
from streams.tables.record_writer import RecordWriter

INVITATION_AGE = timedelta(days=30)  # after its end
INVITATIONS_MAX = 200  # removed by one run, of as many pages
PAGES_MAX = 20
SCANS_MAX = 50  # of Redis' keys, in one step
SCAN_KEYS = 1_000  # looked at by one of them, about a millisecond
SOURCE = "run_jobs"

EXPIRING = tuple(record for record in RECORDS if record.retention_s is not None)


def clean_up_step(
    blobs: BlobStore,
    redis: RedisClient,
    prefix: str,
    tables: Tables,
    records: RecordWriter,
    clock: Clock,
    random_bytes: Callable[[int], bytes],
) -> JobStep:
    """``position`` is empty at first, then the cursor in Redis' keys."""

    async def step(job: Job) -> Job:
        if job.cancel:
            return stop(job, clock.now())
        if not job.position:
            job = count_result(job, "unfinished_uploads", await blobs.sweep())
            removed = 0
            for invitation in await _find_expired(tables, clock.now()):
                removed += await _remove_invitation(tables, records, invitation, clock.now(), random_bytes)
            return _advance(count_result(job, "invitations", removed), "0", clock.now())
        cursor, removed = job.position, 0
        for _ in range(SCANS_MAX):
            cursor, gone = await _sweep_lists(redis, prefix, tables, cursor)
            removed += gone
            if cursor == "0":
                job = count_result(job, "expired_entries", removed)
                return succeed(replace(job, unit="removed"), clock.now(), done=sum(job.results.values()))
        return _advance(count_result(job, "expired_entries", removed), cursor, clock.now())

    return step


def _advance(job: Job, position: str, now: datetime) -> Job:
    return go_on(job, now, position=position, done=sum(job.results.values()), unit="removed")


async def _find_expired(tables: Tables, now: datetime) -> Sequence[Invitation]:
    """Invitations that nobody used, and nobody can use any more; the oldest first."""
    found: list[Invitation] = []
    cursor = ""
    for _ in range(PAGES_MAX):
        page = await tables.of(INVITATIONS).list(LISTED, limit=500, cursor=cursor, newest_first=False)
        found += [each for each in page.items if not each.account_id and each.expires_at + INVITATION_AGE <= now]
        cursor = page.next_cursor
        if not cursor or len(found) >= INVITATIONS_MAX:
            break
    return found[:INVITATIONS_MAX]


async def _remove_invitation(
    tables: Tables, records: RecordWriter, invitation: Invitation, now: datetime, random_bytes: Callable[[int], bytes]
) -> int:
    async with records.lease(invitation_lease(invitation.id)):
        present = await tables.of(INVITATIONS).get(LISTED, invitation.id)
        if present is None or present.account_id:
            return 0
        removed = replace(present, email="", revoked=True, revision=present.revision + 1)
        event = InvitationChanged(
            id=ids.derive("invitation-expired", removed.id, removed.revision),
            source=f"/claw/{SOURCE}",
            subject=removed.id,
            time=now,
            tenant=removed.tenant or ids.INSTALLATION,
            traceparent=new_traceparent(random_bytes),
            data=removed,
        )
        await records.change(Outgoing(INVITATIONS_CHANGED, event))
    return 1


async def _sweep_lists(redis: RedisClient, prefix: str, tables: Tables, cursor: str) -> tuple[str, int]:
    """The next keys of Redis: of the lists among them, the entries whose records have expired go. Returns the cursor, "0" at the end."""
    after, keys = await redis.execute_command("SCAN", cursor, "MATCH", f"{prefix}:index:{{*", "COUNT", SCAN_KEYS)
    removed = 0
    for key in keys:
        table, _, scope = key.decode(errors="replace").removeprefix(f"{prefix}:index:{{").removesuffix("}").partition(":")
        for record in EXPIRING:
            if record.table == table:
                removed += await tables.of(record).sweep(scope)
    return after.decode() if isinstance(after, bytes) else str(after), removed
