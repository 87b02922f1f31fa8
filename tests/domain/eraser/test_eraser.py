"""The eraser on a real log and a real Redis: what is planted is found, what is removed is gone, what others have stays."""

import base64
import hashlib
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from adapters.blobs import blob_folder
from domain.accounts.records import find_account
from domain.accounts.topics import ACCOUNTS_CHANGED, SESSIONS_CHANGED
from domain.areas import TOPICS
from domain.chats.topics import CONVERSATIONS_CHANGED, MESSAGES_CHANGED
from domain.documents.topics import DOCUMENTS_PROGRESSED, DOCUMENTS_SUBMITTED
from domain.eraser.log_places import ADDRESSES, BY_TOPIC
from domain.eraser.redis_places import BY_FAMILY
from domain.erasures.records import ERASURES
from domain.erasures.topics import ERASURES_CHANGED
from domain.knowledge.topics import KNOWLEDGE_CHANGED
from domain.statistics.changes import usage_changes
from domain.statistics.table import StatisticsTable, account_scope, tenant_scope
from domain.table_rebuild import rebuild_tables
from schemas import ids
from schemas.chats import Consumption, Message, MessageChanged, UsageRecorded
from schemas.documents import Document, DocumentProgressed, DocumentSubmitted, Progress
from schemas.erasures import Erasure, ErasureChanged
from schemas.records import Account, AccountChanged, Conversation, ConversationChanged, KnowledgeBase, KnowledgeBaseChanged
from schemas.sessions import SessionChanged, SessionRecord
from schemas.settings import AuthSettings, NodeSettings, Settings
from schemas.settings.section import Secret
from tests.conftest import Servers
from tests.support.erasing import Erasing, by_place, open_erasing

pytestmark = pytest.mark.asyncio(loop_scope="module")

TENANT = "acme"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Erasing]:
    name = uuid.uuid4().hex[:10]
    settings = Settings(
        node=NodeSettings(home=Path(tmp_path_factory.mktemp("erasing")), port=0),
        kafka=msgspec.structs.replace(servers.kafka, partitions=1, reply_partitions=1, topic_prefix=f"t{name}."),
        redis=msgspec.structs.replace(servers.redis, key_prefix=f"t{name}"),
        auth=AuthSettings(secret=Secret("test-" * 8)),
    )
    async with open_erasing(settings) as opened:
        yield opened


def response_of(body: bytes) -> bytes:
    """A response as it is stored behind an idempotency key."""
    return hashlib.sha256(b"x").hexdigest().encode() + msgspec.json.encode(
        {"status": 201, "body": base64.b64encode(body).decode(), "headers": {}}
    )


async def plant_keys(place: Erasing, account: str, tenant: str) -> None:
    """Something of the account in every family of keys."""
    redis, prefix = place.house.redis, place.house.prefix
    for family, entry in BY_FAMILY.items():
        if family == "idempotency":
            await redis.execute_command("SET", f"{prefix}:idempotency:{uuid.uuid4().hex}", response_of(f'{{"id":"{account}"}}'.encode()))
        elif entry.by_tenant:
            await redis.execute_command("SET", f"{prefix}:{family}:{{{tenant}/x}}:{uuid.uuid4().hex}", b"an answer")
        elif entry.unit == "member":
            await redis.execute_command("ZADD", f"{prefix}:{family}:{{shared}}:{tenant}", 0, f"80000000000000ff{account}")
        else:
            await redis.execute_command("HSET", f"{prefix}:{family}:{{x}}:{account}", "field", "value")
    await redis.execute_command("SET", f"{prefix}:a-new-table:{{{tenant}/x}}:{uuid.uuid4().hex}", f'{{"by":"{account}"}}')


