"""Containment: whatever a document makes its parser do is a named failure of that document alone."""

import asyncio
import dataclasses
import os
import shutil
import socket
import tempfile
import time
from pathlib import Path

import pytest
import pytest_asyncio
import structlog

from adapters.children import child, folders, measures, probe_child, worker
from adapters.children.worker import TextWorker
from adapters.fairness import TENANT
from adapters.parsing.core.programs import LIBREOFFICE_PROFILE
from adapters.parsing.core.source import DocumentSource
from schemas.documents import Shelf
from schemas.errors import ConfigurationError, Refused
from schemas.settings import RetrievalSettings
from schemas.settings.documents import DocumentSettings

pytestmark = pytest.mark.asyncio(loop_scope="module")

MISBEHAVING = "tests.support.misbehaving_child"
SETTINGS = DocumentSettings(parse_wall_s=6, ocr_wall_s=8, parse_cpu_s=1, parse_memory_mib=256, ocr_memory_mib=640)
SHELF = Shelf()


async def told(made: TextWorker, order: str, operand: str = "", lane="express", tenant="") -> str:
    """What came of it."""
    TENANT.set(tenant)
    outcome = await made.parse(DocumentSource(text=order, filename=operand), title="", lane=lane, shelf=SHELF)
    return outcome.chunks[0].text


async def refused(made: TextWorker, order: str, operand: str = "") -> Refused:
    """The failure; the next document is served."""
    with pytest.raises(Refused) as failure:
        await told(made, order, operand)
    assert await told(made, "answer", "next") == "next"
    return failure.value


def misbehaving() -> TextWorker:
    """A worker whose heavy children do what their documents say; without small ones, unless they are started."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(worker, "HEAVY", MISBEHAVING)
        return TextWorker(RetrievalSettings(), SETTINGS)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared():
    made = misbehaving()
    yield made
    await made.stop()


@pytest.fixture
def made(shared, monkeypatch):
    """The same worker for all tests that need no new one; its limits may be replaced."""
    monkeypatch.setattr(shared, "_limits", shared._limits)
    return shared


@pytest_asyncio.fixture(loop_scope="module")
async def fresh():
    """A worker that has started no child yet."""
    made = misbehaving()
    yield made
    await made.stop()


@pytest.fixture
def unhurried(made):
    """With much wall time: a machine that is busy gives a second of CPU time late."""
    made._limits = dataclasses.replace(made._limits, wall_s=90, ocr_wall_s=90)
    return made


@pytest.fixture
def listening():
    """A port of this machine that would answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield str(server.getsockname()[1])


async def test_memory_is_bounded(made):
    """By the interpreter's own refusal, by the watching parent, or by the library that gives up."""
    for order in ("hog", "hog_outside_the_interpreter"):
        failure = await refused(made, order, "2000")
        assert failure.code in {"document_too_complex", "document_crashed_parser"}
        assert order != "hog" or (failure.code == "document_too_complex" and "CLAW_DOCUMENT_PARSE_MEMORY_MIB" in failure.detail)
    assert await told(made, "hog", "50") == "50"


async def test_the_parent_watches_memory(made, monkeypatch):
    """Where the kernel's limit does not bite, its children's included."""
    made._limits = child.TaskLimits(wall_s=6, ocr_wall_s=6, memory_kib=100 * 1024)
    with pytest.raises(Refused, match="100 MiB") as failure:
        await told(made, "hog_outside_the_interpreter", "180")
    assert failure.value.code == "document_too_complex"


async def test_cpu_time_is_bounded(unhurried):
    """The kernel ends it."""
    failure = await refused(unhurried, "burn")
    assert (failure.code, "CLAW_DOCUMENT_PARSE_CPU_S" in failure.detail) == ("document_too_complex", True)


async def test_cpu_time_is_counted_per_document(made):
    """A child that has worked for long has the same time for the next."""
    pid = (await told(made, "answer"), next(iter(made._heavy["express"]._children)).process.pid)[1]
    for _ in range(4):
        await told(made, "spin", "0.5")
    assert [each.process.pid for each in made._heavy["express"]._children] == [pid]


async def test_wall_time_is_bounded(made):
    """Doing nothing for long is refused as well."""
    made._limits = child.TaskLimits(wall_s=0.5, ocr_wall_s=0.5, memory_kib=10**6)
    with pytest.raises(Refused, match="CLAW_DOCUMENT_PARSE_WALL_S") as failure:
        await told(made, "sleep", "30")
    assert failure.value.code == "document_too_complex"


