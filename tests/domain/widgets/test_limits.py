"""A key's own limits, and the installation's for the others."""

from domain.widgets.limits import limits_of, question_rules, request_rules
from domain.widgets.settings import WidgetSettings
from schemas.widgets import WidgetAccess

NOTHING = WidgetAccess(origins=("https://example.org",), knowledge_base_ids=("b",))


def test_own_limits_go_before_those_of_the_installation() -> None:
    settings = WidgetSettings(questions_per_day=7, streams_max=3)
    limits = limits_of(NOTHING, settings)
    assert (limits.questions_per_day, limits.streams_max) == (7, 3)
    own = WidgetAccess(origins=(), knowledge_base_ids=(), questions_per_day=2, visitor_questions_per_minute=1)
    limits = limits_of(own, settings)
    assert (limits.questions_per_day, limits.streams_max, limits.visitor_questions_per_minute) == (2, 3, 1)


def test_rules_have_a_bucket_for_each_visitor_and_one_for_the_key() -> None:
    limits = limits_of(NOTHING, WidgetSettings(visitor_requests_per_minute=4, questions_per_minute=9))
    assert (request_rules(limits).visitor.burst, question_rules(limits).key.rate) == (4, 9)
    names = [rule.name for rule in (*request_rules(limits), *question_rules(limits))]
    assert len(set(names)) == 4
