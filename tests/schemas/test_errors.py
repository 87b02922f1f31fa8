"""The error catalogue and the code that raises from it agree."""

import ast
from pathlib import Path

import pytest

from schemas.errors import CATALOGUE, ClawError, ConfigurationError, FieldError, Problem, Refused, Superseded, Unavailable
from schemas.errors_zh import CHINESE

ROOT = Path(__file__).parents[2]
PACKAGES = ("schemas", "adapters", "streams", "domain", "agents", "api", "ops")
RAISED = {"Refused", "Unavailable"}


def codes_used() -> dict[str, str]:
    """Every literal code in the source with the place where it stands."""
    found: dict[str, str] = {}
    for path in (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            candidates = node.args[:1] if name in RAISED else []
            candidates += [
                keyword.value for keyword in node.keywords if keyword.arg == "code" and name in RAISED | {"Problem", "ClawError"}
            ]
            for candidate in candidates:
                if isinstance(candidate, ast.Constant) and isinstance(candidate.value, str):
                    found.setdefault(candidate.value, f"{path.relative_to(ROOT)}:{node.lineno}")
    return found


def test_every_code_in_the_source_is_in_the_catalogue() -> None:
    unknown = {code: place for code, place in codes_used().items() if code not in CATALOGUE}
    assert unknown == {}


def test_the_scan_sees_the_source() -> None:
    """An empty scan would make the test above worthless."""
    assert "kafka_unavailable" in codes_used()


@pytest.mark.parametrize("code", CATALOGUE)
def test_every_line_tells_the_caller_what_happened_and_what_to_do(code: str) -> None:
    line = CATALOGUE[code]
    assert code == code.lower().replace(" ", "_")
    assert 400 <= line.status < 600
    assert line.title
    assert not line.title.endswith(".")
    assert line.remedy.endswith(".")


@pytest.mark.parametrize("code", CATALOGUE)
def test_a_refusal_becomes_its_problem(code: str) -> None:
    problem = Refused(code, "Too long.", errors=(FieldError("title", "too long", "500"),), retry_after_s=3, rule="address").problem()
    assert problem == Problem(
        type=f"urn:claw:problem:{code}",
        title=CATALOGUE[code].title,
        status=int(CATALOGUE[code].status),
        detail="Too long.",
        code=code,
        errors=(FieldError("title", "too long", "500"),),
        retry_after_s=3,
        rule="address",
        remedy=CATALOGUE[code].remedy,
        title_zh=CHINESE[code][0],
        remedy_zh=CHINESE[code][1],
    )


def test_every_error_speaks_chinese_too() -> None:
    assert CHINESE.keys() == CATALOGUE.keys()
    assert all(title and remedy.endswith("。") for title, remedy in CHINESE.values())


def test_without_detail_the_remedy_speaks() -> None:
    assert Refused("not_found").problem().detail == CATALOGUE["not_found"].remedy


@pytest.mark.parametrize(("wait_s", "said_s"), [(0.0, 1), (0.2, 1), (1.0, 1), (1.001, 2), (7.5, 8)])
def test_retry_after_is_whole_seconds_rounded_up(wait_s: float, said_s: int) -> None:
    assert Unavailable("redis_unavailable", retry_after_s=wait_s).problem().retry_after_s == said_s


def test_the_tree_is_split_by_what_the_caller_does_next() -> None:
    """Nobody who catches one kind catches another."""
    leaves = (Refused, Unavailable, ConfigurationError, Superseded)
    assert all(issubclass(leaf, ClawError) for leaf in leaves)
    assert not any(issubclass(one, other) for one in leaves for other in leaves if one is not other)
    assert ConfigurationError("CLAW_PORT: too high").problem().code == "internal_error"
