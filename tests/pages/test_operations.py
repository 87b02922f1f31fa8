"""Operators look after the installation in the browser; nobody else sees anything of it."""

import re
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace

import aiohttp
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer
from playwright.async_api import Browser, Page, expect

from claw_client import Client, events
from tests.pages.conftest import PASSWORD, client_of, enter, register, sign_in
from tests.support.accessibility import check_accessibility
from tests.support.browser import PHONE, Visitor, visit
from tests.system.conftest import Up

pytestmark = pytest.mark.asyncio(loop_scope="session")

SECTIONS = {  # path: what is seen when it has loaded
    "": ".pipeline",
    "/tasks": ".table-box",
    "/dead-letters": ".empty, .table-box",
    "/schedules": ".table-box",
    "/limits": ".table-box",
    "/configuration": ".table-box",
    "/people": ".table-box",
    "/audit": ".table-box",
    "/explain": ".plain-list",
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def operator_email(up: Up) -> str:
    """An operator of the tenant ``default``, which upstream systems write to; the password is PASSWORD."""
    email = f"{uuid.uuid4().hex}@example.org"
    made = ("admin", "create", email, "--password-stdin", "--tenant", "default", "--role", "operator")
    code, printed = await up.command(*made, typed=f"{PASSWORD}\n")
    assert code == 0, printed
    return email


@pytest_asyncio.fixture(loop_scope="session")
async def operator(visitor: Visitor, operator_email: str) -> Visitor:
    """The operator at the browser."""
    await sign_in(visitor.page, visitor.url, operator_email)
    return visitor


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def answered(up: Up, operator_email: str) -> AsyncIterator[str]:
    """The id of an answer that the operator got from a document."""
    async with aiohttp.ClientSession(base_url=up.url) as session:
        client, document = await _with_base(await client_of(session, operator_email)), f"leave-{uuid.uuid4().hex[:8]}"
        await client.submit(document, "Every employee has fifteen days of paid leave a year.", title="Handbook")
        await client.wait_indexed(document)
        yield await _ask(client, "How many days of paid leave does an employee have?")


async def test_health_is_a_picture_with_figures_and_charts(operator: Visitor, answered: str) -> None:
    await operator.go("/operations")
    page = operator.page
    await expect(page.get_by_text("All parts are up")).to_be_visible()
    picture = page.get_by_role("img", name="Pipeline: API: up; Kafka topics: up")
    await expect(picture).to_be_visible()
    for part in ("Documents", "Knowledge", "Chat", "Tables", "Models", "Vector index", "Redis"):
        await expect(picture.get_by_text(part, exact=True)).to_be_visible()
    await expect(page.locator(".figure", has_text="Time to first token")).to_contain_text("answers since this API process started")
    await expect(page.locator(".chart svg")).not_to_have_count(0)
    await expect(page.get_by_role("img", name="Lag: Knowledge 0 records")).to_be_visible()


async def test_an_administrator_changes_rules_and_settings_redrives_and_reads_why(operator: Visitor, up: Up, answered: str) -> None:
    """A rate rule and a model setting, each followed until every process has it; a dead letter; an answer's explanation."""
    async with up.replica():
        await _change_a_rule(operator)
    await _change_a_setting(operator)
    await _stage_a_setting(operator)
    await _redrive_a_dead_letter(operator, up)
    await _read_why(operator, answered)


async def test_a_change_on_top_of_another_ones_is_refused(
    operator: Visitor, up: Up, session: aiohttp.ClientSession, operator_email: str
) -> None:
    await operator.go("/operations/configuration/retrieval.passages")
    await expect(operator.page.get_by_text("In force in every process", exact=True)).to_be_visible()
    client = await client_of(session, operator_email)
    async with session.put("/api/v1/configs/retrieval.passages", json={"value": 9}, headers=client.headers) as answer:
        assert answer.status == 200
    await operator.page.get_by_label("New value").fill("5")
    await operator.page.get_by_role("button", name="Save").click()
    alert = operator.page.get_by_role("alert")
    await expect(alert).to_be_visible()
    await alert.get_by_role("button", name="Try again").click()
    await expect(operator.page.locator("input[name=value]")).to_have_value("9")


async def test_tasks_come_as_they_begin(operator: Visitor, session: aiohttp.ClientSession, operator_email: str, answered: str) -> None:
    page = operator.page
    await operator.go("/operations/tasks")
    await expect(page.get_by_text("Live", exact=True)).to_be_visible()
    await expect(page.get_by_role("link", name="Answer", exact=True).first).to_be_visible()
    await page.get_by_label("Kind").select_option("vectorize_document")
    client, title = await _with_base(await client_of(session, operator_email)), f"note {uuid.uuid4().hex[:6]}"
    await client.submit(title.replace(" ", "-"), "Something new.", title=title)
    await expect(page.get_by_role("row").filter(has_text=title)).to_contain_text("Succeeded")
    await expect(page.get_by_role("link", name="Answer", exact=True)).to_have_count(0)


async def test_a_member_is_invited_made_an_administrator_and_disabled(operator: Visitor, browser: Browser, up: Up) -> None:
    page = operator.page
    await operator.go("/operations/people")
    await page.get_by_role("button", name="Invite").click()
    await page.get_by_role("dialog").get_by_role("button", name="Invite").click()
    link = await page.get_by_label("Link").input_value()
    email = f"{uuid.uuid4().hex}@example.org"
    async with visit(browser, up.url) as guest:
        await guest.go(link.removeprefix(up.url))
        await enter(guest.page, email)
        await operator.go("/operations/people")
        await page.get_by_label("Search").fill(email)
        await page.get_by_role("button", name=f"Edit {email}").click()
        await page.get_by_label("Role").select_option("admin")
        await page.get_by_role("button", name="Save").last.click()
        row = page.get_by_role("row").filter(has_text=email)
        await expect(row).to_contain_text("Administrator")
        await guest.go("/operations")  # an administrator sees what is of the organisation
        sections = guest.page.get_by_role("navigation", name="Sections of operations")
        await expect(sections.get_by_role("link", name="People")).to_be_visible()
        await expect(sections.get_by_role("link", name="Limits")).to_have_count(0)
        await expect(guest.page.locator(".pipeline")).to_be_visible()
        await page.get_by_role("button", name=f"Edit {email}").click()
        await page.get_by_label("Disabled").check()
        await page.get_by_role("button", name="Save").last.click()
        await expect(row).to_contain_text("disabled")
        await guest.go("/operations/people")
        await expect(guest.page.get_by_role("heading", name="Sign in")).to_be_visible()


async def test_whoever_has_no_role_sees_nothing_and_the_api_refuses(visitor: Visitor) -> None:
    await register(visitor)
    await expect(visitor.page.get_by_role("link", name="Operations")).to_have_count(0)
    for section in SECTIONS:
        await visitor.go(f"/operations{section}")
        await expect(visitor.page.get_by_role("heading", name="Not available")).to_be_visible()
        await expect(visitor.page.get_by_role("navigation", name="Sections of operations")).to_have_count(0)
    paths = ("configs", "rate-limits/rules", "tasks/workers", "tasks/dead-letters", "users", "audit", "cache/stats")
    statuses = "async (paths) => Promise.all(paths.map((path) => fetch(`/api/v1/${path}`).then((answer) => answer.status)))"
    assert await visitor.page.evaluate(statuses, paths) == [403] * len(paths)


@pytest.mark.timeout(300)  # axe-core computes for long where the processor is shared
@pytest.mark.parametrize("language", ["zh", "en"])
async def test_every_section_is_accessible(browser: Browser, up: Up, operator_email: str, answered: str, language: str) -> None:
    async with visit(browser, up.url, language=language) as somebody:
        await sign_in(somebody.page, up.url, operator_email)
        for section, selector in SECTIONS.items():
            await somebody.go(f"/operations{section}")
            await expect(somebody.page.locator(selector).first).to_be_visible()
            await check_accessibility(somebody.page)
            await somebody.page.emulate_media(color_scheme="dark")
            await check_accessibility(somebody.page, colours_only=True)
            await somebody.page.emulate_media(color_scheme="light")


async def test_sections_fit_a_phone(browser: Browser, up: Up, operator_email: str, answered: str) -> None:
    async with visit(browser, up.url, size=PHONE) as somebody:
        await sign_in(somebody.page, up.url, operator_email)
        for section, selector in SECTIONS.items():
            await somebody.go(f"/operations{section}")
            await expect(somebody.page.locator(selector).first).to_be_visible()
            assert await _width(somebody.page) <= PHONE[0], section


async def _change_a_rule(operator: Visitor) -> None:
    page = operator.page
    await operator.go("/operations/limits")
    await page.get_by_role("button", name="Add a rule").click()
    dialog = page.get_by_role("dialog", name="Add a rule")
    await dialog.get_by_label("Name").fill("statistics")
    await dialog.get_by_label("Tokens per period").fill("0")
    await dialog.get_by_label("Per", exact=True).select_option("route")
    await dialog.get_by_label("Route").fill("/users/me/usage")
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog.get_by_label("Tokens per period")).to_have_attribute("aria-invalid", "true")
    await dialog.get_by_label("Tokens per period").fill("1")
    await dialog.get_by_label("Period (seconds)").fill("3600")
    await dialog.get_by_label("Burst").fill("1")
    await dialog.get_by_label("Reason").fill("too many looks")
    await dialog.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("too many looks")).to_be_visible()
    await expect(page.get_by_role("row", name="statistics")).to_contain_text("/users/me/usage")
    propagation = page.get_by_role("region", name="Propagation")
    await expect(propagation.get_by_text("In force in every process")).to_be_visible()
    await expect(propagation.get_by_role("row").filter(has_text="in force")).to_have_count(2)  # the API processes; workers apply no rules
    looks = """async () => {
        for (let turn = 0; turn < 50; turn++) if ((await fetch("/api/v1/users/me/usage")).status === 429) return 429;
    }"""
    assert await page.evaluate(looks) == 429
    await page.get_by_label("By", exact=True).select_option("address")
    await expect(page.get_by_role("region", name="Who is refused")).to_contain_text("127.0.0.1", timeout=30_000)
    await page.get_by_role("button", name="Edit rule statistics").click()
    await page.get_by_role("button", name="Delete the rule").click()
    await expect(page.get_by_role("button", name="Edit rule statistics")).to_have_count(0)


