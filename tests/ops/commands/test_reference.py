"""Generated pages: what is committed is what the code says, and a stale page is named."""

from pathlib import Path

import msgspec
import pytest

from domain.areas import TOPICS
from domain.sections import SECTIONS
from ops.commands import reference
from schemas.errors import CATALOGUE
from schemas.settings import Settings


def written(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_committed_pages_are_fresh(capsys: pytest.CaptureFixture[str]) -> None:
    """`claw reference` was run after the last change of settings, topics, errors or commands."""
    code = reference.run(check=True)
    assert capsys.readouterr().err == ""
    assert code == 0


def test_writing_makes_the_check_pass(tmp_path: Path) -> None:
    assert reference.run(check=False, root=tmp_path) == 0
    assert set(written(tmp_path)) == set(reference.PAGES)
    assert reference.run(check=True, root=tmp_path) == 0


@pytest.mark.parametrize("name", reference.PAGES)
def test_a_stale_page_is_named_and_left_alone(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The check changes nothing, whether the page is old or missing."""
    reference.run(check=False, root=tmp_path)
    (tmp_path / name).write_text("old\n")
    capsys.readouterr()
    assert reference.run(check=True, root=tmp_path) == 1
    assert capsys.readouterr().err.startswith(f"{name} is stale")
    assert (tmp_path / name).read_text() == "old\n"
    (tmp_path / name).unlink()
    assert reference.run(check=True, root=tmp_path) == 1
    assert not (tmp_path / name).exists()


def test_the_settings_page_has_every_variable_with_its_limits() -> None:
    page = reference.settings_page()
    row = next(line for line in page.splitlines() if line.startswith("| `CLAW_KAFKA_HEAP_MIB`"))
    assert "| `256` |" in row
    assert "≥ 64" in row
    assert "≤ 32,768" in row
    secret = next(line for line in page.splitlines() if line.startswith("| `CLAW_AUTH_SECRET`"))
    assert "| secret |" in secret


def test_the_example_environment_is_the_default_one() -> None:
    """Uncommenting every line changes nothing."""
    lines = [line[1:] for line in reference.environment_page().splitlines() if line.startswith("#CLAW_")]
    read = Settings.from_env(dict(line.split("=", 1) for line in lines), SECTIONS)
    assert msgspec.structs.replace(read, explicit=frozenset()) == Settings(areas=tuple(section() for section in SECTIONS))


def test_the_topics_page_shows_every_topic_and_event() -> None:
    page = reference.topics_page()
    for topic in TOPICS:
        assert f"\n## `{topic.name}`\n" in page
        assert all(f"`{event.type_name()}`" in page for event in (topic.types() if topic.events is not None else ()))


def test_the_errors_page_has_every_code() -> None:
    page = reference.errors_page()
    assert all(f"| `{code}` |" in page for code in CATALOGUE)


def test_the_commands_page_has_every_command() -> None:
    page = reference.commands_page()
    for command in ("up", "down", "doctor", "topics", "api", "worker", "demo", "reference"):
        assert f" claw {command}\n" in page
    assert "`--lane knowledge\\|chat\\|documents\\|tables`" in page
