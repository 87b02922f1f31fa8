"""Weaving: how the places are shared between two languages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.index.weaving import FRONT, NEUTRAL_COSINE, WORDS, Evidence, weave

OWN = [(f"own{n}", 1.0 - n / 10) for n in range(6)]
FOREIGN = [(f"foreign{n}", 1.0 - n / 10) for n in range(6)]
NOTHING = Evidence((), (), 0.0)
SCORES = st.lists(st.floats(0.01, 1), min_size=1, max_size=40)


def meant(*cosines: float) -> Evidence:
    return Evidence((), cosines, 0.0)


def keys(own: Evidence, foreign: Evidence, *, across: float = 0.0) -> list[str]:
    return [key for key, _ in weave(OWN, FOREIGN, own, foreign, across=across)]


def test_equal_evidence_takes_turns():
    """The question's own language first."""
    assert keys(meant(0.4), meant(0.4))[:4] == ["own0", "foreign0", "own1", "foreign1"]
    assert keys(meant(0.5), meant(0.4), across=0.1)[:2] == ["own0", "foreign0"]


def test_more_evidence_has_more_places():
    """Ten times as likely: four places before the other language has one."""
    found = keys(meant(0.69), meant(0.4))
    assert found.index("foreign0") == 4
    assert keys(meant(0.4), meant(0.69)).index("own0") == 4


@given(SCORES, SCORES, SCORES, SCORES, st.floats(0, 1), st.floats(0, 0.5))
def test_each_ranking_keeps_its_order(bm25, cosines, foreign_bm25, foreign_cosines, coverage, across):
    """Whatever the evidence; every hit once, and scores only fall."""
    woven = weave(OWN, FOREIGN, Evidence(bm25, cosines, coverage), Evidence(foreign_bm25, foreign_cosines, 1 - coverage), across=across)
    assert [key for key, _ in woven if key.startswith("own")] == [key for key, _ in OWN]
    assert [key for key, _ in woven if key.startswith("foreign")] == [key for key, _ in FOREIGN]
    scores = [score for _, score in woven]
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score <= 1 for score in scores)


@given(SCORES, SCORES, st.data())
def test_a_better_hit_in_front_is_never_less_evidence(bm25, cosines, data):
    """What a leg finds best speaks for its language; only what is behind the tenth is what it stands out from."""
    coverage = data.draw(st.floats(0, 1))
    before = Evidence(bm25, cosines, coverage).total()
    for better in ("bm25", "cosines"):
        scores = sorted(bm25 if better == "bm25" else cosines, reverse=True)
        at = data.draw(st.integers(0, min(FRONT, len(scores)) - 1))
        scores[at] = data.draw(st.floats(scores[at], 2))
        after = Evidence(scores, cosines, coverage) if better == "bm25" else Evidence(bm25, scores, coverage)
        assert after.total() >= before - 1e-9


def test_evidence_is_in_units_of_cosine():
    """The best cosine and how far it stands out; words by their coverage; what is across only where there is a cosine."""
    assert NOTHING.total(0.2) == 0.0
    assert meant(0.4).total(0.2) == pytest.approx(0.4 + 0.2 + NEUTRAL_COSINE)
    behind = meant(0.5, *[0.3] * 29)
    assert behind.total() == pytest.approx(0.5 + 0.2)
    lone = Evidence((8.0, *[1e-9] * 30), (), 1.0)
    assert lone.total() == pytest.approx(WORDS)
    assert Evidence(lone.bm25, (), 0.5).total() == pytest.approx(WORDS / 2)
    assert Evidence([5.0] * 30, (), 1.0).total() == pytest.approx(0.0)
