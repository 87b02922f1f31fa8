"""``@cache.cached(...)``: the results of an async function, cached by all of its arguments.

Its first parameter is ``tenant``: entries of tenants never meet. Its return annotation is the type of the entries; the other arguments must
be what msgspec can encode. Tags are templates over the arguments, such as ``"user/{user_id}"``.

    @cache.cached(ttl_s=60, key_prefix="report", scenario="retrieval", tags=("kb/{base}",))
    async def report(tenant: str, base: str) -> Report: ...
"""

import functools
import hashlib
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, TypeVar, cast, get_type_hints

import msgspec

from schemas.errors import ConfigurationError
from streams.cache.scenario_cache import ScenarioCache

P = ParamSpec("P")
T = TypeVar("T")

_encode = msgspec.json.Encoder(order="deterministic").encode


def cache_results(
    function: Callable[P, Awaitable[T]], cache_of: Callable[[Any], ScenarioCache[Any]], prefix: str, tags: tuple[str, ...]
) -> Callable[P, Awaitable[T]]:
    """Raises ConfigurationError for a function whose results cannot be separated by tenant, or whose type is unknown."""
    signature, returned = inspect.signature(function), get_type_hints(function).get("return")
    if next(iter(signature.parameters), None) != "tenant" or returned is None:
        raise ConfigurationError(f"{function.__qualname__}: a cached function has `tenant` as its first parameter and a return annotation")
    cache = cache_of(returned)

    @functools.wraps(function)
    async def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        arguments = dict(bound.arguments)
        tenant = arguments.pop("tenant")
        key = f"{prefix}/{hashlib.sha256(_encode(arguments)).hexdigest()}"

        async def compute() -> T:
            return await function(*args, **kwargs)

        found = await cache.get_or_compute(tenant, key, compute, tuple(tag.format(**arguments) for tag in tags))
        return cast("T", found)

    return wrapped
