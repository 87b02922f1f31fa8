"""Kept files of replaced versions: whatever happens in whatever order, those of the last versions that readers saw, and no other."""

import uuid
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from adapters.redis.client import RedisClient
from domain.documents.versions import describe_file, describe_kept, encode_entries, encode_file, parse_field
from domain.documents.visibility import IndexedContent, NewVersion, PriorState, Visibility
from schemas.documents import Blob, Document, DocumentSubmitted, InboxRecord, KeptVersion, KeptVersions, Withdrawal
from tests.support.ports import NOW, header

pytestmark = pytest.mark.stack


def submitted(version: int, path: str, **fields: object) -> NewVersion:
    document = Document(
        knowledge_base_id="kb",
        document_id="doc",
        title="Tab\tand\nline",
        media_type="application/pdf",
        blob=Blob(path=path, bytes=10 + int(path.rpartition("/")[2]), sha256=f"hash of {path}"),
    )
    event = DocumentSubmitted(**header("s", "t/kb/doc"), data=document)
    return NewVersion("", version, path, file=describe_file(event, version, path), **fields)  # type: ignore[arg-type]


@dataclass
class Life:
    """One document, and what is expected of it."""

    visibility: Visibility
    most: int
    tidies: bool
    key: str
    version: int = 0
    last: NewVersion | None = None
    contents: dict[int, str] = field(default_factory=dict)
    visible: int = -1
    kept: list[tuple[int, str]] = field(default_factory=list)  # version, path; the newest first
    stands_for: int = -1
    files: set[str] = field(default_factory=set)  # that exist
    removed: list[str] = field(default_factory=list)

    async def submit(self, content: str, *, same_file: bool = False) -> None:
        """``content`` is its hash; ``same_file``: the present file is submitted once more."""
        self.version += 1
        path = self.last.blob if same_file and self.last is not None else f"t/kb/{self.version}"
        self.files.add(path)
        new = submitted(self.version, path, content_hash=content)._replace(key=self.key)
        is_same = self.visible >= 0 and self.contents[self.visible] == content
        if is_same:
            self.kept = [each for each in self.kept if each[0] != self.visible]
        elif self.last is not None and self.visible >= 0 and self.stands_for == self.visible:
            self.kept = [(self.visible, self.last.blob), *(each for each in self.kept if each[0] != self.visible)][: self.most]
        self.kept = self.kept[: self.most]
        self.stands_for = self.visible if is_same else self.version
        self.last, self.contents[self.version] = new, content
        await self.record()

    async def record(self) -> PriorState | None:
        """Submit the last version, possibly again."""
        if self.last is None:
            return None
        (found,) = await self.visibility.record_submissions([self.last], versions_kept=self.most)
        await self.remove(found.orphans)
        assert [(each.version, each.path) for each in found.kept] == self.kept
        assert [each.bytes for each in found.kept] == [10 + int(path.rpartition("/")[2]) for _, path in self.kept]
        return found

    async def withdraw(self) -> None:
        self.version += 1
        gone = await self.visibility.record_withdrawal(self.key, self.version)
        assert gone is not None
        assert gone.is_kept_changed == bool(self.kept)
        assert await self.visibility.record_withdrawal(self.key, self.version) == gone, "a repeat says the same"
        self.last, self.visible, self.kept, self.stands_for = None, -1, [], -1
        await self.remove(gone.orphans)

    async def index(self, version: int) -> None:
        if await self.visibility.mark_indexed(self.key, version, IndexedContent(content_hash=self.contents[version], chunks=1)):
            self.visible = version
            self.stands_for = version if version == self.version else self.stands_for

    async def remove(self, orphans: tuple[str, ...]) -> None:
        """The files that are no longer needed, as the index agent removes them; then the rest is needed."""
        assert len(set(orphans)) == len(orphans)
        needed = {path for _, path in self.kept} | ({self.last.blob} if self.last is not None else set())
        assert not needed.intersection(orphans)
        self.removed += [each for each in orphans if each in self.files]
        self.files.difference_update(orphans)
        assert self.files == needed, "no file is forgotten"
        if self.tidies:
            await self.visibility.clear_orphaned_blobs(self.key, orphans)
        else:
            assert sorted(orphans) == sorted(self.removed), "until they are gone, every change names them"


STEPS = st.lists(
    st.one_of(
        st.sampled_from(["repeat", "withdraw", "cancel", "reprocess", "old"]),
        st.tuples(st.just("submit"), st.sampled_from("ab")),
        st.tuples(st.just("index"), st.integers(0, 3)),
    ),
    max_size=24,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, most=st.integers(0, 3), tidies=st.booleans())
