"""Regular expressions over foreign text take time in proportion to its length: one that does not lets a sender stop everybody's answers."""

import re
import time
from typing import Any

import pytest

from tests.support.patterns import Attack, Found, attacks, find_patterns, product_modules

SMALL_REPEATS = (8, 12, 16, 20, 24, 32, 64, 200)  # an exponential one shows here, before it takes hours
SMALL_S_MAX = 0.1
CHARS, CHARS_MORE = 4_096, 16_384
QUICK_S = 0.002  # for the fewer characters: half of their square takes 8 ms in the fastest loop there is
RATIO_MAX = 9.0  # four times the characters: 4 is linear, 16 is quadratic
SLOW_S_MAX = 0.5  # linear it may be, but a bounded repetition of thousands at every place is as bad
TRIES = 3


@pytest.mark.timeout(300)
def test_every_regular_expression_of_the_product_is_linear() -> None:
    found = find_patterns(product_modules())
    assert len(found) > 100, "the patterns were not found"
    wrong = [said for each in found for said in _faults(each)]
    assert wrong == [], "\n".join(wrong)


@pytest.mark.parametrize(
    "pattern",
    [
        r"(?:a+)+$",
        r"\s*x",
        r"<(?=\s*/?\s*passage)",
        r"(?:<!--.{0,2000}?-->\s*)*<html",
        r"[ \t]+$",
        rb"\s+\Z",
        r"(?:hi|ha+)(?:[\W_]*(?:hi|ha+))*[\W_]*\Z",
        r"(?:嗯|哈+)(?:[\W_]*(?:嗯|哈+))*[\W_]*\Z",
    ],
)
def test_the_check_finds_a_slow_expression(pattern: str | bytes) -> None:
    assert _faults(Found("here", re.compile(pattern), frozenset({"search"})))


@pytest.mark.parametrize("pattern", [r"\s++", r"(?<!\s)\s++x", r"[a-z]{1,40}", r"<(?=\s*+/?+\s*+passage)"])
def test_the_check_passes_a_linear_expression(pattern: str) -> None:
    assert not _faults(Found("here", re.compile(pattern), frozenset({"search"})))


def _faults(found: Found) -> list[str]:
    """At most one sentence: the first input on which it is slow."""
    for attack in attacks(found.pattern):
        why = _fault(found, attack)
        if why:
            return [f"{found.place} {found.pattern.pattern!r}: {why} on {attack.before!r} + {attack.pump!r} * n + {attack.after!r}"]
    return []


def _fault(found: Found, attack: Attack) -> str:
    for repeats in SMALL_REPEATS:
        spent_s = _cpu_s(found, attack.before + attack.pump * repeats + attack.after)
        if spent_s > SMALL_S_MAX:
            return f"{spent_s:.2f} s for {repeats} repetitions"
    spent_s = _cpu_s(found, attack.text(CHARS), QUICK_S)
    if spent_s > SLOW_S_MAX:
        return f"{spent_s:.1f} s for {CHARS:,} characters"
    if spent_s < QUICK_S:
        return ""
    more_s = _cpu_s(found, attack.text(CHARS_MORE), RATIO_MAX * spent_s)
    return f"{more_s / spent_s:.0f} times the time for 4 times the characters" if more_s > RATIO_MAX * spent_s else ""


def _cpu_s(found: Found, text: str, enough_s: float = SMALL_S_MAX) -> float:
    """CPU seconds, the least of some tries; a time below ``enough_s`` needs no second one."""
    subject: Any = text.encode("utf-8", "surrogatepass") if isinstance(found.pattern.pattern, bytes) else text
    least_s = float("inf")
    for _ in range(TRIES):
        began = time.process_time()
        if found.anywhere:
            for _match in found.pattern.finditer(subject):
                pass
        else:
            for method in found.methods:
                getattr(found.pattern, method)(subject)
        least_s = min(least_s, time.process_time() - began)
        if least_s < enough_s or least_s > SLOW_S_MAX:
            break
    return least_s