@pytest.mark.skipif(shutil.which("tesseract") is None, reason="Tesseract is not installed")
async def test_recognition_has_more_time(made):
    """The child says that Tesseract runs."""
    made._limits = child.TaskLimits(wall_s=0.7, ocr_wall_s=20, memory_kib=10**6)
    assert await told(made, "answer", "warm") == "warm"
    assert await told(made, "recognise", "1.5") == "recognised"


async def test_reading_pictures_has_more_time_and_memory(made, monkeypatch):
    """The child says that it reads pictures in its own process; the next document has no more than any other."""
    made._limits = child.TaskLimits(wall_s=0.7, ocr_wall_s=20, memory_kib=256 * 1024, ocr_memory_kib=640 * 1024)
    assert await told(made, "answer", "warm") == "warm"
    assert await told(made, "read_pictures", "1.5") == "None"
    assert await told(made, "hog_for_pictures", "300") == "300"
    assert (await refused(made, "hog", "300")).code == "document_too_complex"


async def test_a_crash_is_named(made):
    """How it died stands in the detail."""
    assert "SIGSEGV" in (await refused(made, "segfault")).detail
    failure = await refused(made, "raise", "surprise")
    assert (failure.code, "KeyError" in failure.detail) == ("document_crashed_parser", True)


async def test_a_file_does_not_fail_for_the_one_before_it(made):
    """A library may crash only when it reads the next one, which then gets a new child; a file that crashes two children is refused."""
    for _ in range(2):
        await told(made, "damage")
        assert await told(made, "answer", "innocent") == "innocent"
    await told(made, "damage")
    assert "SIGSEGV" in (await refused(made, "segfault")).detail


async def test_the_profile_of_libreoffice_stays(fresh):
    """It has its own temporary files there, without which it converts no second file."""
    for name in ("page.png", LIBREOFFICE_PROFILE):
        await told(fresh, "write_inside", name)
    assert f"{LIBREOFFICE_PROFILE}')]" in await told(fresh, "left_behind")


async def test_output_is_bounded(made):
    """What comes out is never held in full by the parent."""
    failure = await refused(made, "flood")
    assert (failure.code, "CLAW_DOCUMENT_TEXT_CHARS_MAX" in failure.detail) == ("document_too_complex", True)


async def test_there_is_no_network(made, listening):
    """Neither for Python nor for a library."""
    for order, operand in (("connect", listening), ("resolve", "localhost")):
        failure = await refused(made, order, operand)
        assert (failure.code, "network" in failure.detail) == ("document_unreadable", True)
    assert await told(made, "connect_natively", listening) != "0"


async def test_nothing_outside_changes(made, tmp_path):
    """Only the child's own folder can be written to, and it is emptied after each document."""
    kept, escaped = tmp_path / "kept", tmp_path / "escaped"
    kept.write_text("kept")
    for order, operand in (("write", escaped), ("write", kept), ("remove", kept)):
        assert (await refused(made, order, str(operand))).code == "document_unreadable"
    assert await told(made, "write_inside", "page.png") == "4"
    assert await told(made, "left_behind") == "[]"
    if measures.LANDLOCK in made._heavy["express"].measures:
        assert int(await told(made, "write_natively", str(escaped))) < 0
    assert kept.read_text() == "kept"
    assert not escaped.exists()


async def test_nothing_outside_is_read(made, tmp_path):
    """Another document, a password file: the only file there is is the document's own."""
    secret, mine = tmp_path / "secret", tmp_path / "mine"
    secret.write_text("secret")
    mine.write_text("mine")
    for path in (str(secret), "/etc/passwd"):
        failure = await refused(made, "read", path)
        assert (failure.code, "read" in failure.detail) == ("document_unreadable", True)
        if measures.LANDLOCK in made._heavy["express"].measures:
            assert int(await told(made, "read_natively", path)) < 0
    outcome = await made.parse(DocumentSource(path=str(mine)), title="", lane="express", shelf=SHELF)
    assert outcome.chunks[0].text == "mine"
    with pytest.raises(Refused) as gone:
        await made.parse(DocumentSource(path=str(tmp_path / "gone")), title="", lane="express", shelf=SHELF)
    assert gone.value.code == "file_missing"