async def test_the_files_that_exist_are_those_of_the_newest_and_the_last_seen(
    redis: RedisClient, prefix: str, steps: list[str | tuple[str, object]], most: int, tidies: bool
) -> None:
    """Each file is removed once at most, and never while a version needs it."""
    life = Life(Visibility(redis, prefix), most, tidies, f"t/kb/{uuid.uuid4().hex}")
    for step in steps:
        name, what = step if isinstance(step, tuple) else (step, None)
        if name == "submit":
            await life.submit(str(what))
        elif name == "reprocess" and life.last is not None:
            await life.submit(f"forced {life.version}", same_file=True)
        elif name == "repeat":
            first = await life.record()
            again = await life.record()
            assert first is None or again is not None
            assert again is None or (again.kept, again.is_kept_changed) == (first.kept, first.is_kept_changed)  # type: ignore[union-attr]
        elif name == "withdraw":
            await life.withdraw()
        elif name == "cancel":
            await life.visibility.cancel(life.key, life.version)
        elif name == "index" and life.last is not None:
            submitted_versions = list(life.contents)
            await life.index(submitted_versions[max(0, len(submitted_versions) - 1 - int(str(what)))])
        elif name == "old" and life.last is not None:
            older = life.last._replace(version=max(0, life.version - 1))
            await life.visibility.record_submissions([older], versions_kept=most)
    assert len(set(life.removed)) == len(life.removed)


async def test_a_version_is_kept_with_what_describes_it(redis: RedisClient, prefix: str) -> None:
    """A repeat says so once more; the next submission that changes nothing does not."""
    visibility, key = Visibility(redis, prefix), "t/kb/doc"
    first, second, third, fourth = (submitted(version, f"t/kb/{version}")._replace(key=key) for version in (1, 2, 3, 4))
    await visibility.record_submissions([first], versions_kept=1)
    await visibility.mark_indexed(key, 1)
    for _ in range(2):
        (found,) = await visibility.record_submissions([second], versions_kept=1)
        assert (found.kept, found.is_kept_changed, found.orphans) == ((first.file,), True, ())
    (found,) = await visibility.record_submissions([third], versions_kept=1)  # nobody has seen the second one
    assert (found.kept, found.is_kept_changed, found.orphans) == ((first.file,), False, ("t/kb/2",))
    assert await visibility.list_kept(key) == (first.file,)
    await visibility.mark_indexed(key, 3)
    (found,) = await visibility.record_submissions([fourth], versions_kept=1)
    assert (found.kept, found.is_kept_changed, found.orphans) == ((third.file,), True, ("t/kb/2", "t/kb/1"))


async def test_the_file_of_an_older_inbox_record_that_is_read_again_stays_kept(redis: RedisClient, prefix: str) -> None:
    visibility, key = Visibility(redis, prefix), "t/kb/doc"
    old, new = (
        submitted(version, f"t/kb/{version}", record=InboxRecord(at_ms=version, partition=0, offset=version))._replace(key=key)
        for version in (1, 2)
    )
    await visibility.record_submissions([old], versions_kept=1)
    await visibility.mark_indexed(key, 1)
    await visibility.record_submissions([new], versions_kept=1)
    (found,) = await visibility.record_submissions([old], versions_kept=1)
    assert (found.is_superseded, found.orphans, found.kept) == (True, (), (old.file,))


async def test_what_the_log_has_is_restored_unless_something_newer_is_known(redis: RedisClient, prefix: str) -> None:
    """Then submissions that are read again orphan nothing that is kept."""
    visibility, key = Visibility(redis, prefix), "t/kb/doc"
    first, second, third = (submitted(version, f"t/kb/{version}")._replace(key=key) for version in (1, 2, 3))
    assert first.file is not None
    assert second.file is not None
    newer = KeptVersions(knowledge_base_id="kb", document_id="doc", version=3, kept=(second.file, first.file))
    await visibility.restore_kept([(key, newer)])
    await visibility.restore_kept([(key, replace(newer, version=2, kept=(first.file,)))])
    found = await visibility.record_submissions([first, second, third], versions_kept=3)
    assert [each.orphans for each in found] == [(), (), ()]
    assert await visibility.list_kept(key) == (second.file, first.file)
    await visibility.restore_kept([(key, replace(newer, version=4, kept=()))])
    assert await visibility.list_kept(key) == ()


def test_fields_that_do_not_decode_are_left_out() -> None:
    """One bad line does not hide the others."""
    file = KeptVersion(version=7, path="t/kb/7", title="x\ty\n\u2028z", submitted_at=NOW)
    assert parse_field("") == (-1, ())
    assert parse_field("9\n" + encode_entries([file, replace(file, version=3)])) == (9, (file, replace(file, version=3)))
    assert parse_field(f"9\n5\tpath\tnot json\n8\tt/kb/7\t{encode_file(file)}\n") == (9, (replace(file, version=8),))
    assert encode_file(None) == ""


def test_bytes_count_once_and_not_those_of_the_present_file() -> None:
    one = KeptVersion(version=7, path="a", bytes=5, submitted_at=NOW)
    kept = (replace(one, version=9, path="b", bytes=7), replace(one, version=8), one)
    withdrawal = Withdrawal(knowledge_base_id="kb", document_id="doc")
    assert describe_kept(withdrawal, 10, kept, "c").bytes == 12
    assert describe_kept(withdrawal, 10, kept, "b").bytes == 5