async def _change_a_setting(operator: Visitor) -> None:
    await operator.go("/operations/configuration")
    page = operator.page
    await page.get_by_label("Search").fill("temperature")
    await page.get_by_role("link", name="model.temperature").click()
    dialog = page.get_by_role("dialog", name="model.temperature")
    await dialog.get_by_label("New value").fill("9")
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("value")  # at most 2, says the API
    await dialog.get_by_label("New value").fill("0.7")
    await dialog.get_by_label("Reason").fill("livelier answers")
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog.get_by_text("In force in every process")).to_be_visible()
    propagation = dialog.get_by_role("region", name="Propagation").get_by_role("row")
    await expect(propagation.filter(has_text="in force")).to_have_count(5)  # the API and four worker groups
    for process in ("api", "chat", "documents", "knowledge", "tables"):
        await expect(propagation.filter(has_text=process).first).to_contain_text("1")
    await expect(dialog.get_by_text("livelier answers")).not_to_have_count(0)

    await dialog.get_by_label("New value").fill("0.3")
    await dialog.get_by_role("button", name="Save").click()
    await dialog.get_by_role("button", name="Compare").click()
    await expect(dialog.locator(".difference .removed")).to_have_text("- 0.7")
    await expect(dialog.locator(".difference .added")).to_have_text("+ 0.3")
    await dialog.get_by_role("button", name="Roll back").click()
    await expect(dialog.get_by_text("rolled back to revision 1").first).to_be_visible()
    await expect(dialog.locator("input[name=value]")).to_have_value("0.7")
    await check_accessibility(page)