async def test_no_programs_start(made, tmp_path):
    """But Tesseract."""
    assert (await refused(made, "start", "/bin/true")).code == "document_unreadable"
    if measures.LANDLOCK in made._heavy["express"].measures:
        await told(made, "start_natively", f"/usr/bin/touch {tmp_path}/touched")
    assert not (tmp_path / "touched").exists()


# what a machine refuses -> the measures that remain; seccomp stands in for the namespace, for Landlock's scopes and for its network rules
ENVIRONMENTS = {
    "": set(measures.MEASURES),
    "unshare": set(measures.MEASURES) - {measures.NAMESPACES},
    "unshare landlock_create_ruleset": set(measures.MEASURES) - {measures.NAMESPACES, measures.LANDLOCK, *measures.NEWER},
    "unshare landlock_create_ruleset seccomp": {measures.CAPABILITIES, measures.NO_NEW_PRIVS, measures.LIMITS},
}
NEVER = (
    "socket ptrace mount bpf io_uring_setup keyctl perf_event_open userfaultfd unshare setns process_vm_writev setsid pidfd_open".split()
)


def offered() -> set[str]:
    """The measures of this machine: on an older kernel the table is shorter."""
    return set(asyncio.run(probe_child.probe("auto")))


@pytest.mark.parametrize("denied", ENVIRONMENTS)
async def test_every_environment_confines_as_it_can(fresh, monkeypatch, tmp_path, listening, denied):
    """The measures in force are reported as they are; what stands in for a missing one refuses the same."""
    monkeypatch.setitem(child.OFFLINE_VARIABLES, "DENIED_CALLS", denied)
    secret = tmp_path / "secret"
    secret.write_text("secret")
    for order, operand, wanted in (("read", secret, "read"), ("connect", listening, "network"), ("signal", os.getpid(), "signal")):
        assert wanted in (await refused(fresh, order, str(operand))).detail
    in_force = set(fresh._heavy["express"].measures)
    assert in_force == ENVIRONMENTS[denied] & await asyncio.to_thread(offered)
    if measures.SECCOMP in in_force:
        assert {name: await told(fresh, "call_natively", name) for name in NEVER} == dict.fromkeys(NEVER, "EPERM")
        assert await told(fresh, "signal_natively", str(os.getpid())) == "-1"
        assert await told(fresh, "connect_natively", listening) != "0"
    assert (int(await told(fresh, "read_natively", str(secret))) < 0) == (measures.LANDLOCK in in_force)
    assert (await told(fresh, "status", "CapEff")).split()[1].strip("0") == ""


@pytest.mark.parametrize("denied", list(ENVIRONMENTS)[1:])
async def test_required_confinement_ends_the_worker_where_it_is_incomplete(made, monkeypatch, denied):
    """The message names the setting, the measures and the remedy; `auto` goes on, and with `off` the kernel takes none but limits."""
    monkeypatch.setitem(child.OFFLINE_VARIABLES, "DENIED_CALLS", denied)
    spec = made._heavy["express"]._spec
    with pytest.raises(ConfigurationError) as failure:
        await child.ChildProcess.spawn(dataclasses.replace(spec, confinement="require"))
    assert all(word in failure.value.detail for word in ("CLAW_PARSE_CONFINEMENT", "namespaces", "user.max_user_namespaces", "auto"))
    unconfined = await child.ChildProcess.spawn(dataclasses.replace(spec, confinement="off"))
    await unconfined.end(at_once=True)
    assert unconfined.measures == (measures.LIMITS,)


async def test_the_worker_says_what_confines_its_parsers(monkeypatch):
    """In its log and its metrics; where `require` is not met it does not start."""
    monkeypatch.setattr(measures, "log", structlog.testing.CapturingLogger())
    made = TextWorker(RetrievalSettings(parse_processes=1), SETTINGS)
    await made.start()
    await made.stop()
    (said,) = measures.log.calls
    assert said.args == ("parser_confinement",)
    assert set(said.kwargs["in_force"].split()) == await asyncio.to_thread(offered)
    assert measures.IN_FORCE.labels(measures.LIMITS)._value.get() == 1
    monkeypatch.setattr(measures, "FULL_SET", (*measures.FULL_SET, "wings"))
    monkeypatch.setitem(measures.RISKS, "wings", "it cannot fly")
    with pytest.raises(ConfigurationError, match="wings"):
        await TextWorker(RetrievalSettings(parse_processes=1), SETTINGS, confinement="require").start()


