"""The account page: what belongs to a person, in the browser on the real stack."""

import re
import uuid

import aiohttp
import pytest
from playwright.async_api import Browser, Page, expect

from tests.pages.conftest import PASSWORD, client_of, enter, make_admin, register, sign_in
from tests.support.accessibility import check_accessibility
from tests.support.browser import Visitor, visit
from tests.support.webhook_receiver import receiving, until
from tests.system.conftest import Up

pytestmark = pytest.mark.asyncio(loop_scope="session")
SECTIONS = ("", "/security", "/notices", "/usage", "/keys", "/webhooks", "/erase")


def row(page: Page, list_name: str, text: str):
    return page.get_by_role("list", name=list_name).get_by_role("listitem").filter(has_text=text)


async def test_name_password_and_sessions(browser: Browser, up: Up, visitor: Visitor) -> None:
    """A weak password is refused with the reason; another session is ended and its tab asks to sign in."""
    page = visitor.page
    email = await register(visitor)
    await visitor.go("/account")
    await page.get_by_label("Name").fill("Ada Lovelace")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("Saved.").first).to_be_visible()
    await expect(page.get_by_text("Not verified")).to_be_visible()
    await page.reload()
    await expect(page.get_by_label("Name")).to_have_value("Ada Lovelace")
    async with visit(browser, up.url) as elsewhere:
        await sign_in(elsewhere.page, up.url, email)
        await page.get_by_role("link", name="Security").click()
        await expect(page.get_by_role("list", name="Sessions").get_by_role("listitem")).to_have_count(2)
        await page.get_by_label("Present password").fill(PASSWORD)
        await page.get_by_label("New password").fill("password1")
        await page.get_by_role("button", name="Change the password").click()
        await expect(page.get_by_role("alert")).to_be_visible()
        await row(page, "Sessions", "Chrome").get_by_role("button", name="End", exact=True).click()
        await expect(page.get_by_role("list", name="Sessions").get_by_role("listitem")).to_have_count(1)
        await elsewhere.go("/account")
        await expect(elsewhere.page.get_by_role("heading", name="Sign in")).to_be_visible()
    await page.get_by_label("New password").fill("a quite different battery")
    await page.get_by_role("button", name="Change the password").click()
    await expect(page.get_by_text("The password was changed.").first).to_be_visible()


async def test_a_key_is_shown_once_works_and_is_revoked(visitor: Visitor, session: aiohttp.ClientSession) -> None:
    page = visitor.page
    await register(visitor)
    await visitor.go("/account/keys")
    await page.get_by_role("button", name="Create a key").click()
    dialog = page.get_by_role("dialog", name="Create a key")
    await dialog.get_by_label("Name").fill("nightly import")
    await dialog.get_by_label("Addresses").fill("nowhere")
    await dialog.get_by_role("button", name="Create a key").click()
    await expect(dialog.get_by_role("alert")).to_be_visible()  # says what an address is, and keeps what was typed
    await dialog.get_by_label("Addresses").fill("127.0.0.0/8")
    await dialog.get_by_role("button", name="Create a key").click()
    shown = page.get_by_role("dialog", name="Key “nightly import”")
    key = await shown.get_by_role("textbox").input_value()
    await shown.get_by_role("button", name="I have kept it").click()
    assert key not in await page.content()
    credential = {"authorization": f"Bearer {key}"}
    async with session.get("/api/v1/users/me", headers=credential) as answer:
        assert answer.status == 200
    await page.get_by_role("button", name="Actions for “nightly import”").click()
    await page.get_by_role("menuitem", name="Revoke").click()
    await page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    await expect(page.get_by_text("There are no keys yet.")).to_be_visible()
    async with session.get("/api/v1/users/me", headers=credential) as answer:
        assert answer.status == 401


async def test_a_notice_is_counted_live_in_every_tab_and_read(visitor: Visitor, session: aiohttp.ClientSession) -> None:
    page = visitor.page
    email = await register(visitor)
    other = await visitor.tab()
    await other.goto(f"{visitor.url}/account/notices")
    await expect(other.get_by_text("There are no notices yet.")).to_be_visible()
    client = await client_of(session, email)
    await client.submit("travel", "Hotels up to 120 euros.", title="Travel rules")
    await expect(page.get_by_role("link", name="Notices: 1 unread")).to_be_visible(timeout=20_000)
    await expect(row(other, "Your notices", "Travel rules")).to_be_visible(timeout=20_000)
    await other.get_by_role("button", name="Mark as read").click()
    await expect(other.get_by_label("Unread", exact=True)).to_have_count(0)
    await expect(page.get_by_role("link", name="Notices", exact=True)).to_be_visible(timeout=20_000)


