"""A conversation of 2,000 messages is opened and scrolled through without a task that holds up whoever reads."""

import json

import pytest
from playwright.async_api import Browser, Route, expect

from domain.sections import load_settings
from ops.stack.embedded import locate_servers
from tests.support.chat_page import Reader, account_id
from tests.support.long_conversation import write_messages
from tests.system.conftest import Up, tenant_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

MESSAGES = 2_000
TASK_MS_MAX, OPENING_MS_MAX = 50, 1_000
TASK = "ThreadControllerImpl::RunTask"
CATEGORIES = ["toplevel", "devtools.timeline", "v8"]
INSIDE_MAX = 15  # events of a task that are named when it was too long
SCROLL_UP = """async () => {
  const thread = document.querySelector(".thread");
  thread.dispatchEvent(new WheelEvent("wheel"));
  const list = thread.querySelector(".thread-list"); // counted without a search over everything, which would be a task of ours
  const end = performance.now() + 80_000; // on a busy machine the pages above come slowly
  while (performance.now() < end) {
    if (list.childElementCount >= 2000 && thread.scrollTop <= 2) break;
    thread.scrollTop = Math.max(0, thread.scrollTop - 1500);
    await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
  }
  return list.childElementCount;
}"""


class Tasks:
    """The tasks of a trace on the threads that draw pages, by the time that the processor gave them, whatever else the machine does."""

    def __init__(self, trace: bytes) -> None:
        self._events = json.loads(trace)["traceEvents"]
        drawing = {(it["pid"], it["tid"]) for it in self._events if it["name"] == "thread_name" and it["args"]["name"] == "CrRendererMain"}
        tasks = [it for it in self._events if it["name"] == TASK and (it["pid"], it["tid"]) in drawing and "tdur" in it]
        assert tasks, "the trace has no times of tasks"
        self._longest = max(tasks, key=lambda task: task["tdur"])
        self.total_ms = sum(task["tdur"] for task in tasks) / 1000
        self.longest_ms = self._longest["tdur"] / 1000

    def describe_longest(self) -> str:
        """What the longest task did: the events inside it, the longest first."""
        task = self._longest
        inside = [
            it
            for it in self._events
            if (it["pid"], it["tid"]) == (task["pid"], task["tid"])
            and task["ts"] <= it.get("ts", 0) < task["ts"] + task["dur"]
            and it is not task
            and "tdur" in it
        ]
        inside.sort(key=lambda it: -it["tdur"])
        lines = (f"  {it['tdur'] / 1000:6.1f} ms {it['name']} {json.dumps(it.get('args', {}))[:200]}" for it in inside[:INSIDE_MAX])
        return f"a task of {self.longest_ms:.0f} ms:\n" + "\n".join(lines)


async def test_two_thousand_messages(reader: Reader, browser: Browser, up: Up) -> None:
    page, client = reader.page, reader.client
    conversation = await client.create_conversation()
    user = await account_id(client)
    settings = locate_servers(load_settings(up.environ))
    await write_messages(settings, tenant_of(client), user, conversation, MESSAGES)
    await browser.start_tracing(page=page, categories=CATEGORIES)
    await reader.visitor.go(f"/chat/{conversation}")
    await expect(page.get_by_text("answer 1999 says so")).to_be_in_viewport()
    await expect(page.locator(".slot")).to_have_count(50)
    opening = Tasks(await browser.stop_tracing())
    assert opening.total_ms < OPENING_MS_MAX, opening.describe_longest()
    await expect(page.locator(".usage")).to_contain_text("1,000 answers · 110,000 tokens · $0.05")
    await browser.start_tracing(page=page, categories=CATEGORIES)
    assert await page.evaluate(SCROLL_UP) == MESSAGES
    scrolling = Tasks(await browser.stop_tracing())  # before Playwright looks for texts in all of it
    await expect(page.get_by_text("Question 0:")).to_be_in_viewport()
    assert await page.locator(".message").count() < 200
    assert scrolling.longest_ms < TASK_MS_MAX, scrolling.describe_longest()


async def test_older_messages_come_above_what_is_read(reader: Reader, up: Up) -> None:
    """A page of older messages is put above what somebody reads, which stays where it is; a button leads back to the end."""
    page, client = reader.page, reader.client
    conversation = await client.create_conversation()
    user = await account_id(client)
    await write_messages(locate_servers(load_settings(up.environ)), tenant_of(client), user, conversation, 100)
    held: list[Route] = []

    async def hold(route: Route) -> None:
        held.append(route)

    await reader.visitor.go(f"/chat/{conversation}")
    await expect(page.get_by_text("answer 99 says so")).to_be_in_viewport()
    await page.route("**/messages?*cursor=*", hold)  # the page before comes when the test says so
    await page.locator(".thread").hover()
    await page.mouse.wheel(0, -20_000)
    await expect(page.get_by_text("Question 50:")).to_be_in_viewport()
    await expect(page.get_by_text("answer 51 says so")).to_be_in_viewport()
    place = await page.get_by_text("answer 51 says so").evaluate("(it) => it.getBoundingClientRect().top")
    await held[0].continue_()
    await expect(page.locator(".slot")).to_have_count(100)
    assert abs(await page.get_by_text("answer 51 says so").evaluate("(it) => it.getBoundingClientRect().top") - place) < 60
    await page.get_by_role("button", name="Jump to the end").click()
    await expect(page.get_by_text("answer 99 says so")).to_be_in_viewport()
