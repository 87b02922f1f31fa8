"""Fusion: what must hold for any two legs."""

from hypothesis import given
from hypothesis import strategies as st

from adapters.index.fusion import LEXICAL, MULTILINGUAL, Candidate, DenseWeight, RankedQuestion, coverage_of, passage_language, rank
from adapters.index.fusion import fuse as fuse_weighted

KEYS = st.text("abcdefghij", min_size=1, max_size=2)
WEIGHT = 0.5
LEG = st.dictionaries(KEYS, st.floats(0.001, 50, allow_nan=False), max_size=12)


def fuse(lexical: dict[str, float], dense: dict[str, float]) -> list[tuple[str, float]]:
    return fuse_weighted(lexical, dense, dense_weight=WEIGHT)


@given(LEG, LEG)
def test_every_candidate_once_best_first_and_bounded(lexical, dense):
    """The result is the union of the legs, sorted, within its stated range."""
    fused = fuse(lexical, dense)
    assert {key for key, _ in fused} == lexical.keys() | dense.keys()
    assert len(fused) == len({key for key, _ in fused})
    scores = [score for _, score in fused]
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score <= 1 + WEIGHT + 1e-9 for score in scores)


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


def test_the_weight_falls_as_the_coverage_rises():
    """Least when every word of the question is there, most when none is."""
    weights = [MULTILINGUAL.at(coverage / 10) for coverage in range(11)]
    assert weights == sorted(weights, reverse=True)
    assert (weights[0], weights[-1]) == (MULTILINGUAL.least + MULTILINGUAL.rise, MULTILINGUAL.least)
    assert LEXICAL.at(0.0) == 0.0


def test_coverage_is_that_of_one_text():
    """The best single text counts, not what all of them hold together; without terms nothing is lacking."""
    assert coverage_of(frozenset({"lift", "repair"}), ("the lift", "a repair", "nothing")) == 0.5
    assert coverage_of(frozenset({"lift", "repair"}), ("the lift", "who repairs the lifts")) == 1.0
    assert coverage_of(frozenset({"电梯", "维修"}), ("電梯由公司維修",)) == 1.0
    assert coverage_of(frozenset(), ()) == 1.0
    assert coverage_of(frozenset({"lift"}), ()) == 0.0


LEAVE = RankedQuestion(frozenset({"annual", "leave", "day"}), "en", DenseWeight(0.05, 4.0))


def test_meaning_decides_where_the_words_are_others():
    """A passage that shares one common word loses against one that says the same in other words; with all words it wins."""
    said = Candidate("said", "", "Everyone gets fifteen days of annual leave.", 9.0, 0.3)
    meant = Candidate("meant", "", "Employees may take three weeks off each year.", 0.0, 0.6)
    shared = Candidate("shared", "", "The shop opens every day.", 2.0, 0.1)
    assert [key for key, _ in rank([shared, meant], LEAVE)] == ["meant", "shared"]
    assert rank([shared, meant, said], LEAVE)[0][0] == "said"


ALL_LEAVE = RankedQuestion(LEAVE.terms, "en", DenseWeight(0.05, 4.0, across=0.15))


def english(cosine: float, *, bm25: float = 0.0, text: str = "The canteen opens at noon.", count: int = 3) -> list[Candidate]:
    """Hits in English, the first with these scores, each a little worse than the one before."""
    return [Candidate(f"en{n}", "", text, max(0.0, bm25 - 3 * n), cosine - n / 50) for n in range(count)]


def chinese(cosine: float, *, count: int = 3) -> list[Candidate]:
    """Hits in Chinese, which have no word of the question."""
    return [Candidate(f"zh{n}", "", "员工每年享有十五天带薪休假。", 0.0, cosine - n / 50) for n in range(count)]


def order(*hits: Candidate) -> list[str]:
    return [key for key, _ in rank(hits, ALL_LEAVE)]


def test_the_language_that_has_the_words_comes_first():
    """A passage with all words of the question stays first, with company in its language; the other language is not lost."""
    found = order(*chinese(0.4), *english(0.55, bm25=9.0, text="Annual leave: fifteen days."))
    assert found[:2] == ["en0", "en1"]
    assert "zh0" in found[:5]


def test_another_language_comes_first_where_its_meaning_is_clearly_nearer():
    """Where no passage in the question's language has its words, and the distance between languages is made up for."""
    assert order(*english(0.3), *chinese(0.4))[0] == "zh0"
    assert order(*english(0.5), *chinese(0.2))[:2] == ["en0", "en1"]
    assert order(*english(0.4), *chinese(0.24))[:2] == ["en0", "zh0"]


def test_numbers_are_of_no_language():
    """They are ranked with the question's own language, or with whatever there is."""
    numbers = Candidate("numbers", "", "2024: 15, 2025: 16", 8.0, 0.2)
    assert set(order(*english(0.5, bm25=9.0, count=1), numbers)) == {"en0", "numbers"}
    assert order(*chinese(0.9), numbers)[0] == "zh0"
    assert passage_language("2024: 15, 2025: 16") == ""
    assert [passage_language(text) for text in ("noon", "中午", "中午 lunch at noon in the canteen")] == ["en", "zh", "en"]


ROWS = st.lists(
    st.tuples(KEYS, st.sampled_from(["words here", "这里有字", "12"]), st.floats(0, 9), st.floats(0.01, 1)),
    unique_by=lambda row: row[0],
    min_size=1,
    max_size=8,
)


@given(ROWS, st.data())
def test_a_nearer_meaning_never_moves_a_hit_down(rows, data):
    """Of any language, whatever the others are."""
    at = data.draw(st.integers(0, len(rows) - 1))
    key, text, bm25, dense = rows[at]
    raised = [*rows[:at], (key, text, bm25, data.draw(st.floats(dense, 1))), *rows[at + 1 :]]
    before, after = ([each for each, _ in rank([Candidate(key, "", *row) for key, *row in some], ALL_LEAVE)] for some in (rows, raised))
    assert after.index(key) <= before.index(key)


@given(ROWS, st.randoms(use_true_random=False))
def test_two_replicas_rank_alike(rows, random):
    """The order in which hits come from an engine does not matter, in both languages."""
    candidates = [Candidate(key, "", *row) for key, *row in rows]
    shuffled = random.sample(candidates, len(candidates))
    assert rank(shuffled, ALL_LEAVE) == rank(candidates, ALL_LEAVE)


@given(
    st.lists(
        st.tuples(KEYS, st.sampled_from(["words here", "这里有字", "12"]), st.floats(0, 9), st.floats(0.01, 1)),
        unique_by=lambda row: row[0],
    )
)
def test_ranking_keeps_every_candidate(rows):
    """Each once, best first, whatever the languages."""
    ranked = rank([Candidate(key, "", text, bm25, dense) for key, text, bm25, dense in rows], LEAVE)
    assert sorted(key for key, _ in ranked) == sorted(row[0] for row in rows)
    assert [score for _, score in ranked] == sorted((score for _, score in ranked), reverse=True)