def living_members(group: int) -> list[list[str]]:
    """The processes of a group that have not ended, as /proc has them."""
    stats = [path.read_text() for path in Path("/proc").glob("[0-9]*/stat") if path.exists()]
    fields = [stat.rpartition(")")[2].split() for stat in stats]
    return [each for each in fields if each[2] == str(group) and each[0] != "Z"]


async def test_a_child_never_serves_two_tenants(made):
    """Whatever a document of one leaves, in memory, in the folder, as a process or in a pipe, the documents of another do not meet it."""
    assert await told(made, "leave", tenant="mallory") == "planted"  # its own true answer is still in the pipe
    (process,) = made._heavy["express"]._children
    first = process.server.child
    assert await told(made, "damaged", tenant="alice") == "False"
    assert process.server.child != first
    assert await told(made, "left_behind", tenant="alice") == "[]"
    assert {each[2] for each in living_members(process.process.pid)} == {str(process.process.pid)}
    assert len(living_members(process.process.pid)) == 2
    second = process.server.child
    assert await told(made, "answer", "same", tenant="alice") == "same"
    assert process.server.child == second


async def test_a_child_cannot_reach_its_server(made):
    """Which would fork the next tenant's child."""
    assert await told(made, "answer", "warm") == "warm"
    (process,) = made._heavy["express"]._children
    if measures.LANDLOCK_SCOPES in process.measures:
        assert await told(made, "signal_natively", str(process.process.pid)) == "-1"
    assert int(await told(made, "read_natively", f"/proc/{process.process.pid}/mem")) < 0


async def test_processes_are_bounded(made):
    """A fork bomb ends its child, and every process of it."""
    before = await told(made, "answer", "warm")
    (process,) = made._heavy["express"]._children
    made._limits = child.TaskLimits(wall_s=20, ocr_wall_s=20, memory_kib=10**7)  # which the pages of so many would exceed first
    failure = await refused(made, "fork_natively", "60")
    assert (before, failure.code, "processes" in failure.detail) == ("warm", "document_too_complex", True)
    assert not living_members(process.process.pid)


async def test_a_tesseract_outside_of_usr_starts(fresh, tmp_path, monkeypatch):
    """Wherever it is on the PATH: to start a program is to read it."""
    shutil.copy2("/bin/true", tmp_path / "tesseract")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert "returncode=0" in await told(fresh, "start", "tesseract")


async def test_the_light_lane_does_not_wait(fresh):
    """Notes pass while both lanes of files are busy, and a person's file passes while bulk is."""
    await fresh.start()
    bulk = asyncio.create_task(told(fresh, "sleep", "4", "bulk"))
    await asyncio.sleep(0.1)
    assert await told(fresh, "answer", "mine") == "mine"
    express = asyncio.create_task(told(fresh, "sleep", "4"))
    began = time.monotonic()
    for n in range(10):
        outcome = await fresh.parse(DocumentSource(media_type="text/plain", text=f"note {n}"), title="", lane="bulk", shelf=SHELF)
        assert outcome.chunks[0].text == f"note {n}"
    assert time.monotonic() - began < 2
    assert not bulk.done()
    assert not express.done()
    await asyncio.gather(bulk, express)


async def test_heavy_children_come_and_go(fresh, monkeypatch):
    """None until one is needed, one for many callers, none after a while, and one again."""
    pool = fresh._heavy["express"]
    object.__setattr__(pool._policy, "idle_s", 0.3)
    assert not pool._children
    assert await asyncio.gather(*(told(fresh, "answer", str(n)) for n in range(5))) == list("01234")
    (first,) = pool._children
    deadline = time.monotonic() + 10
    while pool._children:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    assert not first._folder.path.exists()
    assert await told(fresh, "answer", "again") == "again"


async def test_no_folder_stays(fresh):
    """Neither after a stop nor after a kill."""
    await fresh.start()
    await told(fresh, "answer")
    paths = [each._folder.path for pool in (fresh._light, *fresh._heavy.values()) for each in pool._children]
    assert all(map(Path.exists, paths))
    await fresh.stop()
    assert not any(map(Path.exists, paths))


async def test_folders_of_the_dead_are_swept(tmp_path, monkeypatch):
    """One that is in use stays."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    used = folders.WorkFolder()
    abandoned = tmp_path / f"{folders.PREFIX}abandoned"
    abandoned.mkdir()
    folders.sweep()
    assert (used.path.exists(), abandoned.exists()) == (True, False)
    used.remove()
    assert not used.path.exists()
