"""The API under schemathesis, as a user, an administrator and an operator: ``make contract``. Exit status 1 on a server error or a response
that is not as our OpenAPI document says.

The command that runs schemathesis comes as arguments: it is installed into an environment of its own, for this run alone.
``CLAW_TEST_CONTRACT_EXAMPLES`` is the number of requests for each operation (30), ``CLAW_TEST_CONTRACT_SEED`` another seed.
"""

import asyncio
import json
import os
import sys
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import environ
from pathlib import Path
from typing import Any

import aiohttp

from claw_client import Client
from ops.stack.launch import PROJECT, stack

PASSWORD = "a long passphrase for a contract"
EXAMPLES = environ.get("CLAW_TEST_CONTRACT_EXAMPLES", "30")
SEED = environ.get("CLAW_TEST_CONTRACT_SEED", "20261130")
SCOPES = ["chat", "knowledge:read", "knowledge:write", "webhooks", "ops"]
SETTINGS = {
    "CLAW_LIMIT_ENABLED": "false",
    "CLAW_CAP_FREE_STREAMS_MAX": "0",
    "CLAW_CAP_TENANT_STREAMS_MAX": "0",
    "CLAW_CAP_FREE_UPLOADS_MAX": "0",
}
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
ENDLESS = "(/stream|/events)$"  # event streams, of which tests/api have others
# what ends the credential that it is called with, or changes what the next run of the same process means
ENDING = "^/api/v1/(auth/(logout|sessions|password)|users|organisation/members|configs/import|rate-limits/(denylist|rules))"


@dataclass(frozen=True)
class ContractCaller:
    """Somebody with an access token and a key of every scope, and what is theirs, by the names of path parameters."""

    role: str
    token: str
    key: str
    objects: Mapping[str, str]


async def run(command: Sequence[str]) -> int:
    """Every caller, with both credentials; the number of runs that found something."""
    failed = 0
    with tempfile.TemporaryDirectory(prefix="claw-contract-") as folder:
        home = Path(folder) / "home"
        async with stack(home, SETTINGS) as up, aiohttp.ClientSession(up.url) as session:
            for caller in await _make_callers(session, home):
                for credential, other in ((caller.key, ()), (caller.token, ("--exclude-path-regex", ENDING))):
                    print(f"{caller.role}, {'access token' if other else 'API key'}", flush=True)
                    failed += await _run_once(command, up.url, Path(folder), caller, credential, other) != 0
    return failed


async def _run_once(command: Sequence[str], url: str, folder: Path, caller: ContractCaller, credential: str, others: Sequence[str]) -> int:
    """The exit status of schemathesis, which prints what it finds."""
    settings = folder / "schemathesis.toml"
    values = "\n".join(f'"path.{name}" = {json.dumps(value)}' for name, value in caller.objects.items())
    settings.write_text(f"[parameters]\n{values}\n", encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        *(*command, "--config-file", str(settings), "run", f"{url}/schema/openapi.json", "--url", url),
        *("--header", f"Authorization: Bearer {credential}", "--checks", ",".join(CHECKS), "--max-examples", EXAMPLES, "--seed", SEED),
        *("--exclude-path-regex", ENDLESS, "--continue-on-failure", "--generation-database", "none", "--warnings", "off", *others),
        *("--request-timeout", "30", "--no-color", "--suppress-health-check", "all"),
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not name.startswith("CLAW_")},
    )
    return await process.wait()


async def _make_callers(session: aiohttp.ClientSession, home: Path) -> list[ContractCaller]:
    operator = f"{uuid.uuid4().hex}@example.org"
    await _create_operator(home, operator)
    tokens = {"operator": await _log_in(session, operator)}
    for role in ("user", "admin"):
        email = f"{uuid.uuid4().hex}@example.org"
        client = await Client.register(session, email, PASSWORD)
        account = (await _call(session, client.headers, "GET", "users/me"))["id"]
        await _call(session, bearer(tokens["operator"]), "PATCH", f"users/{account}", {"role": role})
        tokens[role] = await _log_in(session, email)
    return [await _make_caller(session, role, tokens[role]) for role in ("user", "admin", "operator")]


async def _make_caller(session: aiohttp.ClientSession, role: str, token: str) -> ContractCaller:
    client = await Client.with_token(session, token)

    async def call(method: str, path: str, body: Any = None) -> dict[str, Any]:
        return await _call(session, client.headers, method, path, body)

    document = (await call("PUT", f"knowledge/{client.knowledge_base}/documents/d", {"text": "The ferry leaves at nine."}))["task_id"]
    await client.wait_indexed("d")
    conversation = await client.create_conversation()
    asked = await call("POST", f"conversations/{conversation}/messages", {"content": "When does the ferry leave?"})
    webhook = (await call("POST", "webhooks", {"url": "https://hooks.example.com/"}))["id"]
    objects = {
        "conversation_id": conversation,
        "message_id": asked["message"]["id"],
        "reply_id": asked["reply_id"],
        "knowledge_base_id": client.knowledge_base,
        "document_id": "d",
        "task_id": document,
        "webhook_id": webhook,
        "delivery_id": (await call("POST", f"webhooks/{webhook}/test"))["id"],
        "config_key": "retrieval.meaning_weight",
        "model": "claw",
    }
    key = (await call("POST", "api-keys", {"name": "contract", "scopes": SCOPES}))["key"]
    return ContractCaller(role, token, key, objects)


async def _create_operator(home: Path, email: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ops.cli", "admin", "create", email, "--password-stdin"),
        cwd=PROJECT,
        env={name: value for name, value in os.environ.items() if not name.startswith("CLAW_")} | {"CLAW_HOME": str(home)},
        stdin=asyncio.subprocess.PIPE,
    )
    await process.communicate(f"{PASSWORD}\n".encode())
    if process.returncode:
        raise SystemExit("contract: no operator could be created")


async def _log_in(session: aiohttp.ClientSession, email: str) -> str:
    return str((await _call(session, {}, "POST", "auth/login", {"email": email, "password": PASSWORD}))["access_token"])


async def _call(session: aiohttp.ClientSession, headers: Mapping[str, str], method: str, path: str, body: Any = None) -> dict[str, Any]:
    async with session.request(method, f"/api/v1/{path}", json=body, headers=headers) as answer:
        text = await answer.text()
        if not answer.ok:
            raise SystemExit(f"contract: {method} {path}: {answer.status} {text[:500]}")
        return dict(json.loads(text)) if text else {}


def bearer(token: str) -> dict[str, str]:
    """The header of a credential."""
    return {"Authorization": f"Bearer {token}"}


def main() -> int:
    """Exit status 1 when something was found."""
    failed = asyncio.run(run(sys.argv[1:]))
    print(f"{failed} of 6 runs found something" if failed else "no server error, and every response is as the document says")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
