"""The widget's script: one file, small, that browsers find unchanged without loading it again."""

import gzip
import json

import pytest
from playwright.async_api import Route, expect

from api.web.static_files import FILES
from api.widget.script import join_modules
from tests.support.accessibility import check_accessibility
from tests.support.api_process import House
from tests.support.browser import NEEDS_CHROMIUM, PHONE, open_browser, visit

GZIP_BYTES_MAX = 15_000


def test_it_is_one_file_of_all_modules_and_small() -> None:
    joined = join_modules()
    assert "\nimport " not in joined
    assert "\nexport " not in joined
    served = [path for path in (FILES / "embed").glob("*.js") if not path.name.endswith(".test.js")]
    for path in served:
        assert path.read_text(encoding="utf-8").splitlines()[-1] in joined, path
    assert len(gzip.compress(joined.encode(), 9)) <= GZIP_BYTES_MAX
    for forbidden in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", 'setAttribute("style'):
        assert forbidden not in joined


@pytest.mark.asyncio(loop_scope="session")
async def test_it_is_kept_for_minutes_and_then_asked_about(house: House) -> None:
    for encoding in ("gzip", "identity"):
        answer = await house.client.get("/embed.js", headers={"accept-encoding": encoding, "origin": "https://www.example.org"})
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/javascript; charset=utf-8")
        assert answer.text == join_modules()
        assert answer.headers.get("content-encoding", "identity") == encoding
        assert answer.headers["access-control-allow-origin"] == "*"
        assert (answer.headers["cache-control"], answer.headers["cross-origin-resource-policy"]) == ("public, max-age=300", "cross-origin")
        known = await house.client.get("/embed.js", headers={"if-none-match": f'"other", W/{answer.headers["etag"]}'})
        assert (known.status_code, known.content, known.headers["etag"]) == (304, b"", answer.headers["etag"])


SITE = "http://shop.localhost"
ANSWER = {
    "text": "**Leave** is *25 days* [1]:\n\n- with `code`\n\n| Year | Days |\n|---|---|\n| 2025 | 25 |\n\n```\nprint(1)\n```\n\nSee [docs](https://docs.example/).",
    "citations": [{"marker": 1, "title": "Rules.pdf", "locator": "p. 3 > Leave", "quote": "Everybody has 25 days."}],
    "finish_reason": "stop",
}
STREAM = "".join(
    f"id: 0.{number}.1\nevent: {name}\ndata: {json.dumps(data)}\n\n"
    for number, (name, data) in enumerate((("accepted", {"reply_id": "r"}), ("completed", ANSWER)))
)
SHOP = (
    '<!doctype html><html lang="{language}"><title>shop</title><script type="module" src="/embed.js"></script>'
    '<main><h1>Shop</h1><claw-chat key="claw_x"></claw-chat></main></html>'
)
LIMITED = {"code": "rate_limited", "title": "x", "title_zh": "y", "retry_after_s": 37}


@NEEDS_CHROMIUM
@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("language", ["en", "zh"])
async def test_axe_finds_nothing_grave(language: str) -> None:
    """In an answer with all its parts and an open source, and in a refusal; in both themes."""
    asked = 0

    async def serve(route: Route) -> None:
        nonlocal asked
        if route.request.url.endswith("/embed.js"):
            await route.fulfill(body=join_modules(), content_type="text/javascript")
        elif route.request.url.endswith("/questions"):
            asked += 1
            if asked == 1:
                await route.fulfill(body=STREAM, content_type="text/event-stream")
            else:
                await route.fulfill(status=429, body=json.dumps(LIMITED), content_type="application/problem+json")
        else:
            await route.fulfill(body=SHOP.format(language=language), content_type="text/html")

    async with open_browser() as browser, visit(browser, SITE, language=language, size=PHONE) as visitor:
        await visitor.context.route(f"{SITE}/**", serve)
        await visitor.go("/")
        widget = visitor.page.locator("claw-chat")
        for end in (".chip", ".state.bad"):
            await widget.locator("textarea").fill("?")
            await widget.locator("textarea").press("Enter")
            await expect(widget.locator(end)).to_be_visible()
        await widget.locator(".chip").click()
        for theme in ("light", "dark"):
            await widget.evaluate("(element, theme) => element.setAttribute('theme', theme)", theme)
            await check_accessibility(visitor.page)
