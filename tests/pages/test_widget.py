"""`<claw-chat>` on a site of somebody else, whose policy allows the widget's script, the API, and nothing else."""

import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, Route, expect

from claw_client import Client
from tests.pages.conftest import PASSWORD, sign_in
from tests.support.accessibility import check_accessibility
from tests.support.browser import PHONE, Visitor, visit
from tests.support.foreign_page import serve_page
from tests.system.conftest import Up

pytestmark = pytest.mark.asyncio(loop_scope="session")
LEAVE = "Everybody has 25 days of leave a year. They end in March."
RULES = "每位员工每年有二十五天年假。年假在三月底到期。"
ASKED = {"en": "How many days of leave are there a year?", "zh": "每年有多少天年假？"}
WORDS = {"en": ("Your question", "Send", "Stop", "Close"), "zh": ("您的问题", "发送", "停止", "关闭")}
HOSTILE = (
    "<img src=x onerror=fetch('https://evil.example/')>",
    "<script>window.hit = 1</script>",
    "<svg onload=window.hit=1>",
    "[run](javascript:window.hit=1)",
    "[data](data:text/html,<script>window.hit=1</script>)",
    "![picture](https://evil.example/pixel.png)",
    "<a href='javascript:window.hit=1'>x</a>",
    "**<iframe srcdoc='<script>parent.hit=1</script>'>**",
    "`<style>*{display:none}</style>`",
    "| <b onmouseover=window.hit=1> | x |",
    '[x](https://evil.example/" onmouseover="window.hit=1)',
)


@dataclass(frozen=True)
class Owner:
    """Whose documents and keys they are."""

    client: Client
    url: str
    email: str

    async def key(self, origin: str, **limits: Any) -> str:
        """A key of a widget for pages of this origin."""
        widget = {"origins": [origin], "knowledge_base_ids": [self.client.knowledge_base], **limits}
        body, headers = {"name": "w", "widget": widget}, self.client.headers
        async with self.client.session.post("/api/v1/api-keys", json=body, headers=headers) as answer:
            return str((await answer.json())["key"])


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def owner(up: Up) -> AsyncIterator[Owner]:
    async with aiohttp.ClientSession(base_url=up.url) as session:
        email = f"{uuid.uuid4().hex}@example.org"
        client = await Client.register(session, email, PASSWORD)
        await client.submit("leave", LEAVE, title="Leave <b>rules</b>")
        await client.submit("rules", RULES, title="假期规定")
        for document in ("leave", "rules"):
            await client.wait_indexed(document)
        yield Owner(client, up.url, email)


@asynccontextmanager
async def embedded(
    browser: Browser, owner: Owner, *, language: str = "en", attributes: str = "", elsewhere: bool = False, **more: Any
) -> AsyncIterator[tuple[Visitor, Locator]]:
    """A visitor of the site with the widget; ``elsewhere``: its key is for another one. ``more`` goes to the key, or with ``size`` to the
    browser.
    """
    sizes = {name: more.pop(name) for name in ("size", "theme") if name in more}
    policy = f"default-src 'none'; script-src {owner.url}; connect-src {owner.url}; style-src 'self'; base-uri 'none'; form-action 'none'"
    policy += "; require-trusted-types-for 'script'; trusted-types 'none'"
    async with serve_page({"content-security-policy": policy}) as site:
        key = await owner.key("https://www.example.org" if elsewhere else site.origin, **more)
        site.html = (
            f'<!doctype html><html lang="{language}"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
            f'<title>shop</title><script type="module" src="{owner.url}/embed.js"></script>'
            f'<h1>Shop</h1><claw-chat key="{key}" {attributes}></claw-chat></html>'
        )
        async with visit(browser, site.origin, language=language, **sizes) as visitor:
            await visitor.go("/shop")
            yield visitor, visitor.page.locator("claw-chat")


async def ask(widget: Locator, language: str = "en", text: str = "") -> None:
    await widget.get_by_label(WORDS[language][0], exact=True).fill(text or ASKED[language])
    await widget.get_by_label(WORDS[language][0], exact=True).press("Enter")


