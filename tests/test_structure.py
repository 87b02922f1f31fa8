"""Bars of the structure: each was reached once, and is not lost again."""

import pytest

from tests.structure import Structure, is_participle

CLASS_NAMES_TWICE_MAX = 10
PARTICIPLES_SHARE_MAX = 0.04
PORTS_MAX = 12


@pytest.fixture(scope="module")
def structure() -> Structure:
    return Structure.read()


def test_a_class_has_its_name_for_itself(structure: Structure) -> None:
    twice = structure.classes_named_twice()
    assert len(twice) <= CLASS_NAMES_TWICE_MAX, twice


def test_functions_are_verbs(structure: Structure) -> None:
    participles = structure.participles()
    assert len(participles) <= PARTICIPLES_SHARE_MAX * len(structure.functions), participles


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("told", True),
        ("_kept_answer", True),
        ("started", True),
        ("embed_texts", False),
        ("feed", False),
        ("is_ended", False),
        ("red", False),
    ],
)
def test_what_is_a_participle(name: str, expected: bool) -> None:
    assert is_participle(name) is expected


def test_counts_are_of_something(structure: Structure) -> None:
    """A walk that finds nothing would keep every bar."""
    assert len(structure.modules) > 300
    assert len(structure.functions) > 2_000
    assert ("streams.log.publisher", "schemas.errors") in structure.arrows
    assert structure.bundles()
    assert len(structure.tested()) > 100
