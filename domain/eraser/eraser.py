"""The work of an erasure: rounds that remove what is there, and a check that counts what is left.

A round reads every compacted topic from its beginning, publishes what removes the records of the erasure, takes the keys out of Redis, the
files out of the store and the points out of the index. It knows nothing of the rounds before: one that was broken off, or an event that was
under way when it read, is work for the next. The check changes nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

from adapters.blobs import BlobStore, blob_folder
from adapters.redis.client import RedisClient
from domain.accounts.records import EMAILS, TENANT_ACCOUNTS, email_scope
from domain.accounts.topics import ACCOUNTS_CHANGED
from domain.chats.reply_lock import ReplyLocks
from domain.chats.topics import CONVERSATIONS_CHANGED
from domain.documents import topics as documents
from domain.documents.visibility import VersionState, Visibility
from domain.eraser.index_place import IndexPlace
from domain.eraser.log_places import ADDRESSES, BY_TOPIC, LOG_PLACES, TopicPlace
from domain.eraser.log_scan import Bounds, Leftover, Owned, TopicScan, scan_topic
from domain.eraser.needles import Needles
from domain.eraser.redis_scan import scan_redis
from domain.eraser.removal import SOURCE, document_of, handover, last_states, pending_documents, publish_tombstones, withdrawals
from domain.eraser.terms import TermCipher
from domain.erasures.settings import ErasureSettings
from domain.knowledge.topics import KNOWLEDGE_CHANGED
from domain.statistics.table import StatisticsTable
from schemas import ids
from schemas.erasures import Erasure, PlaceResult
from schemas.errors import ClawError, Unavailable
from schemas.settings import Settings
from streams.clock import Clock
from streams.log.outgoing import LogOffset, Outgoing, Publisher
from streams.log.reader import LogReader, open_log_reader
from streams.tables.projection import Tables
from streams.tables.record_writer import RecordWriter

MEMBERS_PAGE = 500
NEVER = 2**63  # above every offset: nothing is left to wait for
VERSION_STATES = 500  # documents asked for at once
DOCUMENT_TOPICS = frozenset(
    topic.name
    for topic in (
        documents.DOCUMENTS_SUBMITTED,
        documents.DOCUMENTS_PROGRESSED,
        documents.DOCUMENTS_ALIASED,
        documents.DOCUMENTS_REQUESTED,
        documents.DOCUMENTS_VERSIONS,
    )
)
REMOVED = tuple(place for place in LOG_PLACES if place.means == "removed" and place.topic is not KNOWLEDGE_CHANGED)
FILES, INDEX = "files of documents", "vector index"


@dataclass(slots=True)
class RoundResult:
    """What a round ``removed``, and how many documents have to be waited for."""

    removed: int = 0
    pending: int = 0


@dataclass(slots=True)
class Check:
    """What a check found."""

    places: list[PlaceResult] = field(default_factory=list)
    leftovers: list[Leftover] = field(default_factory=list)


class Eraser:
    """Methods raise Unavailable: the round is done again."""

    def __init__(
        self,
        settings: Settings,
        redis: RedisClient,
        publisher: Publisher,
        tables: Tables,
        records: RecordWriter,
        blobs: BlobStore,
        index: IndexPlace,
        clock: Clock,
    ) -> None:
        self._settings, self._redis, self._prefix = settings, redis, settings.redis.key_prefix
        self._publisher, self._tables, self._records = publisher, tables, records
        self._blobs, self._index, self._clock = blobs, index, clock
        self._terms, self._replies = TermCipher(settings), ReplyLocks(redis, self._prefix)
        self._visibility = Visibility(redis, self._prefix)
        self._statistics = StatisticsTable(redis, settings)

    async def find_needles(self, erasure: Erasure, terms: Sequence[str] = ()) -> Needles:
        """What is looked for. An address that has got another owner is not: it would lead to them."""
        opened = self._terms.open(erasure.id, erasure.sealed_terms)
        if opened is not None and opened.address and await self._is_taken(opened.address, erasure):
            opened = None
        needles = Needles(
            tenant=erasure.tenant,
            account_id=erasure.account_id,
            address=opened.address if opened else "",
            name=opened.name if opened else "",
            terms=terms,
        )
        needles.add(erasure.knowledge_base_ids)
        return needles

    async def find_bases(self, erasure: Erasure) -> tuple[str, ...]:
        """The knowledge bases that go with the erasure: all of a tenant, the private ones of an account."""
        needles = await self.find_needles(erasure)
        async with open_log_reader(self._settings.kafka) as reader:
            scan = await scan_topic(reader, BY_TOPIC[KNOWLEDGE_CHANGED.name], needles)
        found = (owned.event.data.id for owned in scan.owned.values() if owned.event is not None)
        return tuple(dict.fromkeys((*erasure.knowledge_base_ids, *found)))

    async def shut(self, erasure: Erasure) -> None:
        """Disable the accounts, so that nobody of them gets in from now on."""
        needles, now = await self.find_needles(erasure), self._clock.now()
        async with open_log_reader(self._settings.kafka) as reader:
            scan = await scan_topic(reader, BY_TOPIC[ACCOUNTS_CHANGED.name], needles)
        for owned in scan.owned.values():
            if owned.event is not None and not owned.event.data.disabled:
                changed = msgspec.structs.replace(owned.event.data, disabled=True, revision=owned.event.data.revision + 1)
                event_id = ids.derive("erasure", erasure.id, "shut", changed.id, changed.revision)
                event = msgspec.structs.replace(owned.event, id=event_id, source=SOURCE, time=now, data=changed)
                await self._records.change(Outgoing(ACCOUNTS_CHANGED, event))

    async def run_round(self, erasure: Erasure) -> RoundResult:
        """One round. What ``find_bases`` returns must be in the record before: once a knowledge base is gone, nothing else names it."""
        done, needles = RoundResult(), await self.find_needles(erasure)
        async with open_log_reader(self._settings.kafka) as reader:
            bounds = await reader.all_bounds(place.topic for place in LOG_PLACES)
            done.removed += await self._hand_over(reader, erasure, needles, bounds[KNOWLEDGE_CHANGED.name])
            waiting: set[str] = set()
            for place in REMOVED:
                scan = await scan_topic(reader, place, needles, bounds[place.topic.name])
                if place.topic is documents.DOCUMENTS_SUBMITTED:
                    waiting = await self._withdraw(scan, erasure)
                    done.pending += len(waiting)
                done.removed += await self._remove(scan, erasure, waiting)
            if not done.pending:  # a document that is to be deleted is found by its knowledge base
                bases = await scan_topic(reader, BY_TOPIC[KNOWLEDGE_CHANGED.name], needles)
                done.removed += await self._remove(bases, erasure, set())
        if not done.pending:
            done.removed += await self._remove_points(erasure)
        done.removed += await self._remove_files(erasure)
        speed = self._settings.of(ErasureSettings).keys_per_second
        keep = ("visibility",) if done.pending else ()  # it says whether their deletion was read
        done.removed += (await scan_redis(self._redis, self._prefix, needles, remove=True, keep=keep, keys_per_second=speed)).removed
        if erasure.account_id:  # sums of the organisation stay, and name nobody
            await self._statistics.erase_account(erasure.tenant, erasure.account_id, self._clock.now())
        return done

    async def check(self, erasure: Erasure, terms: Sequence[str] = ()) -> Check:
        """Read everything and count. A place that cannot be read is named as unchecked."""
        check, needles = Check(), await self.find_needles(erasure, terms)
        check.places += self._check_terms(erasure, needles)
        async with open_log_reader(self._settings.kafka) as reader:
            bounds = await reader.all_bounds(place.topic for place in LOG_PLACES)
            for place in LOG_PLACES:  # in this order: what others hang on comes before them
                scan = await scan_topic(reader, place, needles, bounds[place.topic.name])
                check.places.append(scan.result())
                check.leftovers += scan.leftovers
        speed = self._settings.of(ErasureSettings).keys_per_second
        found = await scan_redis(self._redis, self._prefix, needles, remove=False, keys_per_second=speed)
        check.places += found.results()
        check.leftovers += found.leftovers
        await self._check_files(check, erasure)
        await self._check_index(check, erasure)
        known = {(each.kind, each.place): each.before for each in erasure.places}
        check.places = [
            msgspec.structs.replace(each, before=known.get((each.kind, each.place), each.left + each.expiring)) for each in check.places
        ]
        return check

    async def _is_taken(self, address: str, erasure: Erasure) -> bool:
        """Whether the address belongs to another account, or one of another tenant, now."""
        scope = email_scope(address)
        owner = await self._tables.of(EMAILS).get(scope, scope)
        return owner is not None and (owner.account_id != erasure.account_id if erasure.account_id else owner.tenant != erasure.tenant)

    def _check_terms(self, erasure: Erasure, needles: Needles) -> Sequence[PlaceResult]:
        """That the address was not looked for, and why."""
        if not erasure.sealed_terms:
            return ()
        opened = self._terms.open(erasure.id, erasure.sealed_terms)
        if opened is None:
            return [PlaceResult(place=ADDRESSES, kind="topic", means="removed", unchecked="the secret that encrypts them is gone")]
        return [PlaceResult(place=ADDRESSES, kind="topic", means="kept", kept=1)] if opened.address and not needles.address else ()

    async def _hand_over(self, reader: LogReader, erasure: Erasure, needles: Needles, bounds: Bounds) -> int:
        """Shared knowledge bases get another owner: they belong to the organisation."""
        if not erasure.account_id:
            return 0
        shared = await _find_shared(reader, needles, bounds)
        if not shared:
            return 0
        successor, now = await self._find_successor(erasure), self._clock.now()
        for owned in shared:
            event = handover(owned.event, erasure, successor, now)
            await self._records.change(Outgoing(KNOWLEDGE_CHANGED, event, key=owned.key.decode(), partition=owned.partition))
        return len(shared)

    async def _find_successor(self, erasure: Erasure) -> str:
        """The oldest other admin of the tenant, else its oldest member that is not disabled, else nobody."""
        cursor, member = "", ""
        while True:
            page = await self._tables.of(TENANT_ACCOUNTS).list(erasure.tenant, limit=MEMBERS_PAGE, cursor=cursor, newest_first=False)
            for account in page.items:
                if account.id != erasure.account_id and not account.disabled:
                    if account.role != "user":
                        return account.id
                    member = member or account.id
            cursor = page.next_cursor
            if not cursor:
                return member

    async def _withdraw(self, scan: TopicScan, erasure: Erasure) -> set[str]:
        """Delete the documents that are still there; returns those whose deletion is under way."""
        await self._publisher.publish_all(withdrawals(scan, erasure, self._clock.now()))
        keys, deleted = [document_of(owned.key) for owned in scan.owned.values()], dict[str, int]()
        for start in range(0, len(keys), VERSION_STATES):
            states = await self._visibility.version_states(keys[start : start + VERSION_STATES])
            gone = {key: NEVER for key, state in states.items() if state == VersionState()}  # a round before has removed it
            deleted.update({key: state.deleted for key, state in states.items()} | gone)
        return pending_documents(scan, deleted)

    async def _remove(self, scan: TopicScan, erasure: Erasure, waiting: set[str]) -> int:
        """Publish last states and tombstones; documents that are ``waiting`` to be deleted stay for a later round."""
        topic = scan.place.topic
        if topic.name in DOCUMENT_TOPICS:
            scan.owned = {at: owned for at, owned in scan.owned.items() if document_of(owned.key) not in waiting}
        if topic is CONVERSATIONS_CHANGED:
            await self._cancel_replies(scan.owned.values())
        await self._records.change(*last_states(scan, erasure, self._clock.now()))
        await publish_tombstones(self._publisher, topic, list(scan.owned))
        rows = [
            (owned.event, LogOffset(topic.name, owned.partition, owned.offset)) for owned in scan.owned.values() if owned.event is not None
        ]
        await self._tables.remove_many(rows)
        return len(scan.owned)

    async def _cancel_replies(self, conversations: Iterable[Owned]) -> None:
        """Stop the answers that are being written: what they have so far must not be stored."""
        for owned in conversations:
            if owned.event is None:
                continue
            tenant, conversation = owned.event.tenant, owned.event.data.id
            reply = await self._replies.holder(tenant, conversation)
            if reply is not None:
                await self._replies.request_cancel(tenant, reply)

    async def _remove_files(self, erasure: Erasure) -> int:
        removed = 0
        for folder in _folders(erasure):
            for path in await self._blobs.list_files(folder):
                await self._blobs.delete(path)
                removed += 1
        return removed

    async def _remove_points(self, erasure: Erasure) -> int:
        removed = 0
        for base in erasure.knowledge_base_ids:
            if await self._index.count(erasure.tenant, base):
                removed += await self._index.clear(erasure.tenant, base)
        return removed

    async def _check_files(self, check: Check, erasure: Erasure) -> None:
        try:
            paths = [path for folder in _folders(erasure) for path in await self._blobs.list_files(folder)]
        except ClawError as error:
            check.places.append(PlaceResult(place=FILES, kind="blobs", means="removed", unchecked=error.code))
            return
        check.leftovers += [Leftover(FILES, path) for path in paths]
        check.places.append(PlaceResult(place=FILES, kind="blobs", means="removed", left=len(paths)))

    async def _check_index(self, check: Check, erasure: Erasure) -> None:
        left = 0
        try:
            for base in erasure.knowledge_base_ids:
                points = await self._index.count(erasure.tenant, base)
                left += points
                if points:
                    check.leftovers.append(Leftover(INDEX, f"{points} points of knowledge base {base}"))
        except Unavailable as error:
            check.places.append(PlaceResult(place=INDEX, kind="index", means="removed", unchecked=error.code))
            return
        check.places.append(PlaceResult(place=INDEX, kind="index", means="removed", left=left))


async def _find_shared(reader: LogReader, needles: Needles, bounds: Bounds) -> Sequence[Owned]:
    """The knowledge bases that the account shares with its organisation."""
    place = BY_TOPIC[KNOWLEDGE_CHANGED.name]
    everything = TopicPlace(topic=place.topic, holds=place.holds, means="removed", owners=lambda event: (event.data.user_id,), shares=True)
    scan = await scan_topic(reader, everything, needles, bounds)
    return [
        owned
        for owned in scan.owned.values()
        if owned.event is not None and owned.event.data.sharing != "private" and not owned.event.data.deleted
    ]


def _folders(erasure: Erasure) -> Sequence[str]:
    """The folders of the blob store whose files go."""
    if not erasure.account_id:
        return (blob_folder(erasure.tenant, "-").partition("/")[0],)
    return [blob_folder(erasure.tenant, base) for base in erasure.knowledge_base_ids]