async def ended(widget: Locator, language: str = "en") -> None:
    await expect(widget.get_by_role("button", name=WORDS[language][1], exact=True)).to_be_visible()


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_a_visitor_asks_and_opens_a_source_by_keyboard(browser: Browser, owner: Owner, language: str) -> None:
    """On a phone; the answer is spoken once, and nothing of the page's policy is broken."""
    async with embedded(browser, owner, language=language, size=PHONE, theme="dark") as (visitor, widget):
        speech = widget.locator("[role=status]")
        await ask(widget, language)
        await expect(widget.get_by_role("button", name=WORDS[language][2], exact=True)).to_be_visible()
        chip = widget.locator(".chip").first
        await expect(chip).to_be_visible()
        assert await speech.text_content() == ""
        await ended(widget, language)
        assert await speech.text_content()
        await chip.focus()
        await visitor.page.keyboard.press("Enter")
        card = widget.locator(".card")
        await expect(card).to_be_focused()
        title, quote = await card.locator("strong").text_content(), await card.locator("blockquote").text_content()
        assert title in {"Leave <b>rules</b>", "假期规定"}
        assert quote
        assert quote in LEAVE + RULES
        await visitor.page.keyboard.press("Escape")
        await expect(card).to_have_count(0)
        await expect(chip).to_be_focused()
        await ask(widget, language)
        await ended(widget, language)
        assert await widget.locator(".turn").count() == 2
        assert await visitor.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_a_refresh_in_mid_answer_goes_on_without_a_gap(browser: Browser, owner: Owner) -> None:
    async with embedded(browser, owner) as (visitor, widget):
        resumed: list[str] = []
        visitor.page.on(
            "request", lambda request: resumed.append(request.headers.get("last-event-id", "")) if "/stream" in request.url else None
        )
        await ask(widget)
        await expect(widget.locator(".chip").first).to_be_visible()
        before = await widget.locator(".body").text_content() or ""
        await visitor.page.reload()
        await expect(widget.get_by_role("button", name="Stop", exact=True)).to_be_visible()
        await ended(widget)
        whole = await _answer(visitor.page)
        assert (await widget.locator(".body").text_content() or "").startswith(before[:-3])  # a marker may have been cut in two
        assert any(resumed), "exactly after the last event"
        served = await _served(visitor.page, owner.url, whole["replyId"])
        assert whole["text"] == served
        await visitor.page.reload()
        await expect(widget.locator(".turn")).to_have_count(1)
        assert (await _answer(visitor.page))["text"] == whole["text"]


async def test_a_lost_connection_and_stop(browser: Browser, owner: Owner) -> None:
    async with embedded(browser, owner) as (visitor, widget):
        await ask(widget)
        await expect(widget.locator(".chip").first).to_be_visible()
        await visitor.context.set_offline(True)
        await visitor.page.wait_for_timeout(300)
        await visitor.context.set_offline(False)
        await ended(widget)
        whole = await _answer(visitor.page)
        assert whole["text"] == await _served(visitor.page, owner.url, whole["replyId"])
        await ask(widget)
        await expect(widget.locator(".turn").last.locator(".chip").first).to_be_visible()
        await widget.get_by_role("button", name="Stop", exact=True).click()
        await expect(widget.get_by_text("Stopped.", exact=True).first).to_be_visible()
        await ended(widget)
        assert (await _answer(visitor.page))["state"] == "cancelled"


async def test_a_key_is_made_and_tried_on_the_example_page(visitor: Visitor, owner: Owner) -> None:
    """Under the policy of our own pages; nobody who is not signed in sees the page, and the key stays in no address."""
    page = visitor.page
    await visitor.go("/embed")
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    await sign_in(page, visitor.url, owner.email)
    await visitor.go("/account/keys")
    await page.get_by_role("button", name="Create a widget's key").click()
    dialog = page.get_by_role("dialog", name="Create a widget's key")
    await dialog.get_by_label("Name").fill("our handbook")
    await dialog.get_by_role("checkbox").first.check()
    await dialog.get_by_label("Origins of the pages").fill("http://www.example.org")
    await dialog.get_by_role("button", name="Create a key").click()
    await expect(dialog.get_by_label("Origins of the pages")).to_have_attribute("aria-invalid", "true")
    await dialog.get_by_label("Origins of the pages").fill(f"https://www.example.org\n{visitor.url}")
    await check_accessibility(page)
    await dialog.get_by_role("button", name="Create a key").click()
    await page.get_by_role("link", name="Try the widget").click()
    await expect(page).to_have_url(f"{visitor.url}/embed")
    key = await page.get_by_label("Key of the widget").input_value()
    await expect(page.locator("pre")).to_contain_text(f'<claw-chat key="{key}" lang="en">')
    widget = page.locator("claw-chat")
    await ask(widget)
    await expect(widget.locator(".chip").first).to_be_visible()
    await visitor.context.set_offline(True)
    await page.wait_for_timeout(300)
    await visitor.context.set_offline(False)
    await ended(widget)  # of the same origin the browser names none, and says so
    await expect(widget.locator(".state.bad")).to_have_count(0)
    for theme in ("light", "dark"):
        await page.emulate_media(color_scheme=theme)
        await check_accessibility(page, colours_only=theme == "dark")


