"""Requests of commands to the API, with somebody's API key: what its account may not do there, it may not do here."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from schemas.errors import ConfigurationError, Problem
from schemas.settings import Settings

REQUEST_S_MAX = 30.0
REFUSED = 400  # the first status of a problem


async def request_api(settings: Settings, method: str, path: str, body: Any = None, *, url: str, key_file: str) -> bytes:
    """The body of the API's answer to ``path`` below /api/v1. Raises ConfigurationError with the API's problem."""
    file = Path(key_file) if key_file else settings.node.home / "key"
    try:
        key = (await asyncio.to_thread(file.read_text, encoding="utf-8")).strip()
    except OSError as error:
        raise ConfigurationError(f"--key-file: {file} cannot be read ({error.strerror}); it must hold an API key") from error
    base = (url or f"http://127.0.0.1:{settings.node.port}").rstrip("/")
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    data = None if body is None else msgspec.json.encode(body)
    async with aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(total=REQUEST_S_MAX)) as session:
        try:
            async with session.request(method, f"{base}/api/v1{path}", data=data) as answer:
                status, content = answer.status, await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ConfigurationError(f"--url: {base} does not answer: {error!r}") from error
    if status >= REFUSED:
        raise ConfigurationError(_describe(content))
    return content


def _describe(content: bytes) -> str:
    """The problem as a sentence, with the fields that are wrong."""
    try:
        problem = msgspec.json.decode(content, type=Problem)
    except msgspec.DecodeError:
        return f"the API answered: {content[:200].decode(errors='replace')}"
    fields = "; ".join(f"{error.field}: {error.detail}" + (f" ({error.limit})" if error.limit else "") for error in problem.errors)
    return " ".join(part for part in (f"{problem.title}:", problem.detail, fields, problem.remedy) if part)