async def test_a_planted_leftover_in_each_place_is_found_and_removed(place: Erasing) -> None:
    """On every topic, in every family of keys, among the files, in the index; of somebody else nothing is touched."""
    ada, bob, base = str(uuid.uuid4()), str(uuid.uuid4()), str(uuid.uuid4())
    for account, tenant in ((ada, TENANT), (bob, "other")):
        for topic in TOPICS:
            await place.plant(topic, f'{{"planted":"{account}"}}'.encode(), key=f"{account}/planted")
        await plant_keys(place, account, tenant)
    blob = await place.blobs.put(blob_folder(TENANT, base), b"a file")
    place.index.points[TENANT, base] = 3
    erasure = msgspec.structs.replace(place.erasure(TENANT, ada), knowledge_base_ids=(base,))
    other = place.erasure("other", bob)
    bobs = by_place(await place.eraser.check(other))

    found = by_place(await place.eraser.check(erasure))
    for topic in TOPICS:
        result, means = found[topic.name], BY_TOPIC[topic.name].means
        counted = {"removed": result.left, "expires": result.expiring, "kept": result.kept, "none": result.left}
        assert counted[means] == 1, (topic.name, result)
        assert (result.gone_by is not None) == (means == "expires" or (means == "kept" and topic.retention_ms is not None))
    for family, entry in BY_FAMILY.items():
        result = found[family]
        counted = {"removed": result.left, "expires": result.expiring, "kept": result.kept, "none": 1}
        assert counted[entry.means] == 1, (family, result)
    assert (found["a-new-table"].left, found["files of documents"].left, found["vector index"].left) == (1, 1, 3)

    done = await place.eraser.run_round(erasure)
    assert (done.removed > len(BY_FAMILY), done.pending) == (True, 0)
    after = by_place(await place.eraser.check(erasure))
    assert {name: each.left for name, each in after.items() if each.left} == {"claw.limits.decided.v1": 1}  # which nobody is on
    assert [path for path in await place.blobs.list_files(TENANT) if path == blob.path] == []
    assert (await place.eraser.run_round(erasure)).removed == 0
    assert by_place(await place.eraser.check(other)) == bobs


async def somebody(place: Erasing, tenant: str, **more: Any) -> Account:
    """An account on the log and in the tables."""
    given = {"email": f"{uuid.uuid4().hex}@example.org"} | more
    account = Account(id=str(uuid.uuid4()), tenant=tenant, created_at=place.clock.now(), **given)
    await place.write(tenant, ACCOUNTS_CHANGED, AccountChanged, account.id, account)
    return account


async def knowledge(place: Erasing, account: Account, sharing: Any) -> KnowledgeBase:
    now = place.clock.now()
    base = KnowledgeBase(
        id=str(uuid.uuid4()), tenant=account.tenant, user_id=account.id, name="B", sharing=sharing, created_at=now, updated_at=now
    )
    await place.write(account.tenant, KNOWLEDGE_CHANGED, KnowledgeBaseChanged, base.id, base)
    return base


@dataclass
class Life:
    """What somebody does, and what the agent ``route`` does with it."""

    place: Erasing
    account: Account
    talk: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def tenant(self) -> str:
        return self.account.tenant

    async def converse(self) -> None:
        now = self.place.clock.now()
        data = Conversation(id=self.talk, tenant=self.tenant, user_id=self.account.id, title="secret", created_at=now, updated_at=now)
        await self.place.write(self.tenant, CONVERSATIONS_CHANGED, ConversationChanged, data.id, data)

    async def answered(self) -> None:
        data = Message(
            id=str(uuid.uuid4()),
            conversation_id=self.talk,
            user_id=self.account.id,
            role="assistant",
            content="secret",
            created_at=self.place.clock.now(),
            attempt=1,
        )
        await self.place.write(self.tenant, MESSAGES_CHANGED, MessageChanged, data.id, data)

    async def submit(self, base: KnowledgeBase, document: str) -> None:
        data = Document(knowledge_base_id=base.id, document_id=document, title="secret", text="x", submitted_by=self.account.id)
        key = ids.document_key(self.tenant, base.id, document)
        _, at = await self.place.write(self.tenant, DOCUMENTS_SUBMITTED, DocumentSubmitted, key, data)
        await self.place.visibility.record_submission(key, at.offset)
        progress = Progress(knowledge_base_id=base.id, document_id=document, version=at.offset, state="indexed", title="secret")
        await self.place.write(self.tenant, DOCUMENTS_PROGRESSED, DocumentProgressed, key, progress)

    async def dispatched(self, base: KnowledgeBase, document: str) -> None:
        """The deletion that a round published."""
        end = await self.place.house.publisher.end_offset(DOCUMENTS_SUBMITTED, 0)
        await self.place.visibility.record_withdrawal(ids.document_key(self.tenant, base.id, document), end)

    async def log_in(self) -> None:
        now = self.place.clock.now()
        data = SessionRecord(
            id=str(uuid.uuid4()),
            tenant=self.tenant,
            account_id=self.account.id,
            created_at=now,
            expires_at=now,
            rotated_at=now,
            network="y",
        )
        await self.place.write(self.tenant, SESSIONS_CHANGED, SessionChanged, data.id, data)


