"""The page about webhooks: its examples verify what we sign, and its table has every event."""

import base64
import os
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import pytest

from adapters.webhooks.signatures import new_secret, signed_headers
from domain.notices.texts import DEFAULT_CHANNELS
from schemas.notices import WebhookEventType

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "webhooks.md").read_text(encoding="utf-8")
BODY = '{"type":"document.indexed","data":{"title":"员工手册"}}\n'.encode()
SECRET = new_secret(os.urandom)


def block(language: str, containing: str) -> str:
    (found,) = [text for text in re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL) if containing in text]
    return str(found)


def test_the_python_example_verifies_a_message():
    names: dict[str, Any] = {}
    exec(block("python", "standardwebhooks"), names)
    headers = signed_headers((SECRET,), "msg_1", datetime.now(UTC), BODY)
    assert names["verified"](SECRET, BODY, headers)["data"]["title"] == "员工手册"
    with pytest.raises(Exception, match="No matching signature"):
        names["verified"](new_secret(os.urandom), BODY, headers)


def test_the_shell_example_computes_the_signature(tmp_path):
    (tmp_path / "body").write_bytes(BODY)
    headers = signed_headers((SECRET,), "msg_1", datetime.now(UTC), BODY)
    environ = os.environ | {"SECRET": SECRET, "ID": "msg_1", "TIMESTAMP": headers["webhook-timestamp"]}
    printed = subprocess.run(["sh", "-c", block("sh", "openssl")], cwd=tmp_path, env=environ, capture_output=True, text=True, check=True)
    assert f"v1,{printed.stdout.strip()}" == headers["webhook-signature"]
    assert len(base64.b64decode(printed.stdout)) == 32


def test_the_tables_have_every_event_and_kind():
    assert set(re.findall(r"^\| `([a-z.]+)` \|", PAGE, re.MULTILINE)) == set(get_args(WebhookEventType))
    notices = (DOCS / "notices.md").read_text(encoding="utf-8")
    assert {kind for kind in re.findall(r"^\| `([a-z_.]+)` \|", notices, re.MULTILINE) if not kind.startswith("claw")} == set(
        DEFAULT_CHANNELS
    )
