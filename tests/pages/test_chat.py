"""Asking documents in the browser: what streams, what is cited, and what a person does with an answer."""

import uuid

import aiohttp
import pytest
from playwright.async_api import Browser, expect

from tests.pages.conftest import sign_in
from tests.support.browser import visit
from tests.support.chat_page import Reader, ask, ended, text_of
from tests.system.conftest import Up

pytestmark = pytest.mark.asyncio(loop_scope="session")

HOSTILE = "<img src=x onerror='window.hit=1'><script>window.hit=1</script>"


async def test_a_question_in_either_language_is_answered_with_sources(reader: Reader, up: Up) -> None:
    page = reader.page
    await expect(page.get_by_role("heading", name="Ask your documents")).to_be_visible()
    await page.get_by_role("textbox", name="Question").press_sequentially("How many days")
    await page.keyboard.press("Shift+Enter")
    await page.keyboard.type("of leave are there?")
    await page.keyboard.press("Enter")
    answer = page.locator(".message.answer").last
    await expect(answer.get_by_role("button", name="Source 1: Leave rules").first).to_be_visible()
    assert page.url.startswith(f"{up.url}/chat/")
    await ended(answer)
    await answer.get_by_role("button", name="Source 1: Leave rules").first.hover()
    await expect(page.get_by_role("tooltip")).to_contain_text("25 days of leave")
    await answer.get_by_role("button", name="Source 1: Leave rules").first.click()
    source = page.get_by_role("region", name="Source: Leave rules")
    await expect(source.locator("mark").first).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(source).to_be_hidden()
    await expect(page.locator(".usage")).to_contain_text("1 answers")
    await expect(page.locator(".chat-head h1")).not_to_have_text("New conversation")
    again = await ask(page, "每年有多少天年假？")
    await ended(again)
    await expect(again.get_by_role("region", name="Sources").get_by_role("button")).to_contain_text("Leave rules")
    await expect(page.locator(".usage")).to_contain_text("2 answers")


async def test_an_answer_is_rated_and_explained(reader: Reader, session: aiohttp.ClientSession) -> None:
    page = reader.page
    answer = await ask(page, "How many days of leave?")
    await ended(answer)
    await answer.get_by_role("button", name="Bad answer").click()
    await answer.get_by_text("Wrong source").click()
    await answer.get_by_role("textbox").fill("Look again.")
    await answer.get_by_role("button", name="Submit").click()
    await expect(answer.get_by_role("button", name="Bad answer")).to_have_attribute("aria-pressed", "true")
    await page.reload()
    await expect(answer.get_by_role("button", name="Bad answer")).to_have_attribute("aria-pressed", "true")
    conversation = page.url.rsplit("/", 1)[1]
    async with session.get(f"/api/v1/conversations/{conversation}/messages", headers=reader.client.headers) as listed:
        given = (await listed.json())["items"][0]["feedback"]
    assert given == {"rating": "down", "comment": "Look again.", "tags": ["wrong_source"]}
    await answer.get_by_role("button", name="Why this answer").click()
    dialog = page.get_by_role("dialog", name="Why this answer")
    await expect(dialog.get_by_role("row").filter(has_text="Leave rules")).to_contain_text("Cited")


async def test_questions_are_edited_answers_made_again_and_branches_walked(reader: Reader) -> None:
    page = reader.page
    first = await ask(page, "How many days of leave?")
    await ended(first)
    await page.get_by_role("textbox", name="Question").press("ArrowUp")
    editor = page.get_by_role("textbox", name="Edit the question")
    await expect(editor).to_be_focused()
    await editor.fill("How many days of leave a year?")
    await editor.press("Enter")
    question = page.locator(".message.question").first
    await expect(question).to_contain_text("2 / 2")
    await ended(page.locator(".message.answer").first)
    await page.locator(".message.answer").first.get_by_role("button", name="Regenerate").click()
    answer = page.locator(".message.answer").first
    await expect(answer).to_contain_text("2 / 2")
    await ended(answer)
    await question.get_by_role("button", name="Previous version").click()
    await expect(question.locator(".bubble")).to_have_text("How many days of leave?")
    await expect(question).to_contain_text("1 / 2")
    await expect(answer.get_by_role("group")).to_have_count(0)
    await question.get_by_role("button", name="Next version").click()
    await expect(answer).to_contain_text("2 / 2")
    await answer.get_by_role("button", name="Previous version").click()
    await expect(answer).to_contain_text("1 / 2")
    await page.reload()
    await expect(page.locator(".message.answer").first).to_contain_text("2 / 2")  # the newest branch


async def test_stop_is_seen_at_once_and_lasts(reader: Reader) -> None:
    page = reader.page
    answer = await ask(page, "How many days of leave?")
    await expect(answer.locator(".markdown")).to_be_visible()
    await page.evaluate(
        """() => {
          document.addEventListener("keydown", (event) => {
            if (event.key !== "Escape") return;
            const began = performance.now();
            const look = () => {
              if (document.querySelector(".message.answer .writing")) return requestAnimationFrame(look);
              window.stoppedMs = performance.now() - began;
            };
            look();
          }, true);
        }"""
    )
    await page.keyboard.press("Escape")
    await expect(answer).to_contain_text("Stopped. This is the text up to then.")
    assert await page.evaluate("() => window.stoppedMs") < 200
    stopped = await ended(answer)
    await page.reload()
    await expect(page.locator(".message.answer")).to_contain_text("Stopped.")
    assert (await text_of(page.locator(".message.answer"))).startswith(stopped[:5])


async def test_nothing_that_somebody_wrote_runs(reader: Reader) -> None:
    page, client = reader.page, reader.client
    await client.submit("hostile", f"Pets: {HOSTILE} Everybody may bring one dog to work.", title=f"Pets {HOSTILE}.svg")
    await client.wait_indexed("hostile")
    answer = await ask(page, f"Who may bring a dog? {HOSTILE} [a](javascript:window.hit=1) ![b](https://evil.example/p.png)")
    await ended(answer)
    await answer.locator("button.citation").first.hover()
    await expect(page.get_by_role("tooltip")).to_contain_text("<img src=x")
    await answer.locator("button.citation").first.click()
    await expect(page.get_by_role("region", name="Source: Pets")).to_contain_text("one dog")
    await expect(page.locator(".bubble")).to_contain_text("<img src=x")
    assert await page.evaluate("() => window.hit") is None
    assert await page.locator("main img, main script, main svg:not(.icon)").count() == 0


async def test_a_new_account_is_led_to_its_documents_and_a_wrong_address_says_so(browser: Browser, up: Up, reader: Reader) -> None:
    await reader.visitor.go(f"/chat/{uuid.uuid4()}")
    await expect(reader.page.get_by_text("does not exist, or was deleted")).to_be_visible()
    async with visit(browser, up.url, language="zh", theme="dark", size=(390, 844)) as phone:
        await sign_in(phone.page, up.url, reader.email)
        await phone.page.get_by_role("textbox", name="问题").fill("每年有多少天年假？")
        await phone.page.get_by_role("button", name="发送").click()
        await expect(phone.page.get_by_role("button", name="来源 1：Leave rules").first).to_be_visible()