async def test_what_is_late_resurrects_nothing_and_what_is_shared_stays(place: Erasing) -> None:
    """A document in flight, an answer being written, a session that began meanwhile: each is work for the next round."""
    tenant = f"t{uuid.uuid4().hex[:8]}"
    boss, ada = await somebody(place, tenant, role="admin"), await somebody(place, tenant, name="Ada Lovelace")
    private, shared, life = await knowledge(place, ada, "private"), await knowledge(place, ada, "tenant"), Life(place, ada)
    await life.converse()
    await life.answered()
    await life.submit(private, "plan")
    await life.submit(shared, "rules")
    erasure = place.erasure(tenant, ada.id, ada.email, ada.name)
    erasure = msgspec.structs.replace(erasure, knowledge_base_ids=await place.eraser.find_bases(erasure))
    assert erasure.knowledge_base_ids == (private.id,)
    assert (await place.eraser.run_round(erasure)).pending == 1
    plan = ids.document_key(tenant, private.id, "plan")
    assert (await place.visibility.version_states((plan,)))[plan].latest >= 0  # what says whether its deletion was read stays until then
    await life.dispatched(private, "plan")
    done = await place.eraser.run_round(erasure)
    assert (done.pending, done.removed > 0) == (0, True)
    assert await place.tables.accounts.get(ada.id, ada.id) is None
    handed_over = await place.tables.knowledge_bases.get(tenant, shared.id)
    assert handed_over is not None
    assert (handed_over.user_id, handed_over.name) == (boss.id, "B")
    assert await place.tables.documents.get(f"{tenant}/{shared.id}", "rules") is not None

    # what was under way
    await life.answered()
    await life.submit(private, "late")
    await life.log_in()
    assert (await place.eraser.run_round(erasure)).pending == 1
    await life.dispatched(private, "late")
    while (done := await place.eraser.run_round(erasure)).removed:
        pass
    check = await place.eraser.check(erasure)
    assert (done.pending, check.leftovers) == (0, [])
    results = by_place(check)
    assert results[DOCUMENTS_SUBMITTED.name].kept == 1  # who submitted the shared one, by id
    assert results[ACCOUNTS_CHANGED.name].expiring >= 1  # until compaction
    assert await place.tables.accounts.get(boss.id, boss.id) is not None
    await rebuild_tables(place.house.settings, place.house.redis, ("accounts", "conversations"), lambda *_: None)
    assert await place.tables.accounts.get(ada.id, ada.id) is None
    assert await place.tables.accounts.get(boss.id, boss.id) is not None


async def test_whoever_gets_the_address_next_loses_nothing(place: Erasing) -> None:
    """The same person, registered once more: their rows are not what is left of the erased account."""
    tenant = f"t{uuid.uuid4().hex[:8]}"
    ada, _boss = await somebody(place, tenant), await somebody(place, tenant, role="admin")
    erasure = place.erasure(tenant, ada.id, ada.email)
    await place.eraser.run_round(erasure)
    again = await somebody(place, f"{tenant}-2", email=ada.email)
    assert (await place.eraser.run_round(erasure)).removed == 0
    assert await find_account(place.tables, ada.email) == again
    check = await place.eraser.check(erasure)
    assert (check.leftovers, by_place(check)[ADDRESSES].kept) == ([], 1)


