"""A test lies where the module lies that it tests: ``tests/<package>/<area>/test_<module>.py``, or ``test_<module>_<aspect>.py``."""

import pytest

from tests.structure import PACKAGES, ROOT, TESTS

CROSS_CUTTING = {
    "system": "the whole stack, seen from outside",
    "pages": "the web application in a browser, on a whole stack",
    "docs": "what the pages promise",
    "deploy": "Compose, the image, dashboards",
    "test_architecture": "rules of the structure that no import contract can say",
    "test_glossary": "the terms of docs/glossary.md against the code",
    "test_golden": "recorded events of every release still decode",
    "test_linear_patterns": "every regular expression of every package",
    "test_loop_steps": "what event loops do with foreign text, of every package",
    "test_mirror": "this rule",
    "test_structure": "counts of the structure and their bars",
    "api/http/test_attack_matrix": "every attack against every route",
    "api/http/test_any_input": "generated requests against every route, and generated frames",
    "api/http/test_hostile_connections": "every hostile pattern against a whole API process with a user",
    "api/http/test_bad_input": "the same malformed requests against every route",
    "api/http/test_outages": "every route while Kafka or Redis is down",
    "api/web/test_modules": "the tests of the browser's modules, which lie beside them",
    "api/web/test_words": "the words of all pages",
    "api/operations/test_start_before_topics": "a whole API process that is started before its topics exist",
    "streams/log/test_metadata": "incomplete answers about topics, through every client of the log",
    "streams/log/test_transactions": "others' open and aborted transactions, through every reader of the log",
}


def mirrors(name: str) -> bool:
    """Whether the name of a test module, without its ending, is that of a module or package of ours, or of an aspect of one."""
    folder, _, file = name.rpartition("/")
    words = file.removeprefix("test_").split("_")
    if folder.split("/")[0] not in PACKAGES:
        return False
    candidates = [ROOT / folder / "_".join(words[:count]) for count in range(1, len(words) + 1)]
    return any(each.with_suffix(".py").is_file() or (each / "__init__.py").is_file() for each in candidates)


def cross_cutting(name: str) -> bool:
    return any(name == each or name.startswith(f"{each}/") for each in CROSS_CUTTING)


def modules(pattern: str) -> list[str]:
    return [str(path.relative_to(TESTS).with_suffix("")) for path in sorted(TESTS.rglob(pattern))]


@pytest.mark.parametrize("name", modules("test_*.py"))
def test_a_test_lies_at_its_module_or_says_why_not(name: str) -> None:
    assert mirrors(name) != cross_cutting(name)


@pytest.mark.parametrize("name", CROSS_CUTTING)
def test_no_exception_outlives_its_test(name: str) -> None:
    assert (TESTS / name).is_dir() or (TESTS / f"{name}.py").is_file()


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("streams/runtime/test_worker", True),
        ("streams/runtime/test_worker_chaos", True),
        ("schemas/test_settings", True),
        ("streams/test_worker", False),
        ("streams/runtime/test_chaos", False),
        ("nowhere/test_worker", False),
    ],
)
def test_what_mirrors(name: str, found: bool) -> None:
    assert mirrors(name) is found


def test_helpers_stand_in_no_test_module() -> None:
    """What two test modules need is in tests/support or a conftest."""
    importing = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sorted(TESTS.rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if line.lstrip().startswith("from tests.") and ".test_" in line.split(" import ")[0]
    ]
    assert importing == []
