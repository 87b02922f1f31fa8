"""Fusion: what must hold for any two legs."""

from hypothesis import given
from hypothesis import strategies as st

from adapters.index.fusion import DENSE_WEIGHT, fuse

KEYS = st.text("abcdefghij", min_size=1, max_size=2)
LEG = st.dictionaries(KEYS, st.floats(0.001, 50, allow_nan=False), max_size=12)


@given(LEG, LEG)
def test_every_candidate_once_best_first_and_bounded(lexical, dense):
    """The result is the union of the legs, sorted, within its stated range."""
    fused = fuse(lexical, dense)
    assert {key for key, _ in fused} == lexical.keys() | dense.keys()
    assert len(fused) == len({key for key, _ in fused})
    scores = [score for _, score in fused]
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score <= 1 + DENSE_WEIGHT + 1e-9 for score in scores)


@given(LEG)
def test_a_silent_leg_changes_nothing(leg):
    """One leg alone keeps its own order, whichever it is."""
    expected = [leg[key] for key, _ in fuse(leg, {})]
    assert expected == sorted(leg.values(), reverse=True)
    assert [leg[key] for key, _ in fuse({}, leg)] == sorted(leg.values(), reverse=True)


@given(LEG, LEG)
def test_a_clear_lexical_winner_is_never_overturned(lexical, dense):
    """With twice the lexical score of every other candidate no dense leg can push it from the first place."""
    lexical = {**lexical, "winner": 2.001 * max(lexical.values(), default=1.0)}
    assert fuse(lexical, dense)[0][0] == "winner"


@given(LEG, LEG, st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(lexical, dense, random):
    """Same candidates, same result."""
    shuffled = list(lexical.items())
    random.shuffle(shuffled)
    assert fuse(dict(shuffled), dense) == fuse(lexical, dense)


@given(LEG, LEG, st.floats(0.1, 10))
def test_the_scale_of_a_leg_does_not_matter(lexical, dense, scale):
    """BM25 has no unit: only proportions count."""
    before = dict(fuse(lexical, dense))
    after = dict(fuse({key: score * scale for key, score in lexical.items()}, dense))
    assert all(abs(after[key] - score) < 1e-6 for key, score in before.items())


def test_the_dense_leg_decides_where_the_lexical_hesitates():
    """Near ties are what the second opinion is for."""
    assert fuse({"a": 10.0, "b": 9.9}, {"b": 0.9, "a": 0.5})[0][0] == "b"
