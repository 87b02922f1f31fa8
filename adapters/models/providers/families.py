"""What is known of models by their names: whether they think, which efforts they have, their context and their list prices.

A name is compared without the organisation before it (``Qwen/Qwen3-8B``), in lower case; the first family that it begins with is its own.
A model that is not listed is asked for nothing special. Contexts and prices are what the makers published in November 2026.
"""

import re
from typing import Literal

from msgspec import Struct

from adapters.models.prices import Prices
from schemas.thinking import ReasoningEffort

# no: it never does. asked: when it is told to. default: unless it is told not to. always: it cannot be told not to.
Thinks = Literal["no", "asked", "default", "always", "unknown"]

K, M = 1_024, 1_048_576
ALL_EFFORTS: tuple[ReasoningEffort, ...] = ("low", "medium", "high")


class Family(Struct, frozen=True, kw_only=True):
    """Models whose names begin alike. ``prices`` by currency, of a million tokens: of the names themselves, with or without a date; a
    variant of the name costs something else.
    """

    names: tuple[str, ...]
    thinks: Thinks = "no"
    contains: str = ""  # what the name must contain besides
    efforts: tuple[ReasoningEffort, ...] = ()  # the levels that it has, the least first; () when it takes none
    without: str = ""  # the effort that turns thinking off, where it is no field of its own
    opened: bool = False  # its chat template opens the thinking; servers without a parser send the text from there
    fixed_sampling: bool = False  # no temperature, no stop sequences, its limit is max_completion_tokens (OpenAI's reasoning models)
    context: int = 0  # tokens of prompt and answer together; 0 when it depends on the server
    prices: dict[str, Prices] = {}


def _usd(prompt: float, completion: float, cached: float) -> dict[str, Prices]:
    return {"USD": Prices(prompt, completion, cached)}


def _cny(prompt: float, completion: float, cached: float) -> dict[str, Prices]:
    return {"CNY": Prices(prompt, completion, cached)}


_FREE = {currency: Prices(0.0, 0.0, 0.0) for currency in ("USD", "CNY")}
_HIGH: tuple[ReasoningEffort, ...] = ("low", "high", "max")