async def test_a_tenant_goes_with_everything(place: Erasing) -> None:
    """And the one beside it stays, whatever its name contains."""
    tenant = f"t{uuid.uuid4().hex[:8]}"
    ada, other = await somebody(place, tenant), await somebody(place, f"{tenant}-2")
    base, theirs = await knowledge(place, ada, "tenant"), await knowledge(place, other, "tenant")
    erasure = place.erasure(tenant)
    erasure = msgspec.structs.replace(erasure, knowledge_base_ids=await place.eraser.find_bases(erasure))
    assert erasure.knowledge_base_ids == (base.id,)
    await place.eraser.run_round(erasure)
    assert (await place.eraser.check(erasure)).leftovers == []
    assert await place.tables.accounts.get(ada.id, ada.id) is None
    assert await place.tables.accounts.get(other.id, other.id) == other
    assert await place.tables.knowledge_bases.get(theirs.tenant, theirs.id) == theirs


async def test_a_worker_that_dies_leaves_its_erasure_to_the_next(place: Erasing, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the middle of a round, and although Redis has neither the record nor the timer; it is interim once, with what expires and when."""
    tenant = f"t{uuid.uuid4().hex[:8]}"
    await somebody(place, tenant, role="admin")
    ada = await somebody(place, tenant)
    erasure = place.erasure(tenant, ada.id, ada.email)

    class Death(Exception):
        """Of a process."""

    async def die(*_: Any, **__: Any) -> None:
        raise Death

    async def take_over(event: Erasure, partition: int) -> Any:
        schedule = place.schedule()
        await schedule.loop.take_partition(partition)
        await schedule.add(event, partition)
        return schedule

    written, at = await place.write(tenant, ERASURES_CHANGED, ErasureChanged, erasure.id, erasure)
    first = await take_over(written.data, at.partition)
    await first.loop.run_once()
    await first.loop.finish(20)
    begun = await table_row(place, erasure.id)
    assert (begun.state, begun.places != ()) == ("erasing", True)
    shut = await place.tables.accounts.get(ada.id, ada.id)
    assert shut is not None
    assert shut.disabled

    with monkeypatch.context() as patched:
        patched.setattr("domain.eraser.eraser.scan_redis", die)  # the log is done, Redis is not
        await first.loop.run_once()
        await first.loop.finish(20)
    assert await table_row(place, erasure.id) == begun
    second = await take_over(begun, at.partition)
    for _ in range(8):
        place.clock.moved_s += 120
        await second.loop.run_once()
        await second.loop.finish(20)
        if (now := await table_row(place, erasure.id)).state == "interim":
            break
    assert (now.state, now.checked_at is not None, now.next_at is not None) == ("interim", True, True)
    assert all(each.left == 0 and not each.unchecked for each in now.places)
    accounts = next(each for each in now.places if each.place == ACCOUNTS_CHANGED.name)
    assert (accounts.before >= 1, accounts.expiring >= 1) == (True, True)


async def table_row(place: Erasing, erasure_id: str) -> Erasure:
    found = await place.tables.of(ERASURES).get(erasure_id, erasure_id)
    assert found is not None
    return found


async def test_the_statistics_forget_an_account_and_keep_the_sums_of_its_organisation(place: Erasing) -> None:
    table, ada, now = StatisticsTable(place.house.redis, place.house.settings), str(uuid.uuid4()), place.clock.now()
    spent = Consumption(user_id=ada, conversation_id="c", reply_id="r", model="m", prompt_tokens=5, completion_tokens=2, ended="answered")
    event = UsageRecorded(id="e", source="/claw/test", subject=ada, time=now, tenant="statistics", traceparent="", data=spent)
    await table.usage.counter.apply(0, 0, event.id, usage_changes(event), after=-1)
    today = table.day_of(now)

    async def read() -> tuple[list[Any], list[Any]]:
        return (
            [(row.sums.get("questions"), row.active.size) for row in await table.rows(tenant_scope("statistics"), today, today, "day")],
            [row.sums.get("questions") for row in await table.rows(account_scope("statistics", ada), today, today, "day")],
        )

    assert await read() == ([(1, 1)], [1])
    await place.eraser.run_round(place.erasure("statistics", ada))
    assert await read() == ([(1, 0)], [None])
