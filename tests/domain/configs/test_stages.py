"""Which processes a share selects, what a window of a growing metric holds, and when a guard finds it worse."""

from hypothesis import given
from hypothesis import strategies as st

from domain.configs.stages import GuardReading, GuardWindow, ProcessName, Totals, find_salt, is_staged_in, judge
from schemas.configs import MetricSelector, Stage, StageGuard
from tests.support.configured_process import NOW

METRIC = MetricSelector(name="claw_agent_step_seconds")
PROCESSES = st.lists(st.uuids().map(str), min_size=2, max_size=40, unique=True)


def totals(total: float, count: float) -> Totals:
    return Totals(total=total, weight=count, observations=count)


def reading(total: float, count: float, *, staged: bool, before: Totals | None = None) -> GuardReading:
    return GuardReading(stage="s", staged=staged, window=totals(total, count), before=before or Totals())


@given(PROCESSES, st.floats(0.01, 0.99))
def test_a_share_selects_some_processes_and_leaves_some_the_same_ones_everywhere(processes: list[str], share: float) -> None:
    stage = Stage(id="s", value=1, started_at=NOW, share=share, salt=find_salt("s", share, processes))
    chosen = [each for each in processes if is_staged_in(stage, ProcessName(each, "chat"))]
    assert chosen == [each for each in processes if is_staged_in(stage, ProcessName(each, "api"))]
    if 0.1 <= share <= 0.9:  # 256 hashes do not always hit a share of 1 % of two processes
        assert 0 < len(chosen) < len(processes)
        assert abs(len(chosen) - share * len(processes)) <= max(1.0, 0.1 * len(processes))


def test_the_whole_share_and_names_select_what_they_say() -> None:
    everywhere = Stage(id="s", value=1, started_at=NOW, share=1.0)
    named = Stage(id="s", value=1, started_at=NOW, workers=("chat", "7"))
    assert is_staged_in(everywhere, ProcessName("7", "api"))
    assert [is_staged_in(named, ProcessName(*each)) for each in (("7", "api"), ("8", "chat"), ("9", "api"))] == [True, True, False]


def test_a_window_holds_what_came_within_it_and_few_samples() -> None:
    stage = Stage(id="s", value=1, started_at=NOW, guard=StageGuard(metric=METRIC, threshold=1, window_s=60))
    window = GuardWindow(stage, staged=True, totals=totals(100, 10), now_s=1_000)
    assert window.read(totals(100, 10), 1_000).window == Totals()
    assert window.read(totals(130, 12), 1_030).window == totals(30, 2)
    for second in range(31, 600):
        last = window.read(totals(100 + second, 10), 1_000 + second)
    assert 60 <= last.window.total <= 61
    assert (last.before, len(window._samples) <= 122) == (totals(100, 10), True)


def test_a_threshold_trips_once_there_are_enough_observations() -> None:
    guard = StageGuard(metric=METRIC, threshold=0.5, observations_min=10)
    assert judge(guard, []).verdict == "waiting"
    assert judge(guard, [reading(9, 9, staged=True)]).verdict == "waiting"
    assert judge(guard, [reading(5, 10, staged=True), reading(0, 99, staged=False)]).verdict == "fine"
    worse = judge(guard, [reading(4, 5, staged=True), reading(2, 5, staged=True)])
    assert (worse.verdict, worse.figures["staged"], worse.figures["limit"], worse.figures["staged_observations"]) == ("worse", 0.6, 0.5, 10)
    lower = StageGuard(metric=METRIC, threshold=0.5, worse="lower", observations_min=1)
    assert [judge(lower, [reading(each, 1, staged=True)]).verdict for each in (0.4, 0.6)] == ["worse", "fine"]


def test_a_worsening_is_measured_against_the_rest_or_the_time_before() -> None:
    guard = StageGuard(metric=METRIC, worsening=0.2, observations_min=10)
    rest = reading(10, 10, staged=False)
    assert judge(guard, [reading(30, 20, staged=True)]).verdict == "waiting"  # nothing to compare with
    assert judge(guard, [reading(11.9, 10, staged=True), rest]).verdict == "fine"
    assert judge(guard, [reading(12.1, 10, staged=True), rest]).verdict == "worse"
    past = StageGuard(metric=METRIC, worsening=0.2, observations_min=10, baseline="before")
    own = reading(12.1, 10, staged=True, before=totals(100, 100))
    assert (judge(past, [own]).verdict, judge(past, [own], totals(300, 100)).verdict) == ("worse", "fine")
    both = StageGuard(metric=METRIC, worsening=0.2, threshold=2, observations_min=10)
    assert [judge(both, [reading(each, 10, staged=True), rest]).verdict for each in (19, 21)] == ["fine", "worse"]
