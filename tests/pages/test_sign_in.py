"""Who is let in, and how."""

import uuid

import pytest
from playwright.async_api import Browser, expect

from tests.pages.conftest import PASSWORD, register, sign_in
from tests.support.browser import Visitor, visit
from tests.support.oidc_provider import Provider
from tests.system.conftest import Up

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_somebody_registers_signs_out_and_in_again(visitor: Visitor) -> None:
    email = await register(visitor)
    await visitor.page.get_by_role("button", name="Language / Theme").click()
    await visitor.page.get_by_role("menuitem", name="Sign out").click()
    await expect(visitor.page.get_by_role("heading", name="Sign in")).to_be_visible()
    await visitor.page.locator("input[name=email]").fill(email)
    await visitor.page.locator("input[name=password]").fill("not the password")
    await visitor.page.get_by_role("button", name="Sign in").click()
    await expect(visitor.page.get_by_role("alert")).to_be_visible()
    await visitor.page.locator("input[name=password]").fill(PASSWORD)
    await visitor.page.get_by_role("button", name="Sign in").click()
    await expect(visitor.page.locator("nav.rail")).to_be_visible()


async def test_no_token_is_in_the_hands_of_a_script(visitor: Visitor) -> None:
    await register(visitor)
    seen = await visitor.page.evaluate("() => document.cookie + JSON.stringify(localStorage) + JSON.stringify(sessionStorage)")
    assert "claw_access" not in seen
    assert "ey" not in seen
    cookies = {cookie["name"]: cookie for cookie in await visitor.context.cookies()}
    assert all(cookies[name]["httpOnly"] for name in ("claw_access", "claw_refresh"))


async def test_an_address_that_needs_an_account_comes_after_the_sign_in(browser: Browser, up: Up, visitor: Visitor) -> None:
    email = await register(visitor)
    async with visit(browser, up.url, language="zh") as again:
        await again.go("/account?x=1")
        await expect(again.page.get_by_role("heading", name="登录")).to_be_visible()
        await again.page.locator("input[name=email]").fill(email)
        await again.page.locator("input[name=password]").fill(PASSWORD)
        await again.page.get_by_role("button", name="登录").click()
        await expect(again.page.locator("nav.rail")).to_be_visible()
        assert again.page.url == f"{up.url}/account?x=1"


@pytest.mark.parametrize("path", ["//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:alert(1)"])
async def test_nobody_is_sent_elsewhere_after_the_sign_in(visitor: Visitor, path: str) -> None:
    email = await register(visitor)
    await visitor.context.clear_cookies()
    await visitor.go(f"/sign-in?next={path}")
    await visitor.page.locator("input[name=email]").fill(email)
    await visitor.page.locator("input[name=password]").fill(PASSWORD)
    await visitor.page.get_by_role("button", name="Sign in").click()
    await expect(visitor.page.locator("nav.rail")).to_be_visible()
    assert visitor.page.url == f"{visitor.url}/"


async def test_another_tab_learns_that_nobody_is_signed_in_any_more(visitor: Visitor) -> None:
    email = await register(visitor)
    other = await visitor.tab()
    await other.goto(visitor.url)
    await expect(other.locator("nav.rail")).to_be_visible()
    await visitor.page.get_by_role("button", name="Language / Theme").click()
    await visitor.page.get_by_role("menuitem", name="Sign out").click()
    await expect(other.get_by_role("heading", name="Sign in")).to_be_visible()
    await sign_in(other, visitor.url, email)
    await expect(visitor.page.locator("nav.rail")).to_be_visible()


async def test_somebody_signs_in_at_the_identity_provider(visitor: Visitor, identity_provider: Provider) -> None:
    """They come back to the page that they wanted; a login that fails says why on the sign-in page."""
    identity_provider.person |= {"sub": uuid.uuid4().hex, "email": f"{uuid.uuid4().hex}@example.org"}
    page = visitor.page
    await visitor.go("/account?x=1")
    await page.get_by_role("link", name="Sign in with Test Works").click()
    await expect(page.locator("nav.rail")).to_be_visible()
    assert page.url == f"{visitor.url}/account?x=1"
    await visitor.context.clear_cookies()
    await visitor.go("/api/v1/auth/oidc/works/callback?state=forged&code=x")
    await expect(page.get_by_role("alert")).to_contain_text("This browser began no such login")
    await expect(page.get_by_role("link", name="Sign in with Test Works")).to_be_visible()
