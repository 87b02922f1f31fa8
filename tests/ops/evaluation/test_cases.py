"""Cases of an evaluation."""

import json

import pytest

from ops.evaluation.cases import cases_of
from schemas.errors import ConfigurationError


def test_an_encrypted_file_is_two_cases(tmp_path):
    """Without its password and with it."""
    (tmp_path / "a.pdf").write_bytes(b"x")
    row = {"file": "a.pdf", "category": "encrypted", "expect": "password_required", "phrases": ["p"], "password": "w", "kind": "pdf"}
    (tmp_path / "manifest.jsonl").write_text(json.dumps(row))
    assert [(each.expect, each.password) for each in cases_of(tmp_path)] == [("password_required", ""), ("password", "w")]
    (tmp_path / "manifest.jsonl").write_text('{"file": 1}')
    with pytest.raises(ConfigurationError, match="line 1"):
        cases_of(tmp_path)