async def test_refusals_are_sentences(browser: Browser, owner: Owner) -> None:
    """Of a page of another origin, in both languages; of a day whose questions are used up; of a key that is gone."""
    for language, sentence in (("en", "This website may not use this chat."), ("zh", "此网站无权使用该问答组件。")):
        async with embedded(browser, owner, language=language, elsewhere=True) as (_, widget):
            await ask(widget, language)
            await expect(widget.locator(".state.bad")).to_contain_text(sentence)
            await expect(widget.locator(".turn button")).to_have_text("Try again" if language == "en" else "重试")
    async with embedded(browser, owner, questions_per_day=1) as (_, widget):
        await ask(widget)
        await ended(widget)
        await ask(widget)
        await expect(widget.locator(".state.bad")).to_contain_text("All questions for today are used. Please come back in")
    async with embedded(browser, owner, attributes='base-url="https://"') as (_, widget):
        await ask(widget)
        await expect(widget.locator(".state.bad")).to_contain_text("not set up")


async def test_a_wait_is_said_in_its_unit(browser: Browser, owner: Owner) -> None:
    async with embedded(browser, owner, language="zh") as (visitor, widget):
        problem = {"code": "rate_limited", "status": 429, "title": "x", "title_zh": "y", "retry_after_s": 37}
        await visitor.page.route("**/api/v1/widget/questions", lambda route: _fulfil(route, 429, json.dumps(problem)))
        await ask(widget, "zh")
        await expect(widget.locator(".state.bad")).to_contain_text("提问过于频繁，请在 37 秒 后重试。")


async def test_nothing_hostile_becomes_an_element(browser: Browser, owner: Owner) -> None:
    """In questions, answers, titles, places and quotes: they are text, and the policy of the page has nothing to report."""
    async with embedded(browser, owner) as (visitor, widget):
        text = "\n\n".join(HOSTILE) + "\n\nSee [1] and [docs](https://docs.example/a?b=c)."
        citations = [{"marker": 1, "title": HOSTILE[0], "locator": HOSTILE[2], "quote": "\n".join(HOSTILE)}]
        frames = [
            ("accepted", {"reply_id": str(uuid.uuid4()), "queue_position": None, "estimated_wait_s": None}),
            ("completed", {"text": text, "citations": citations, "finish_reason": "stop"}),
        ]
        stream = "".join(f"id: 0.{place}.1\nevent: {name}\ndata: {json.dumps(data)}\n\n" for place, (name, data) in enumerate(frames))
        await visitor.page.route("**/api/v1/widget/questions", lambda route: _fulfil(route, 200, stream, "text/event-stream"))
        fetched: list[str] = []
        visitor.page.on("request", lambda request: fetched.append(request.url) if "evil" in request.url else None)
        await ask(widget, text=HOSTILE[0])
        await widget.locator(".chip").click()
        await expect(widget.locator(".card blockquote")).to_have_text("\n".join(HOSTILE), use_inner_text=True)
        shown = widget.locator(".log")
        assert await shown.locator("img, script, svg, iframe, style, [onmouseover], [onerror]").count() == 0
        links = await shown.locator("a").evaluate_all("links => links.map(link => [link.href, link.rel])")
        assert ["https://docs.example/a?b=c", "noopener noreferrer nofollow"] in links
        assert all(href.startswith("https://") for href, _ in links)
        assert await visitor.page.evaluate("window.hit") is None
        assert fetched == []
        assert await visitor.page.evaluate("window.clawViolations") == []


async def _answer(page: Page) -> dict[str, Any]:
    """The last answer as the tab has kept it."""
    kept = await page.evaluate("() => Object.entries(sessionStorage).find(([name]) => name.startsWith('claw-chat:'))[1]")
    return dict(json.loads(kept)[-1])


async def _served(page: Page, url: str, reply_id: str) -> str:
    """The text of the reply as the server has it, by a fetch of the page's own."""
    return str(
        await page.evaluate(
            """async ([url, id]) => {
              const key = document.querySelector("claw-chat").getAttribute("key");
              const answer = await fetch(`${url}/api/v1/widget/questions/${id}/stream`, {headers: {Authorization: `Bearer ${key}`}});
              const events = (await answer.text()).trim().split("\\n\\n");
              return JSON.parse(events.at(-1).split("data: ")[1]).text;
            }""",
            [url, reply_id],
        )
    )


async def _fulfil(route: Route, status: int, body: str, media_type: str = "application/problem+json") -> None:
    await route.fulfill(status=status, body=body, content_type=media_type, headers={"access-control-allow-origin": "*"})
