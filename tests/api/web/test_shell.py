"""What is served at the addresses of pages."""

import gzip
import re

import cramjam
import httpx
import pytest

from api.web.module_text import drop_comments
from api.web.responses import choose_encoding
from api.web.shell import PAGES, first_load
from api.web.static_files import FILES, StaticFiles
from tests.support.api_process import House

pytestmark = pytest.mark.asyncio(loop_scope="session")
FIRST_LOAD_MAX, ALL_MAX = 120_000, 300_000  # bytes on the wire


@pytest.mark.parametrize("page", sorted(set(PAGES.values())))
async def test_the_first_load_of_a_page_is_light(page: str) -> None:
    files = StaticFiles()
    assert files.weight(first_load(files, page), "gzip") <= FIRST_LOAD_MAX


@pytest.mark.parametrize("page", sorted(set(PAGES.values())))
async def test_a_page_with_all_that_it_may_ever_load_is_light(page: str) -> None:
    files = StaticFiles()
    others = tuple(f"pages/{name}/" for name in set(PAGES.values()) - {page})
    names = [name for name in files.names() if not name.startswith((*others, "embed/")) and not name.endswith(".txt")]
    assert files.weight(names, "gzip") <= ALL_MAX  # also where a browser reads nothing better


async def test_everything_that_is_served_is_light() -> None:
    """All pages with all lazy parts, both languages and the widget, as browsers get them; the texts of licences are loaded by none."""
    files = StaticFiles()
    assert files.weight([name for name in files.names() if not name.endswith(".txt")], "br") <= ALL_MAX


async def test_modules_and_styles_that_are_named_exist() -> None:
    files = StaticFiles()
    for page in set(PAGES.values()):
        for name in first_load(files, page):
            assert files.get(name) is not None, name


async def test_the_browser_knows_the_same_pages() -> None:
    text = (FILES / "core" / "start.js").read_text(encoding="utf-8")
    listed = re.search(r"PAGES = \{(.*?)\}", text, re.DOTALL)
    assert listed is not None
    assert dict(re.findall(r'"?([\w-]*)"?: "(\w+)"', listed[1])) == PAGES


@pytest.mark.parametrize("path", ["/", "/chat/1", "/knowledge", "/knowledge/a/b", "/operations", "/account", "/sign-in", "/invitation"])
async def test_the_shell_is_served_with_its_policy(house: House, path: str) -> None:
    answer = await house.client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-cache"
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=", answer.text)
    for file in re.findall(r'(?:href|src)="(/static/[^"]+)"', answer.text):
        assert (await house.client.get(file)).status_code == 200, file


async def test_files_are_compressed_and_kept_for_ever(house: House) -> None:
    base = f"/static/{StaticFiles().hash}"
    async with httpx.AsyncClient(base_url=house.client.base_url, headers={"accept-encoding": "identity"}) as plain:
        whole = await plain.get(f"{base}/core/start.js")
        async with plain.stream("GET", f"{base}/core/start.js", headers={"accept-encoding": "gzip, br"}) as smallest:
            sent = b"".join([piece async for piece in smallest.aiter_raw()])
    packed = await house.client.get(f"{base}/core/start.js", headers={"accept-encoding": "gzip"})
    assert whole.content == packed.content == drop_comments((FILES / "core" / "start.js").read_text(encoding="utf-8")).encode()
    assert "content-encoding" not in whole.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) == len(gzip.compress(whole.content, 9, mtime=0))
    assert smallest.headers["content-encoding"] == "br"
    assert bytes(cramjam.brotli.decompress(sent)) == whole.content
    assert int(smallest.headers["content-length"]) < int(packed.headers["content-length"])
    for answer in (whole, packed, smallest):
        assert answer.headers["vary"] == "Accept-Encoding"
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip", "gzip"),
        ("GZIP;q=0.5", "gzip"),
        ("br;q=0, gzip", "gzip"),
        ("br; q=0.000, gzip;q=0", ""),
        ("br;q=0.1", "br"),
        ("brotli, gzipped", ""),
        ("*", ""),
        ("", ""),
    ],
)
async def test_the_encoding_is_one_that_the_browser_reads(accepted: str, chosen: str) -> None:
    assert choose_encoding(accepted) == chosen


@pytest.mark.parametrize("path", ["core/events.test.js", "../routes.py", "%2e%2e/routes.py", "nothing.js", "packages.json", ""])
async def test_nothing_else_is_served(house: House, path: str) -> None:
    answer = await house.client.get(f"/static/{StaticFiles().hash}/{path}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_files_of_another_release_are_not_found(house: House) -> None:
    assert (await house.client.get("/static/0123456789abcdef/core/start.js")).status_code == 404


async def test_unknown_paths_are_still_problems(house: House) -> None:
    answer = await house.client.get("/nothing")
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"
