"""The list of conversations: found, named, kept in order, put away."""

import re

import aiohttp
import pytest
from playwright.async_api import Browser, Locator, expect

from tests.pages.conftest import client_of, register, sign_in
from tests.support.browser import PHONE, Visitor, visit
from tests.system.conftest import Up

pytestmark = pytest.mark.asyncio(loop_scope="session")


# what the chat does once a question was accepted
TELL = """async (id) => {
  const start = document.querySelector("script[type=module]").src;
  (await import(start.replace("core/start.js", "pages/chat/conversations/changes.js"))).tellConversationChange("asked", id);
}"""


async def create(session: aiohttp.ClientSession, email: str, *titles: str) -> list[str]:
    """Conversations of the account, the last one the newest; their ids."""
    client, ids = await client_of(session, email), []
    for title in titles:
        async with session.post("/api/v1/conversations", json={"title": title}, headers=client.headers) as answer:
            assert answer.status == 201, await answer.text()
            ids.append((await answer.json())["id"])
    return ids


def rows(visitor: Visitor) -> Locator:
    return visitor.page.get_by_role("complementary", name="Conversations").locator("li a")


async def act(visitor: Visitor, title: str, name: str) -> None:
    """Choose an entry of the menu of a conversation."""
    await visitor.page.get_by_role("button", name=f"Actions for “{title}”").click()
    await visitor.page.get_by_role("menuitem", name=name, exact=True).click()


async def test_a_conversation_is_renamed_pinned_archived_and_deleted(visitor: Visitor, session: aiohttp.ClientSession) -> None:
    page = visitor.page
    email = await register(visitor)
    ids = await create(session, email, "Leave", "Travel", "Menu")
    await visitor.go(f"/chat/{ids[2]}")
    await expect(rows(visitor)).to_have_text(["Menu", "Travel", "Leave"])
    await expect(rows(visitor).first).to_have_attribute("aria-current", "page")
    await act(visitor, "Travel", "Rename")
    await page.keyboard.type("Travel rules")
    await page.keyboard.press("Enter")
    await act(visitor, "Leave", "Pin")
    await expect(page.get_by_role("list", name="Pinned").locator("a")).to_have_text(["Leave"])
    await expect(page.get_by_role("list", name="Today").locator("a")).to_have_text(["Menu", "Travel rules"])
    await act(visitor, "Travel rules", "Archive")
    await expect(rows(visitor)).to_have_text(["Leave", "Menu"])
    await page.get_by_role("button", name="Undo").click()
    await expect(rows(visitor)).to_have_text(["Leave", "Menu", "Travel rules"])
    await act(visitor, "Travel rules", "Archive")
    await expect(rows(visitor)).to_have_text(["Leave", "Menu"])
    await act(visitor, "Menu", "Delete…")
    await page.get_by_role("button", name="Delete", exact=True).click()
    await expect(rows(visitor)).to_have_text(["Leave"])
    await expect(page).to_have_url(f"{visitor.url}/")  # what was shown is gone
    await page.reload()  # the server has it so
    await expect(rows(visitor)).to_have_text(["Leave"])
    await page.get_by_role("button", name="Archived conversations").click()
    await expect(rows(visitor)).to_have_text(["Travel rules"])


async def test_a_title_is_searched_and_pages_follow(visitor: Visitor, session: aiohttp.ClientSession) -> None:
    email = await register(visitor)
    await create(session, email, "The oldest rule", *(f"Number {number}" for number in range(44)))
    await visitor.go("/")
    await expect(rows(visitor)).to_have_count(30)
    await rows(visitor).nth(29).scroll_into_view_if_needed()
    await expect(rows(visitor)).to_have_count(45)
    await visitor.page.get_by_role("searchbox", name="Search conversations").fill("RULE oldest")
    await expect(rows(visitor)).to_have_text(["The oldest rule"])
    await visitor.page.get_by_role("searchbox", name="Search conversations").fill("nothing of it")
    await expect(visitor.page.get_by_text("No conversation has a title with “nothing of it”.")).to_be_visible()
    await expect(visitor.page.get_by_text("No message has it either.")).to_be_visible()
    await visitor.page.keyboard.press("Escape")
    await expect(rows(visitor)).to_have_count(30)


async def test_what_happens_in_one_tab_is_seen_in_the_other(visitor: Visitor, session: aiohttp.ClientSession) -> None:
    """A question moves its conversation to the top, and brings its title."""
    email = await register(visitor)
    first, _ = await create(session, email, "", "Other")
    await visitor.go("/")
    await expect(rows(visitor)).to_have_text(["Other", "New conversation"])
    other = await visitor.tab()
    await other.goto(visitor.url)
    client = await client_of(session, email)
    async with session.post(
        f"/api/v1/conversations/{first}/messages", json={"content": "How much leave?"}, headers=client.headers
    ) as answer:
        assert answer.status == 202
    await other.evaluate(TELL, first)
    await expect(rows(visitor)).to_have_text([re.compile("^(?!New conversation)."), "Other"])


async def test_settings_are_saved_with_what_changed_elsewhere(visitor: Visitor, session: aiohttp.ClientSession) -> None:
    email = await register(visitor)
    (made,) = await create(session, email, "Leave")
    client = await client_of(session, email)
    models = [{"name": name, "provider": "openai", "default": name == "glm"} for name in ("glm", "qwen")]
    await visitor.page.route("**/api/v1/models", lambda route: route.fulfill(json={"items": models}))
    await visitor.go("/")
    await expect(visitor.page.get_by_role("combobox", name="Model").locator("option")).to_have_text(["Default (glm)", "qwen"])
    await act(visitor, "Leave", "Settings…")
    dialog = visitor.page.get_by_role("dialog", name="Conversation settings")
    await dialog.get_by_label("Model", exact=True).select_option("qwen")
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog.get_by_text("is not a model that may be chosen here")).to_be_visible()  # by this server
    await dialog.get_by_label("Model", exact=True).select_option("")
    await dialog.get_by_label("Assistant").check()
    await dialog.get_by_label("Instructions").fill("Be brief.")
    await dialog.get_by_role("checkbox").first.check()
    async with session.patch(
        f"/api/v1/conversations/{made}", json={"title": "Leave of 2026", "system_prompt": "Be long."}, headers=client.headers
    ) as answer:
        assert answer.status == 200
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog.get_by_text("was just changed elsewhere: Instructions")).to_be_visible()
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog).to_be_hidden()
    async with session.get(f"/api/v1/conversations/{made}", headers=client.headers) as answer:
        stored = await answer.json()
    assert (stored["title"], stored["mode"], stored["system_prompt"]) == ("Leave of 2026", "assistant", "Be brief.")
    assert len(stored["knowledge_base_ids"]) == 1
    await expect(rows(visitor)).to_have_text(["Leave of 2026"])


async def test_on_a_phone_the_list_is_a_drawer(browser: Browser, up: Up, visitor: Visitor, session: aiohttp.ClientSession) -> None:
    email = await register(visitor)
    (made,) = await create(session, email, "Leave")
    async with visit(browser, up.url, size=PHONE, has_touch=True) as phone:
        await sign_in(phone.page, up.url, email)
        await phone.page.get_by_role("button", name="Open the list of conversations").click()
        drawer = phone.page.get_by_role("dialog", name="Conversations")
        await drawer.get_by_role("link", name="Leave").click()
        await expect(phone.page).to_have_url(re.compile(made))
        await expect(drawer).to_be_hidden()