async def _stage_a_setting(operator: Visitor) -> None:
    """In one worker group, whose name and whose guard's metric are wrong at first; then promoted."""
    await operator.go("/operations/configuration/model.temperature")
    dialog = operator.page.get_by_role("dialog", name="model.temperature")
    await dialog.get_by_label("New value").fill("0.4")
    await dialog.get_by_label("In force", exact=True).select_option("workers")
    await dialog.get_by_label("Processes", exact=True).fill("chats")
    await dialog.get_by_role("button", name="Stage", exact=True).click()
    await expect(dialog.get_by_label("Processes", exact=True)).to_have_attribute("aria-invalid", "true")
    await dialog.get_by_label("Processes", exact=True).fill("chat")
    await dialog.get_by_label("Roll back when a metric gets worse").check()
    await dialog.get_by_label("Metric", exact=True).fill('claw_agent_step{agent="generate"}')
    await dialog.get_by_label("Threshold").fill("1000")
    await dialog.get_by_role("button", name="Stage", exact=True).click()
    await expect(dialog.get_by_label("Metric", exact=True)).to_have_attribute("aria-invalid", "true")
    await expect(dialog.get_by_role("alert")).to_contain_text("claw_agent_step_seconds")  # a similar one
    await dialog.get_by_label("Metric", exact=True).fill('claw_agent_step_seconds{agent="generate"}')
    await check_accessibility(operator.page)
    await dialog.get_by_role("button", name="Stage", exact=True).click()
    staged = dialog.get_by_role("group", name="Staged")
    await expect(staged).to_contain_text("in some processes: chat")
    await expect(staged).to_contain_text("waiting for observations")
    await expect(dialog.get_by_role("region", name="Propagation").get_by_role("row").filter(has_text="staged")).to_have_count(1)
    await check_accessibility(operator.page)
    await staged.get_by_role("button", name="Promote").click()
    await expect(dialog.locator("input[name=value]")).to_have_value("0.4")


