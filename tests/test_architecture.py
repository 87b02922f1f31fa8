"""What the structure promises and no import contract can say: package names, the registry, where some things may stand."""

import ast
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from agents import project
from domain.area import Area
from domain.areas import AREAS, ERRORS, RECORDS, TOPICS, rebuilds
from domain.sections import SECTIONS
from schemas.errors import CATALOGUE
from schemas.settings import Settings, sections_of
from streams.topics import DEAD_LETTERS, Topic

ROOT = Path(__file__).parents[1]
PACKAGES = ("schemas", "adapters", "streams", "domain", "agents", "api", "ops")
GOLDEN = ROOT / "tests" / "golden"
KAFKA_CLIENT = (
    "adapters/kafka",
    "streams/log/",
    "streams/runtime/",
    "ops/backup/log_restore.py",
    "ops/commands/topics.py",
    "ops/faults/upstream.py",
    "ops/stack/kafka_user.py",
)  # who may import aiokafka
# a step may fail in any way; an observer must not end a step; an engine that raises bare Exception
CATCHES_ALL = {
    *(f"streams/runtime/{name}.py" for name in ("wrapper", "retries", "hooks")),
    "adapters/index/embedded.py",
    "adapters/parsing/pdf/rapid.py",  # the errors of its three libraries share no class; what is not theirs is raised again
}
DEFINITIONS = (
    *(ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef),
    *(ast.Assign, ast.AnnAssign, ast.AugAssign, ast.If, ast.Expr),
)
LIBRARY_NAMES = {"handle_parser_exception"}  # of methods that a class of ours replaces: the library calls them
NO_NAMES = {"utils", "util", "helpers", "helper", "manager", "common", "misc"}


def modules() -> Iterator[tuple[str, ast.Module]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def test_no_dependency_claims_our_package_names() -> None:
    """The packages have root names: a distribution that brought one of them would be imported instead, or beside."""
    owners = packages_distributions()
    assert {name: owners.get(name, []) for name in (*PACKAGES, "tests", "benchmarks")} == {
        name: ["claw"] if name in owners else [] for name in (*PACKAGES, "tests", "benchmarks")
    }


class TestRegistry:
    def test_names_are_said_once(self) -> None:
        """An area, a topic, a record table, a rebuild has its name for itself."""
        for names in (
            [area.name for area in AREAS],
            [topic.name for topic in TOPICS],
            [record.table for record in RECORDS],
        ):
            assert [name for name, count in Counter(names).items() if count > 1] == []

    @pytest.mark.parametrize("topic", [topic for topic in TOPICS if topic.retention_ms is None], ids=lambda topic: topic.name)
    def test_a_compacted_topic_has_a_record_or_a_reason(self, topic: Topic) -> None:
        """What is compacted for ever is projected, rebuilt and recorded, or its area says why not."""
        (area,) = [area for area in AREAS if topic in area.topics]
        records = [record for record in area.records if record.topic is topic]
        assert bool(records) != (topic.name in area.unprojected), "a record or a sentence, not both"
        assert len(area.unprojected.get(topic.name, "a few words of why")) > 10
        for event in topic.types():
            assert (GOLDEN / f"{event.type_name()}.json").is_file()

    @pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.table)
    def test_a_record_is_projected_and_rebuilt(self, record) -> None:
        """Its topic carries its event and lasts as long as its rows; the projector reads it, and a rebuild exists."""
        (area,) = [area for area in AREAS if record in area.records]
        assert record.topic in area.topics
        assert record.event in record.topic.types()
        retention_s = None if record.topic.retention_ms is None else record.topic.retention_ms / 1000
        assert record.retention_s == retention_s
        assert record.topic in project.READS
        assert {other.table for other in area.records if other.topic is record.topic} & rebuilds().keys()

    def test_every_topic_belongs_to_an_area(self) -> None:
        """But for the dead letters, which are every agent's."""
        assert set(TOPICS) == {topic for area in AREAS for topic in area.topics} | {DEAD_LETTERS}

    @pytest.mark.parametrize("area", AREAS, ids=lambda area: area.name)
    def test_reasons_name_topics_of_the_area(self, area: Area) -> None:
        """A reason whose topic is gone goes with it."""
        assert set(area.unprojected) <= {topic.name for topic in area.topics}

    def test_errors_of_areas_are_complete(self) -> None:
        """A code stands under its own name, in both languages, and nowhere else."""
        assert not ERRORS.keys() & CATALOGUE.keys()
        for code, line in ERRORS.items():
            assert line.code == code
            assert line.title_zh
            assert line.remedy_zh

    def test_settings_of_areas_have_prefixes_of_their_own(self) -> None:
        """No variable could belong to two sections."""
        prefixes = [section.prefix for section in (*(section for _, section in sections_of(Settings)), *SECTIONS)]
        assert len(prefixes) == len(set(prefixes))
        assert all(prefix.startswith("CLAW_") and prefix.endswith("_") for prefix in prefixes)


def test_the_kafka_client_stands_where_records_are_read_and_written() -> None:
    """Everything else asks ``streams.log``: committed records, every codec, one way to reconnect."""
    strangers = {
        name
        for name, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom | ast.Import)
        for imported in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
        if imported.split(".")[0] == "aiokafka" and not name.startswith(KAFKA_CLIENT)
    }
    assert strangers == set()


def test_only_the_wrapper_and_the_engine_catch_everything() -> None:
    """Elsewhere a failure that nobody expected ends what it happened in, and is seen. (A handler that raises again hides nothing.)"""
    catching = {
        name
        for name, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and any(isinstance(part, ast.Name) and part.id == "Exception" for part in ast.walk(node.type or ast.Name("Exception")))
    }
    assert catching == CATCHES_ALL


def test_no_module_or_function_has_an_empty_name() -> None:
    """A name that says nothing collects everything."""
    empty = [name for name, _ in modules() if Path(name).stem in NO_NAMES]
    empty += [
        f"{name}: {node.name}"
        for name, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.lstrip("_").startswith("handle_")
        and node.name not in LIBRARY_NAMES
    ]
    assert empty == []


def test_nothing_happens_at_import() -> None:
    """No statement of a module opens, connects or starts anything: only definitions, constants and a guarded main stand there."""
    acting = [
        f"{name}:{node.lineno}"
        for name, tree in modules()
        for node in tree.body
        if not isinstance(node, DEFINITIONS) or (isinstance(node, ast.Expr) and not isinstance(node.value, ast.Constant))
    ]
    assert acting == []
