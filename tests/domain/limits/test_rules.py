"""Rules and lists as pure data: which apply, what is wrong with them, who is on a list."""

import ipaddress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.limits.access_lists import AccessLists, canonical_value, problem_of
from domain.limits.rules import applicable_rules, default_rules, problems_of
from schemas.limits import AccessEntry, Rule
from schemas.settings import LimitSettings

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
ROUTES = ("/conversations", "/conversations/{conversation_id}/messages", "/knowledge/{base_id}/documents")


def rule(name: str = "r", **fields: object) -> Rule:
    return Rule(**({"name": name, "rate": 60, "burst": 120, "scope": "user"} | fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (rule(scope="route"), "rules[0].route"),
        (rule(route="/conversations"), "rules[0].route"),
        (rule(scope="route", route="/nowhere"), "rules[0].route"),
        (rule(scope="address", counts="model_tokens"), "rules[0].scope"),
        (rule(scope="global", tier="pro"), "rules[0].tier"),
        (rule(rate=1, per_s=86_400.0, burst=32), "rules[0].burst"),
    ],
)
def test_what_is_wrong_is_named(wrong: Rule, field: str) -> None:
    (error,) = problems_of([wrong], ROUTES)
    assert (error.field, bool(error.limit)) == (field, True)


def test_duplicates_are_named_and_shadows_are_none() -> None:
    """The same name, or the same requests over the same time; a shadow beside its rule is what shadows are for."""
    assert {error.field for error in problems_of([rule("a"), rule("a", tier="pro")], ROUTES)} == {"rules[1].name"}
    assert {error.field for error in problems_of([rule("a"), rule("b", rate=5)], ROUTES)} == {"rules[1]"}
    assert not problems_of([rule("a"), rule("b", rate=5, shadow=True), rule("c", per_s=1.0)], ROUTES)


def test_the_defaults_are_acceptable() -> None:
    assert not problems_of(default_rules(LimitSettings()), (*ROUTES, "/knowledge", "/v1/chat/completions", "/v1/embeddings"))


def test_a_route_rule_may_name_any_word_for_a_parameter() -> None:
    for route in ("/conversations/*/messages", "/conversations/abc", "/knowledge"):
        assert not problems_of([rule(scope="route", route=route)], ROUTES)


def test_keys_tokens_and_shadows_apply_where_they_belong() -> None:
    rules = [
        rule("key", scope="key"),
        rule("tokens", counts="model_tokens"),
        rule("long", scope="route", route="/conversations/*/messages"),
        rule("short", scope="route", route="/conversations"),
        rule("dark", scope="route", route="/conversations", shadow=True),
    ]
    path = "/api/v1/conversations/1/messages"
    assert [r.name for r, _ in applicable_rules(rules, address="a", user="u", path=path, key="k")] == ["key", "long", "dark"]
    assert [r.name for r, _ in applicable_rules(rules, address="a", user="u", path=path)] == ["long", "dark"]
    assert [r.name for r, _ in applicable_rules(rules, user="u", counts="model_tokens")] == ["tokens"]


def test_ipv4_in_ipv6_clothes_is_ipv4() -> None:
    rules = [rule(scope="address")]
    assert {applicable_rules(rules, address=address)[0][1] for address in ("192.0.2.7", "::ffff:192.0.2.7")} == {"192.0.2.7"}


@pytest.mark.parametrize(("kind", "value"), [("cidr", "300.0.0.1"), ("cidr", "10.0.0.0/33"), ("user", "nobody"), ("user", "a/b/c")])
def test_who_is_nobody_is_told_so(kind: str, value: str) -> None:
    wrong = problem_of(kind, value)  # type: ignore[arg-type]
    assert wrong is not None
    assert wrong.limit


@given(
    networks=st.lists(
        st.ip_addresses(network="203.0.113.0/24").flatmap(lambda a: st.integers(24, 32).map(lambda p: f"{a}/{p}")), max_size=8
    ),
    wide=st.lists(st.ip_addresses(v=6).flatmap(lambda a: st.integers(0, 128).map(lambda p: f"{a}/{p}")), max_size=8),
    asked=st.one_of(st.ip_addresses(network="203.0.113.0/24"), st.ip_addresses(v=6)),
)
def test_a_list_finds_what_a_scan_finds(networks: list[str], wide: list[str], asked: ipaddress.IPv4Address) -> None:
    values = [canonical_value("cidr", value) for value in networks + wide]
    lists = AccessLists(AccessEntry(access="deny", kind="cidr", value=value) for value in values)
    plain = getattr(asked, "ipv4_mapped", None) or asked
    found = lists.verdict(address=str(asked), user="", key="", now=NOW)
    assert (found is not None) == any(plain in ipaddress.ip_network(value) for value in values)
    for value in values:
        lists.remove(f"deny/cidr/{value}")
    assert lists.verdict(address=str(asked), user="", key="", now=NOW) is None
    assert len(lists) == 0


def test_denials_win_and_entries_end() -> None:
    lists = AccessLists(
        [
            AccessEntry(access="allow", kind="user", value="t/u"),
            AccessEntry(access="deny", kind="cidr", value="192.0.2.0/24", expires_at=NOW + timedelta(seconds=1)),
        ]
    )
    at = {"user": "t/u", "key": ""}
    first = lists.verdict(address="192.0.2.9", now=NOW, **at)
    assert first is not None
    assert first.access == "deny"
    later = lists.verdict(address="192.0.2.9", now=NOW + timedelta(seconds=1), **at)
    assert later is not None
    assert later.access == "allow"
    assert lists.verdict(address="192.0.2.9", user="", key="", now=NOW + timedelta(seconds=1)) is None
