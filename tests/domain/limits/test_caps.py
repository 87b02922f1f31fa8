"""Refusals by caps say whose cap it is, what is in use, and which setting raises it."""

from typing import get_args

from domain.limits.caps import CODES, NOUNS, CapShortage, cap_refusal
from schemas.errors import CATALOGUE
from schemas.errors_zh import CHINESE
from schemas.settings import CapSettings, Settings
from schemas.settings.caps import CAP_KINDS, CapKind


def test_every_kind_has_a_code_a_noun_and_settings() -> None:
    settings = CapSettings()
    assert get_args(CapKind) == CAP_KINDS == tuple(CODES) == tuple(NOUNS)
    for kind in CAP_KINDS:
        assert CODES[kind] in CATALOGUE
        assert CODES[kind] in CHINESE
        assert 0 < settings.of_account("free", kind) <= settings.of_account("pro", kind) <= settings.of_account("enterprise", kind)
        assert settings.of_tenant(kind) >= settings.of_account("free", kind)


def test_the_refusal_names_limit_use_and_setting() -> None:
    problem = cap_refusal(CapShortage("stored_bytes", "account", 90, 100, 20), "pro").problem()
    assert (problem.code, problem.status, problem.rule) == ("storage_full", 409, "account_stored_bytes")
    assert problem.detail == "this account has 90 of 100 bytes of documents (CLAW_CAP_PRO_STORED_BYTES_MAX), and 20 more were asked for"
    problem = cap_refusal(CapShortage("streams", "tenant", 4, 4)).problem()
    assert (problem.code, problem.retry_after_s) == ("too_many_streams", 1)
    assert problem.detail == "this tenant has 4 of 4 open event streams (CLAW_CAP_TENANT_STREAMS_MAX)"
    assert Settings.from_env({"CLAW_CAP_TENANT_STREAMS_MAX": "0"}).caps.of_tenant("streams") == 0
