"""What axe-core finds on a page that somebody with a screen reader, a keyboard or weak sight could not use."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from playwright.async_api import Page

AXE = Path(__file__).parent / "axe" / "axe.min.js"
VERSION = "4.14.1"
GRAVE = ("serious", "critical")

# Animations that go on have colours of their own half way; what they end in is judged.
_RUN = """
async (coloursOnly) => {
  for (const animation of document.getAnimations()) {
    if (animation.effect?.getComputedTiming().endTime !== Infinity) animation.finish();
  }
  const everything = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
  const runOnly = coloursOnly ? { type: "rule", values: ["color-contrast"] } : everything;
  const { violations } = await axe.run(document, { resultTypes: ["violations"], runOnly });
  return violations.map(({ id, impact, help, nodes }) => ({
    id, impact, help,
    nodes: nodes.slice(0, 5).map((node) => ({ at: node.target.flat().join(" "), html: node.html.slice(0, 160), why: node.failureSummary })),
  }));
}
"""


@cache
def read_axe() -> str:
    """The script, as it was fetched."""
    text = AXE.read_text(encoding="utf-8")
    digest = hashlib.sha256(text.encode()).hexdigest()
    assert digest in (AXE.parent / "README.md").read_text(encoding="utf-8"), "axe.min.js was changed"
    return text


async def check_accessibility(page: Page, *, colours_only: bool = False) -> None:
    """Assert that axe-core has no serious and no critical finding on what is shown now; the findings are in the failure.

    ``colours_only``: the contrast alone, for the second theme of what was checked in the first.
    """
    if not await page.evaluate("() => 'axe' in window"):
        await page.evaluate(f"() => {{ {read_axe()} }}")
    found: list[dict[str, Any]] = await page.evaluate(_RUN, colours_only)
    grave = [finding for finding in found if finding["impact"] in GRAVE]
    assert not grave, f"{page.url}:\n" + "\n".join(map(_describe, grave))


def _describe(finding: dict[str, Any]) -> str:
    nodes = "\n".join(f"    {node['at']}\n      {node['html']}\n      {node['why']}" for node in finding["nodes"])
    return f"  {finding['impact']}: {finding['help']} ({finding['id']})\n{nodes}"