async def test_a_webhook_gets_a_test_and_its_log_says_how_it_went(visitor: Visitor) -> None:
    page = visitor.page
    await register(visitor)
    async with receiving() as receiver:
        await visitor.go("/account/webhooks")
        await page.get_by_role("button", name="Create a webhook").click()
        await page.get_by_label("Address").fill(receiver.url)
        await page.get_by_role("dialog").get_by_role("button", name="Save").click()
        shown = page.get_by_role("dialog", name="Secret of the webhook")
        receiver.secret, receiver.status = await shown.get_by_role("textbox").input_value(), 204
        await shown.get_by_role("button", name="I have kept it").click()
        await page.get_by_role("link", name="Deliveries").click()
        await page.get_by_role("button", name="Send a test").click()
        await until(lambda: receiver.accepted)
        delivery = row(page, "Deliveries", "webhook.test")
        await expect(delivery).to_contain_text("Delivered")
        await delivery.get_by_role("button", name="Send again").click()
        await until(lambda: len(receiver.accepted) == 2)
        assert len(set(receiver.tried)) == 1  # the same message


async def test_an_administrator_invites_and_removes_a_member_and_erases_the_organisation(
    browser: Browser, up: Up, session: aiohttp.ClientSession, visitor: Visitor
) -> None:
    """The link of the invitation registers a member, who loses access as soon as they are removed. In the end everything goes."""
    page = visitor.page
    await make_admin(up, session, await register(visitor))
    await visitor.go("/account/organisation")
    await page.get_by_role("button", name="Invite somebody").click()
    await page.get_by_role("dialog").get_by_role("button", name="Invite somebody").click()
    link = await page.get_by_role("dialog", name="Link of the invitation").get_by_role("textbox").input_value()
    await page.get_by_role("button", name="I have kept it").click()
    email = f"{uuid.uuid4().hex}@example.org"
    async with visit(browser, up.url) as member:
        await member.page.goto(link)
        await enter(member.page, email)
        await member.go("/account")
        await expect(member.page.get_by_role("link", name="Security")).to_be_visible()
        await expect(member.page.get_by_role("link", name="Organisation")).to_have_count(0)
        await page.reload()
        await row(page, "Members", email).get_by_role("button", name="Remove").click()
        await page.get_by_role("dialog").get_by_role("button", name="Remove").click()
        await expect(row(page, "Members", email)).to_contain_text("Disabled")
        await expect(row(page, "Invitations", "Anybody with the link")).to_contain_text("Used")
        await member.page.reload()
        await expect(member.page.get_by_role("heading", name="Sign in")).to_be_visible()
    await page.get_by_label("Name of the organisation", exact=True).fill("Lovelace & Babbage")
    await page.get_by_role("button", name="Save").click()
    erase = page.get_by_role("button", name="Erase the organisation for good")
    await expect(page.get_by_placeholder("Lovelace & Babbage")).to_be_visible()
    await page.get_by_label("Password").fill(PASSWORD)
    await expect(erase).to_be_disabled()
    await check_accessibility(page)
    await page.get_by_placeholder("Lovelace & Babbage").fill("lovelace & babbage")
    await erase.click()
    await expect(page.get_by_role("heading", name="Erasure")).to_be_visible()
    await page.reload()
    await expect(page.get_by_role("heading", name="Erasure")).to_be_visible()


async def test_an_erased_account_sees_how_far_its_erasure_is(visitor: Visitor) -> None:
    page = visitor.page
    email = await register(visitor)
    await visitor.go("/account/erase")
    await expect(page.get_by_role("button", name="Erase for good")).to_be_disabled()
    await page.get_by_label("Type your e-mail address").fill(email)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Erase for good").click()
    await expect(page.get_by_role("heading", name="Erasure")).to_be_visible()
    await expect(page).to_have_url(re.compile("/erasure#id="))
    await page.reload()
    await expect(page.get_by_role("heading", name="Erasure")).to_be_visible()
    await visitor.go("/account")
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


@pytest.mark.parametrize(("language", "theme"), [("zh", "light"), ("en", "dark")])
async def test_everybody_can_use_every_section(browser: Browser, up: Up, visitor: Visitor, language: str, theme: str) -> None:
    email = await register(visitor)
    async with visit(browser, up.url, language=language, theme=theme) as reader:
        await sign_in(reader.page, up.url, email)
        for section in SECTIONS:
            await reader.go(f"/account{section}")
            await expect(reader.page.get_by_role("heading", level=2).first).to_be_visible()
            await expect(reader.page.locator(".loading")).to_have_count(0)
            await check_accessibility(reader.page)