async def _redrive_a_dead_letter(operator: Visitor, up: Up) -> None:
    producer = AIOKafkaProducer(**up.connection, acks="all")
    await producer.start()
    await producer.send_and_wait(f"{up.kafka.topic_prefix}claw.inbox.default.v1", b"no event", uuid.uuid4().hex.encode())
    await producer.stop()
    page = operator.page
    await operator.go("/operations/dead-letters")
    group = page.get_by_role("region", name="By cause").get_by_role("row").filter(has_text="event_malformed")
    for _ in range(100):
        if await group.count():
            break
        await page.get_by_role("button", name="Reload").click()
        await page.wait_for_timeout(200)
    await page.get_by_role("region", name="Letters").get_by_role("button", name="Show").first.click()
    await expect(page.get_by_role("dialog")).to_contain_text("no event")
    await check_accessibility(page)
    await page.keyboard.press("Escape")
    await group.get_by_role("button", name="Redrive group").click()
    dialog = page.get_by_role("dialog", name="Redrive event_malformed")
    await dialog.get_by_role("button", name="Redrive 1").click()
    await expect(dialog.get_by_text("What happened:")).to_be_visible()
    await expect(dialog.get_by_role("status")).to_contain_text("Sent again")
    await dialog.get_by_role("button", name="Close").last.click()
    await expect(group.get_by_role("cell").nth(3)).to_have_text("1")


async def _read_why(operator: Visitor, answered: str) -> None:
    page = operator.page
    await operator.go(f"/operations/tasks/{answered}")
    await expect(page.get_by_role("dialog", name="Answer")).to_contain_text("Succeeded")
    await check_accessibility(page)
    await page.get_by_role("link", name="Why this answer?").click()
    steps = page.locator(".steps")
    await expect(steps.get_by_role("heading")).to_have_text(
        ["Question", "Search query", re.compile(r"Passages found \(\d+\)"), "Answer and citations"]
    )
    await expect(steps.get_by_text("How many days of paid leave does an employee have?").first).to_be_visible()
    await expect(steps.locator(".badge", has_text="leave")).to_be_visible()
    passage = steps.locator(".passage", has_text="Handbook")
    await expect(passage).to_contain_text("cited")
    await expect(passage).to_contain_text("By words")
    await expect(steps.locator(".citations blockquote").first).to_contain_text("fifteen days")
    await expect(page.get_by_text("The prompt, byte for byte as it was sent")).to_be_visible()
    await check_accessibility(page)


async def _width(page: Page) -> int:
    return int(await page.evaluate("() => Math.max(document.documentElement.scrollWidth, document.querySelector('main').scrollWidth)"))


async def _with_base(client: Client) -> Client:
    """The client with a knowledge base of its own: that of the tenant ``default`` belongs to its service account."""
    async with client.session.post("/api/v1/knowledge", json={"name": "Operations"}, headers=client.headers) as answer:
        return replace(client, knowledge_base=(await answer.json())["id"])


async def _ask(client: Client, question: str) -> str:
    """The id of the answer, which has ended."""
    async with client.ask(await client.create_conversation(), question) as answer:
        found = [event async for event in events(answer.content)]
    return str(found[0].data["reply_id"])
