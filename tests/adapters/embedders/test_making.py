"""The table's arithmetic: directions that do not depend on the machine, weights, and what int8 costs."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from adapters.embedders.making import project, quantise, weights


@given(seed=st.integers(0, 2**32 - 1))
def test_directions_do_not_depend_on_rounding(seed: int):
    """The same vectors with another machine's rounding have the same directions, signs included."""
    random = np.random.default_rng(seed)
    vectors = np.asarray(random.normal(size=(400, 12)) * np.exp2(-np.arange(12.0)), np.float32)
    nearly = vectors * (1 + random.normal(size=vectors.shape).astype(np.float32) * 1e-6)
    shares = random.random(400)
    assert np.allclose(project(vectors, shares, 4), project(nearly, shares, 4), atol=1e-3)


def test_principal_directions_stay_and_are_weakened():
    """Those with the greatest differences, the greatest first; how much greater counts less."""
    random = np.random.default_rng(1)
    vectors = (random.normal(size=(300, 8)) * np.array([0.01, 9, 0.01, 3, 0.01, 0.01, 27, 0.01])).astype(np.float32)
    kept = project(vectors, np.ones(300), 3)
    assert [abs(np.corrcoef(kept[:, at], vectors[:, direction])[0, 1]) > 0.99 for at, direction in enumerate((6, 1, 3))] == [True] * 3
    strengths = np.sqrt((kept**2).mean(axis=0))
    assert 1 < strengths[0] / strengths[2] < 27 / 3 / 2  # weakened, and still in this order


def test_a_rare_piece_weighs_more():
    frequencies = np.array([1e-1, 1e-2, 1e-3, 1e-6])
    weighed = weights(np.log(frequencies).astype(np.float32))
    assert (np.diff(weighed) > 0).all()
    assert 0 < weighed[0] < weighed[-1] < 1
    assert weights(np.zeros(1, np.float32)).tolist() == [0]  # a marker, which no text has


@given(seed=st.integers(0, 2**32 - 1), size=st.floats(1e-6, 1e6))
def test_int8_costs_half_a_step(seed: int, size: float):
    rows = (np.random.default_rng(seed).normal(size=(20, 16)) * size).astype(np.float32)
    rows[0] = 0
    table, scales = quantise(rows)
    assert table.dtype == np.int8
    assert (np.abs(table * scales[:, None] - rows) <= scales[:, None] * 0.501).all()