_GLM = (
    Family(names=("glm-5.3-flash",), thinks="always", efforts=_HIGH),
    Family(names=("glm-5.3",), thinks="always", efforts=_HIGH, context=M, prices=_usd(1.4, 4.4, 0.26)),
    Family(names=("glm-5.2",), thinks="default", efforts=("high", "max"), context=M, prices=_usd(1.4, 4.4, 0.26)),
    Family(names=("glm-5.1",), thinks="default", context=200 * K, prices=_usd(1.4, 4.4, 0.26)),
    Family(names=("glm-5-turbo",), thinks="default", context=198 * K, prices=_usd(1.2, 4.0, 0.24)),
    Family(names=("glm-5",), thinks="default", context=198 * K, prices={}),
    Family(names=("glm-4.7-flashx",), thinks="default", context=195 * K, prices=_usd(0.07, 0.4, 0.01)),
    Family(names=("glm-4.7-flash",), thinks="default", context=195 * K, prices=_FREE),
    Family(names=("glm-4.7", "glm-4.6"), thinks="default", context=200 * K, prices=_usd(0.6, 2.2, 0.11)),
    Family(names=("glm-4.5-flash",), thinks="default", context=125 * K, prices=_FREE),
    Family(names=("glm-4.5-airx", "glm-4.5-x"), thinks="default", context=125 * K),
    Family(names=("glm-4.5-air",), thinks="default", context=125 * K, prices=_usd(0.2, 1.1, 0.03)),
    Family(names=("glm-4.5",), thinks="default", context=125 * K, prices=_usd(0.6, 2.2, 0.11)),
    Family(names=("glm-z1", "glm-4.1v-thinking"), thinks="always"),
    Family(names=("glm-4",), context=125 * K),
)
_DEEPSEEK = (
    Family(names=("deepseek-v4-pro",), thinks="default", efforts=_HIGH, context=M, prices=_cny(9.0, 27.0, 0.3)),
    Family(
        names=("deepseek-v4-flash", "deepseek-v4", "deepseek-flash"),
        thinks="default",
        efforts=_HIGH,
        context=M,
        prices=_cny(2.0, 8.0, 0.04),
    ),
    Family(names=("deepseek-v3.1", "deepseek-v3.2"), thinks="asked"),
    Family(names=("deepseek-r1", "deepseek-reasoner"), thinks="always", opened=True),
    Family(names=("deepseek-chat", "deepseek-v3", "deepseek-v2"), thinks="no"),
)
_QWEN = (
    Family(names=("qwq",), thinks="always", opened=True),
    Family(names=("qwen3",), contains="thinking", thinks="always", opened=True),
    Family(names=("qwen3",), contains="instruct", thinks="no"),
    Family(names=("qwen3-coder",), thinks="no"),
    Family(names=("qwen3-max",), thinks="asked"),
    Family(names=("qwen3",), thinks="default", efforts=ALL_EFFORTS, without="none"),
    Family(names=("qwen-plus", "qwen-flash", "qwen-turbo"), thinks="asked"),
    Family(names=("qwen-max", "qwen-long", "qwen2", "qwen1"), thinks="no"),
)
_OPENAI = (
    Family(names=("gpt-5-chat",), context=125 * K, prices=_usd(1.25, 10.0, 0.125)),
    Family(names=("gpt-5-pro",), thinks="always", efforts=("high",), fixed_sampling=True, context=390 * K),
    Family(
        names=("gpt-5.",),
        thinks="default",
        efforts=("low", "medium", "high", "xhigh"),
        without="none",
        fixed_sampling=True,
        context=390 * K,
    ),
    *(
        Family(
            names=(name,),
            thinks="default",
            efforts=("minimal", *ALL_EFFORTS),
            without="minimal",
            fixed_sampling=True,
            context=390 * K,
            prices=prices,
        )
        for name, prices in (
            ("gpt-5-mini", _usd(0.25, 2.0, 0.025)),
            ("gpt-5-nano", _usd(0.05, 0.4, 0.005)),
            ("gpt-5", _usd(1.25, 10.0, 0.125)),
        )
    ),
    Family(names=("o1", "o3", "o4"), thinks="always", efforts=ALL_EFFORTS, fixed_sampling=True, context=195 * K),
    Family(names=("gpt-oss",), thinks="always", efforts=ALL_EFFORTS, context=128 * K),
    Family(names=("gpt-4o-mini",), context=125 * K, prices=_usd(0.15, 0.6, 0.075)),
    Family(names=("gpt-4o",), context=125 * K, prices=_usd(2.5, 10.0, 1.25)),
    Family(names=("gpt-4.1-mini",), context=M, prices=_usd(0.4, 1.6, 0.1)),
    Family(names=("gpt-4.1-nano",), context=M, prices=_usd(0.1, 0.4, 0.025)),
    Family(names=("gpt-4.1",), context=M, prices=_usd(2.0, 8.0, 0.5)),
    Family(names=("gpt-4", "gpt-3.5")),
)
_OTHERS = (Family(names=("llama", "gemma3", "gemma-3", "mistral", "phi4", "phi-4"), thinks="no"),)

FAMILIES = (*_GLM, *_DEEPSEEK, *_QWEN, *_OPENAI, *_OTHERS)
_DATE = re.compile(r"-(?:\d{4}-\d{2}-\d{2}|\d{4}|\d{6}|\d{8})\Z")
UNKNOWN = Family(names=(), thinks="unknown")


def list_prices(model: str, currency: str) -> Prices | None:
    """What the maker publishes for this model in this currency."""
    family = family_of(model)
    return family.prices.get(currency) if _DATE.sub("", _plain(model)) in family.names else None


def _plain(model: str) -> str:
    return model.rsplit("/", 1)[-1].lower()


def family_of(model: str) -> Family:
    """The family of a model's name; UNKNOWN when it is not listed."""
    name = _plain(model)
    return next((each for each in FAMILIES if name.startswith(each.names) and each.contains in name), UNKNOWN)
