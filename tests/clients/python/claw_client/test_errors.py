"""Errors of the server as exceptions."""

from claw_client import ApiError, DocumentFailed


def test_a_problem_document_has_its_members() -> None:
    error = ApiError("GET /x", 429, '{"code": "rate_limited", "detail": "60 a minute", "remedy": "Wait."}')
    assert (error.status, error.code, error.detail, error.remedy) == (429, "rate_limited", "60 a minute", "Wait.")
    assert str(error).startswith("GET /x answered 429: ")


def test_anything_else_is_quoted_in_part() -> None:
    for body in ("<html>", "[1]", ""):
        assert ApiError("GET /x", 502, body).code == ""
    assert len(str(ApiError("GET /x", 502, "a" * 10_000))) < 600


def test_a_failed_document_carries_its_record() -> None:
    error = DocumentFailed("handbook", {"state": "failed", "cause": {"code": "document_empty"}})
    assert error.state["cause"]["code"] == "document_empty"
    assert "handbook" in str(error)
