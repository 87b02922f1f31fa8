"""Regular expressions over foreign text take time in proportion to its length: one that does not lets a sender stop everybody's answers."""

import re
import time
from typing import Any

import pytest

from tests.support.patterns import Attack, Found, attacks, bound_max, find_patterns, product_modules

SMALL_REPEATS = (8, 12, 16, 20, 24, 32, 64, 200)  # an exponential one shows here, before it takes hours
SMALL_S_MAX = 0.1
CHARS_FEW, CHARS, CHARS_MORE = 1_024, 4_096, 16_384
BOUND_MAX = 256  # of a repetition: up to here few characters show what more of them would,
PUMP_CHARS_MAX = 32  # and so they do while they are many repetitions
QUICK_S = 0.002  # for the fewer characters: half of their square takes 8 ms in the fastest loop there is
QUICK_FEW_S = 0.000_125  # for few: half of their square takes 0.5 ms, and their cube in runs of 32 0.17 ms
RATIO_MAX = 9.0  # four times the characters: 4 is linear, 16 is quadratic
RATIO_CLEAR = 5.5  # what a square adds to reach RATIO_MAX from CHARS on makes 5.8 from CHARS_FEW on
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
        r".{1500,}x",
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
    is_bounded = bound_max(found.pattern) <= BOUND_MAX
    for attack in attacks(found.pattern):
        few_tell = is_bounded and len(attack.pump) <= PUMP_CHARS_MAX
        why = _grows_exponentially(found, attack) or ("" if few_tell and _is_clearly_linear(found, attack) else _grows(found, attack))
        if why:
            return [f"{found.place} {found.pattern.pattern!r}: {why} on {attack.before!r} + {attack.pump!r} * n + {attack.after!r}"]
    return []


def _grows_exponentially(found: Found, attack: Attack) -> str:
    for repeats in SMALL_REPEATS:
        spent_s = _cpu_s(found, attack.before + attack.pump * repeats + attack.after)
        if spent_s > SMALL_S_MAX:
            return f"{spent_s:.2f} s for {repeats} repetitions"
    return ""


def _is_clearly_linear(found: Found, attack: Attack) -> bool:
    """On few characters, which most are and which is quick to see; what is not is measured on more of them."""
    spent_s = _cpu_s(found, attack.text(CHARS_FEW), QUICK_FEW_S, tries=2)
    if spent_s < QUICK_FEW_S:
        return True
    clear_s = min(RATIO_CLEAR * spent_s, SLOW_S_MAX)
    return _cpu_s(found, attack.text(CHARS), clear_s) < clear_s


def _grows(found: Found, attack: Attack) -> str:
    spent_s = _cpu_s(found, attack.text(CHARS), QUICK_S)
    if spent_s > SLOW_S_MAX:
        return f"{spent_s:.1f} s for {CHARS:,} characters"
    if spent_s < QUICK_S:
        return ""
    more_s = _cpu_s(found, attack.text(CHARS_MORE), RATIO_MAX * spent_s)
    return f"{more_s / spent_s:.0f} times the time for 4 times the characters" if more_s > RATIO_MAX * spent_s else ""


def _cpu_s(found: Found, text: str, enough_s: float = SMALL_S_MAX, *, tries: int = TRIES) -> float:
    """CPU seconds, the least of some tries; a time below ``enough_s`` needs no second one."""
    is_bytes = isinstance(found.pattern.pattern, bytes)
    subject: Any = text.encode("utf-8", "surrogatepass") if is_bytes else text
    nothing: Any = b"" if is_bytes else ""
    least_s = float("inf")
    for _ in range(tries):
        began = time.thread_time()
        if found.anywhere:
            found.pattern.sub(nothing, subject)  # every match at every place, without an object for each
        else:
            for method in found.methods:
                getattr(found.pattern, method)(subject)
        least_s = min(least_s, time.thread_time() - began)
        if least_s < enough_s or least_s > SLOW_S_MAX:
            break
    return least_s
