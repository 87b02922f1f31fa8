"""kcat, where it is installed and can log in to a broker of today; its commands in pages, taken apart as it does."""

import asyncio
import getopt
import re
import shlex
import shutil
from pathlib import Path

import pytest

LIBRDKAFKA = (2, 6, 1)  # older ones send a nonce that Kafka 4 refuses (SCRAM: "invalid credentials")
COMMAND = re.compile(r"""(?:[^|\n'"]|'[^']*'|"[^"]*")+""")
OPTIONS = "CPLQG:t:p:b:D:K:c:m:F:X:d:qvEVhz:k:H:lTZo:ef:JOus:r:"  # of kcat 1.7


async def require_kcat() -> None:
    """Skip the test, with the reason, where the examples cannot be executed."""
    if shutil.which("kcat") is None:
        pytest.skip("kcat is not installed: its examples are not executed")
    process = await asyncio.create_subprocess_exec("kcat", "-V", stdout=asyncio.subprocess.PIPE)
    printed, _ = await process.communicate()
    version = re.search(rb"librdkafka (\d+)\.(\d+)\.(\d+)", printed)
    if version is None or tuple(map(int, version.groups())) < LIBRDKAFKA:
        wanted = ".".join(map(str, LIBRDKAFKA))
        pytest.skip(f"kcat has a librdkafka older than {wanted}, which cannot log in to Kafka 4: its examples are not executed")


async def run_script(script: str, folder: Path, timeout_s: float = 20.0) -> str:
    """What a shell prints that executes the script in this folder; it must succeed."""
    process = await asyncio.create_subprocess_exec(
        "sh", "-ec", script, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(timeout_s):
        out, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return out.decode()


def kcat_commands(script: str) -> list[tuple[list[tuple[str, str]], list[str]]]:
    """The options and the files of every command ``kcat`` in a shell script; raises getopt.GetoptError."""
    joined = re.sub(r"\|\s*\n", "| ", re.sub(r"(?m)(?:^|\s)#.*$", "", script.replace("\\\n", " ")))
    commands = [shlex.split(part) for part in COMMAND.findall(joined)]
    return [getopt.gnu_getopt(words[1:], OPTIONS) for words in commands if words[:1] == ["kcat"]]
