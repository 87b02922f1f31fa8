"""The commands of the README, executed against the stack: curl and OpenAI's client."""

import asyncio
import re
import shutil
import sys
from pathlib import Path

import aiohttp
import pytest

from claw_client import Client
from ops.stack.launch import PROJECT
from tests.support.kcat import require_kcat, run_script
from tests.system.conftest import records

PAGE = (PROJECT / "README.md").read_text(encoding="utf-8")
ADDRESS = "http://127.0.0.1:8000"


def section(heading: str) -> str:
    """The block of code below a heading."""
    blocks: list[str] = re.findall(rf"^## {heading}\n.*?^```(?:sh|python)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    (only,) = blocks
    assert ADDRESS in only
    return only


@pytest.fixture
def folder(up, tmp_path: Path) -> Path:
    """Where the commands are typed: a folder with the key of the stack and the file that is uploaded."""
    (tmp_path / ".claw").mkdir()
    (tmp_path / ".claw" / "key").write_text(up.key, encoding="utf-8")
    (tmp_path / "README.md").write_text(PAGE, encoding="utf-8")
    return tmp_path


async def output(folder: Path, *command: str) -> str:
    process = await asyncio.create_subprocess_exec(*command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    async with asyncio.timeout(60):
        out, errors = await process.communicate()
    assert out, errors.decode()
    return out.decode()


async def curl(up, folder: Path, heading: str) -> str:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed: its examples are not executed")
    script = section(heading).replace(ADDRESS, up.url).replace("python3 ", f"{sys.executable} ")
    return await output(folder, "sh", "-c", script)


async def forget_readme(session: aiohttp.ClientSession, key: str) -> None:
    """Other tests ask the same tenant: the README must not answer them."""
    headers, removed = {"Authorization": f"Bearer {key}"}, 0
    async with session.get("/api/v1/knowledge?limit=100", headers=headers) as answer:
        bases = (await answer.json())["items"]
    for base in bases:  # others of the tenant may be shared, and belong to somebody else
        path = f"/api/v1/knowledge/{base['id']}/documents/readme"
        async with session.get(path, headers=headers) as found:
            if found.status != 200:
                continue
        async with session.delete(path, headers=headers) as answer:
            assert answer.status in (202, 204)
        removed += 1
    assert removed


async def test_documents_are_uploaded_followed_and_found(up, folder, session, owner):
    """The upload is accepted, its progress is streamed, the search answers: in the default knowledge base, whatever others there are."""
    default = (await Client.with_token(session, up.key)).knowledge_base
    assert owner.knowledge_base != default
    printed = await curl(up, folder, "Documents")
    await forget_readme(session, up.key)
    assert f'"knowledge_base_id":"{default}"' in printed
    assert '"document_id":"readme"' in printed
    assert "event: snapshot" in printed
    assert '"passages":[' in printed.splitlines()[-1]


async def test_a_question_is_streamed_to_its_end(up, folder):
    printed = await curl(up, folder, "Ask with curl")
    assert "event: accepted" in printed
    assert "event: completed" in printed


async def test_openais_client_gets_an_answer(up, folder):
    code = section("Ask with OpenAI's client").replace(ADDRESS, up.url)
    assert (await output(folder, sys.executable, "-c", code)).strip()


async def test_kcat_publishes_and_deletes(up, folder: Path, session: aiohttp.ClientSession):
    """As it stands there, with the file that the stack has written."""
    await require_kcat()
    (block,) = re.findall(r"^## Publish a document with kcat\n.*?^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    (folder / ".claw" / "kafka").symlink_to(up.home / "kafka")
    printed = await run_script(block, folder, timeout_s=60)
    assert '"document_id":"amrum"' in printed
    async with asyncio.timeout(30):
        while not any(
            b'"document_id":"amrum"' in each.value and b'"state":"deleted"' in each.value
            for each in await records(up, "claw.documents.progressed.v1")
        ):
            await asyncio.sleep(0.2)
