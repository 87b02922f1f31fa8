"""Rules and lists as pure data: which apply, what is wrong with them, who is on a list."""

import pytest

from domain.limits.rules import applicable_rules, default_rules, problems_of
from schemas.limits import Rule
from schemas.settings import LimitSettings

ROUTES = ("/conversations", "/conversations/{conversation_id}/messages", "/knowledge/{base_id}/documents")
VERSIONS = "/knowledge/{base_id}/documents/{document_id}/versions/{version}/source"


def rule(name: str = "r", **fields: object) -> Rule:
    return Rule(**({"name": name, "rate": 60, "burst": 120, "scope": "user"} | fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (rule(scope="route"), "rules[0].route"),
        (rule(route="/conversations"), "rules[0].route"),
        (rule(scope="route", route="/nowhere"), "rules[0].route"),
        (rule(scope="address", counts="model_tokens"), "rules[0].scope"),
        (rule(scope="address", counts="embedding_tokens"), "rules[0].scope"),
        (rule(scope="user", exclusive=True), "rules[0].exclusive"),
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
    assert not problems_of(default_rules(LimitSettings()), (*ROUTES, VERSIONS, "/knowledge", "/v1/chat/completions", "/v1/embeddings"))


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


@pytest.mark.parametrize(
    ("path", "user_id", "tier", "names"),
    [
        ("/api/v1/conversations", "u", "free", ["global", "address", "user_free", "conversations"]),
        ("/api/v1/conversations/abc", "u", "pro", ["global", "address", "user_pro", "conversations"]),
        ("/api/v1/conversations/abc/messages", "u", "free", ["global", "address", "user_free", "messages"]),
        ("/api/v1/knowledge/kb/documents/messages", "u", "enterprise", ["global", "address", "user_enterprise", "knowledge"]),
        ("/api/v1/knowledgeable", "u", "free", ["global", "address", "user_free"]),
        ("/v1/chat/completions", "u", "free", ["global", "address", "user_free", "completions"]),
        ("/v1/embeddings", "u", "free", ["global", "embeddings"]),
        ("/v1/models", "u", "free", ["global", "address", "user_free"]),
        ("/api/v1/knowledge/query", "u", "free", ["global", "address", "user_free", "knowledge"]),
        ("/api/v1/auth/login", "", "free", ["anonymous", "address"]),
        ("/api/v1/knowledge", "", "free", ["anonymous", "address"]),
    ],
)
def test_which_rules_apply(path: str, user_id: str, tier: str, names: list[str]) -> None:
    """Global and address always, the user's tier, and the most specific route."""
    found = applicable_rules(default_rules(LimitSettings()), address="192.0.2.1", user=user_id, tier=tier, path=path)  # type: ignore[arg-type]
    assert [rule.name for rule, _ in found] == names


def test_an_ipv6_client_is_its_network() -> None:
    """Whoever has a /64 has 2^64 addresses, but one bucket."""
    rules = [Rule(name="address", rate=1, burst=1, scope="address")]
    subjects = {applicable_rules(rules, address=address)[0][1] for address in ("2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:0:1::")}
    assert subjects == {"2001:db8::/64"}
    assert applicable_rules(rules, address="unknown")[0][1] == "unknown"


def test_a_site_with_many_networks_has_a_bound_too() -> None:
    """Providers give a /56 or a /48 to one customer: 256 or 65,536 networks that would each have a bucket."""
    found = applicable_rules(default_rules(LimitSettings(address_per_minute=10)), address="2001:db8:1:203::5", user="u")
    subjects = {rule.name: (subject, rule.rate) for rule, subject in found if rule.scope == "address"}
    assert subjects == {
        "address": ("2001:db8:1:203::/64", 10),
        "address_56": ("2001:db8:1:200::/56", 40),
        "address_48": ("2001:db8:1::/48", 160),
    }


def test_who_has_no_credential_takes_nothing_from_those_who_have() -> None:
    rules = default_rules(LimitSettings())
    known, unknown = ({rule.name for rule, _ in applicable_rules(rules, address="192.0.2.1", user=user)} for user in ("u", ""))
    assert ("global" in known, "anonymous" in known) == (True, False)
    assert ("global" in unknown, "anonymous" in unknown) == (False, True)


def test_an_exclusive_route_stands_for_user_and_address() -> None:
    """For who has a credential; global and key rules stay, and so does everything for a stranger."""
    rules = (
        rule("g", scope="global"),
        rule("a", scope="address"),
        rule("u"),
        rule("k", scope="key"),
        rule("r", scope="route", route="/v1/embeddings", exclusive=True),
        rule("t", counts="embedding_tokens"),
    )

    def names(path: str, user: str = "t/u", **fields: str) -> list[str]:
        found = applicable_rules(rules, address="203.0.113.9", user=user, path=path, key="k", **fields)  # type: ignore[arg-type]
        return [each.name for each, _ in found]

    assert names("/v1/embeddings") == ["g", "k", "r"]
    assert names("/v1/chat/completions") == ["g", "a", "u", "k"]
    assert names("/v1/embeddings", user="") == ["a", "k"]
    assert names("", counts="embedding_tokens") == ["t"]
