"""Advisories in the OSV format: which versions they are about."""

import json
import zipfile
from typing import Any

import pytest

from ops.supply_chain import audit
from ops.supply_chain.advisories import find_matches, read_advisories
from ops.supply_chain.components import LockedComponent, read_jars, read_packages
from schemas.errors import ConfigurationError


def advisory(name: str, *events: dict[str, str], ecosystem: str = "PyPI", versions: tuple[str, ...] = (), **more) -> dict[str, Any]:
    ranges = [{"type": "ECOSYSTEM", "events": list(events)}] if events else []
    affected = {"package": {"ecosystem": ecosystem, "name": name}, "ranges": ranges, "versions": list(versions)}
    return {"id": "TEST-1", "summary": "a hole", "affected": [affected], **more}


def found(tmp_path, component: LockedComponent, *advisories: dict[str, Any]) -> list[str]:
    path = tmp_path / "db.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number, each in enumerate(advisories):
            archive.writestr(f"{number}.json", json.dumps(each))
    return [match.advisory for match in find_matches([component], read_advisories(path))]


@pytest.mark.parametrize(
    ("version", "events", "expected"),
    [
        ("1.9", [{"introduced": "0"}, {"fixed": "1.10"}], True),
        ("1.10", [{"introduced": "0"}, {"fixed": "1.10"}], False),
        ("1.10rc1", [{"introduced": "0"}, {"fixed": "1.10"}], True),
        ("2.0", [{"introduced": "0"}, {"fixed": "1.10"}, {"introduced": "2.0"}], True),
        ("1.5", [{"introduced": "1.0"}, {"last_affected": "1.5"}], True),
        ("1.5.1", [{"introduced": "1.0"}, {"last_affected": "1.5"}], False),
        ("0.9", [{"introduced": "1.0"}, {"last_affected": "1.5"}], False),
    ],
)
def test_ranges(tmp_path, version, events, expected):
    """Versions are ordered as their ecosystem orders them; the format puts "0" before all."""
    assert bool(found(tmp_path, LockedComponent("PyPI", "some-package", version), advisory("Some_Package", *events))) == expected
    if "rc" not in version:
        jar = LockedComponent("Maven", "org.example:thing", version)
        assert bool(found(tmp_path, jar, advisory(jar.name, *events, ecosystem="Maven"))) == expected


def test_listed_versions_and_withdrawn_advisories(tmp_path):
    """Another ecosystem's package of the same name is another package."""
    component = LockedComponent("PyPI", "thing", "1.0")
    assert found(tmp_path, component, advisory("thing", versions=("1.0",))) == ["TEST-1"]
    assert found(tmp_path, component, advisory("thing", versions=("1.0",), withdrawn="2026-01-01T00:00:00Z")) == []
    assert found(tmp_path, component, advisory("thing", versions=("1.0",), ecosystem="npm")) == []


def test_the_audit_says_what_it_compared(tmp_path, capsys):
    """A planted advisory is found with its remedy; an ecosystem without advisories is named; no database is no clean result."""
    victim = next(each for each in read_packages() if each.name == "msgspec")
    (tmp_path / "db").mkdir()
    (tmp_path / "db" / "one.json").write_text(json.dumps(advisory("msgspec", {"introduced": "0"}, {"fixed": "99"})))
    assert audit.run({audit.VARIABLE: str(tmp_path / "db")}, ["uv"]) == audit.FOUND
    said = capsys.readouterr().out
    assert f"msgspec {victim.version}: TEST-1, fixed in 99. a hole" in said
    assert "no advisory of Maven: those components were not compared" in said
    assert audit.run({audit.VARIABLE: str(tmp_path / "nothing.zip")}, ["uv"]) == audit.UNUSABLE
    assert audit.run({}, ["false-uv-that-does-not-exist"]) == audit.NOTHING_COMPARED
    assert "NOTHING WAS COMPARED" in capsys.readouterr().err
    jar = read_jars()[0]
    (tmp_path / "db" / "one.json").write_text(json.dumps(advisory("x", {"introduced": "0"}, ecosystem="Debian")))
    assert audit.report([jar], list(read_advisories(tmp_path / "db"))) == audit.NOTHING_COMPARED


def test_a_database_that_is_none_is_refused(tmp_path):
    """By the name of the setting."""
    (tmp_path / "bad.json").write_text("[]")
    for path in (tmp_path, tmp_path / "bad.json"):
        with pytest.raises(ConfigurationError, match="CLAW_AUDIT_DB"):
            list(read_advisories(path))
