import pytest

from domain.accounts.identities import identity_id, parse_role_groups, role_of
from schemas.errors import ConfigurationError


def test_a_person_is_an_issuer_and_a_subject():
    """Neither of them alone, and no two of them written together."""
    known = identity_id("https://a.example", "1")
    assert len(known) == 64
    assert (
        len({known, identity_id("https://b.example", "1"), identity_id("https://a.example", "2"), identity_id("https://a.example1", "")})
        == 4
    )


def test_the_highest_role_of_the_groups_counts():
    roles = parse_role_groups("admin=staff, operator = sre ,")
    assert roles == {"staff": "admin", "sre": "operator"}
    assert role_of(("sre", "staff"), roles) == "operator"
    assert role_of(("staff", "others"), roles) == "admin"
    assert role_of((), roles) == "user"
    for wrong in ("root=staff", "admin", "admin="):
        with pytest.raises(ConfigurationError, match="CLAW_OIDC_ROLE_GROUPS"):
            parse_role_groups(wrong)
