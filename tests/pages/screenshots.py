"""``make screenshots``: pictures of the pages for the README and the docs, taken on a stack of their own with the keyless model."""

import asyncio
import os
import sys
import tempfile
from pathlib import Path

import aiohttp
from playwright.async_api import Browser, Page, expect

from claw_client import Client
from ops.stack.launch import stack
from tests.pages.conftest import PASSWORD, sign_in
from tests.support.browser import CHROMIUM, DESKTOP, PHONE, Visitor, keep_screenshot, open_browser, visit

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
SETTLE_MS = 4_000  # for what streams, and pictures that are drawn
EMAIL = "mei@example.org"

HANDBOOK = """<html lang="zh"><title>员工手册</title><style>
body { font: 15px/1.9 "Noto Sans CJK SC", sans-serif; margin: 2.2cm; color: #222 }
h1 { font-size: 26px }
h2 { font-size: 18px; margin-top: 1.6em }
td, th { border: 1px solid #999; padding: 4px 14px }
table { border-collapse: collapse }
</style>
<h1>员工手册（2026 年版）</h1>
<h2>第一章 工作时间</h2>
<p>公司实行每周五天工作制，标准工作时间为上午九点至下午六点，中午休息一小时。部门可以根据业务需要安排弹性上下班。</p>
<h2>第二章 休假</h2>
<p>员工每年享有十五天带薪年假，入职满五年后增加到二十天。年假应当在次年三月三十一日之前使用，未使用的年假不再保留。</p>
<p>病假需要提交医院证明。员工结婚可以休婚假十三天。</p>
<h2>第三章 差旅</h2>
<p>国内出差的住宿标准为一线城市每晚不超过八百元，其他城市每晚不超过五百元。乘坐高铁以二等座为准。</p>
<table><tr><th>城市</th><th>住宿（元/晚）</th><th>餐补（元/天）</th></tr>
<tr><td>北京、上海</td><td>800</td><td>150</td></tr><tr><td>其他</td><td>500</td><td>100</td></tr></table>
<h2>第四章 报销</h2>
<p>报销单应当在出差结束后三十天内提交，发票须与行程一致，由直属上级在两个工作日内审批。</p></html>"""
SECURITY = """# Security guide

## Passwords

A password has at least twelve characters. Passwords are changed only when there is a reason to believe that somebody else knows them.

## Laptops

A lost laptop is reported to security@example.org within one hour. Disks are encrypted, and the screen locks after five minutes.

## Visitors

Visitors wear a badge and are accompanied by an employee at all times.
"""


async def main() -> int:
    """SystemExit without a Chromium."""
    if CHROMIUM is None:
        raise SystemExit("no Chromium on this machine: apt-get install chromium")
    with tempfile.TemporaryDirectory(prefix="claw-pages-") as home:
        async with stack(Path(home), {}) as up, aiohttp.ClientSession(base_url=up.url) as session, open_browser() as browser:
            await _load(session, browser)
            await _make_operator(Path(home))
            async with visit(browser, up.url, language="zh", size=DESKTOP) as mei:
                await sign_in(mei.page, mei.url, EMAIL)
                await _take_chat(mei)
            async with visit(browser, up.url, language="zh", theme="dark", size=PHONE) as mei:
                await sign_in(mei.page, mei.url, EMAIL)
                await _take_phone(mei)
            async with visit(browser, up.url, language="en", size=DESKTOP) as mei:
                await sign_in(mei.page, mei.url, EMAIL)
                await _take_knowledge(mei)
            async with visit(browser, up.url, language="en", theme="dark", size=DESKTOP) as mei:
                await sign_in(mei.page, mei.url, EMAIL)
                await _take_operations(mei)
    return 0


async def _load(session: aiohttp.ClientSession, browser: Browser) -> None:
    client = await Client.register(session, EMAIL, PASSWORD)
    page = await browser.new_page()
    await page.set_content(HANDBOOK)
    handbook = await page.pdf(format="A4")
    await page.close()
    form = aiohttp.FormData()
    form.add_field("document_id", "员工手册 2026.pdf")
    form.add_field("file", handbook, filename="员工手册 2026.pdf")
    async with session.post(f"/api/v1/knowledge/{client.knowledge_base}/documents/upload", data=form, headers=client.headers) as answer:
        assert answer.ok, await answer.text()
    await client.submit("security-guide.md", SECURITY, title="Security guide", media_type="text/markdown")
    for document in ("员工手册 2026.pdf", "security-guide.md"):
        await client.wait_indexed(document)


async def _make_operator(home: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ops.cli", "admin", "create", EMAIL, "--promote"),
        env={**os.environ, "CLAW_HOME": str(home)},
        stdout=asyncio.subprocess.DEVNULL,
    )
    assert await process.wait() == 0


async def _ask(page: Page, question: str) -> None:
    answers = await page.locator(".message.answer").count()
    box = page.locator("textarea")
    await box.fill(question)
    await box.press("Enter")
    await expect(page.locator(".message.answer").nth(answers).locator(".citation").first).to_be_visible(timeout=60_000)
    await page.wait_for_timeout(SETTLE_MS)


async def _take_chat(mei: Visitor) -> None:
    await _ask(mei.page, "年假有多少天？什么时候之前要用完？")
    await mei.page.locator(".message.answer .citation").first.click()
    await expect(mei.page.locator("figure img").first).to_be_visible(timeout=60_000)
    await mei.page.wait_for_timeout(SETTLE_MS)
    await mei.page.mouse.move(5, 400)
    await keep_screenshot(mei.page, FOLDER / "chat.png")


async def _take_phone(mei: Visitor) -> None:
    await _ask(mei.page, "出差住宿每晚不能超过多少钱？")
    await keep_screenshot(mei.page, FOLDER / "phone.png")


async def _take_knowledge(mei: Visitor) -> None:
    await mei.go("/knowledge")
    await mei.page.get_by_role("link", name="Default").first.click()
    await expect(mei.page.get_by_role("row").filter(has_text="security")).to_be_visible()
    await keep_screenshot(mei.page, FOLDER / "knowledge.png")


async def _take_operations(mei: Visitor) -> None:
    await mei.go("/operations")
    await expect(mei.page.get_by_text("All parts are up")).to_be_visible()
    await mei.page.wait_for_timeout(12_000)  # charts have some points
    await keep_screenshot(mei.page, FOLDER / "operations.png")


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
