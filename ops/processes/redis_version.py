"""A process looks once, at its start, whether its Redis has the known security fixes."""

from adapters.redis.client import connect
from adapters.redis.versions import ask_version
from ops.stack.redis import report
from schemas.errors import Unavailable
from schemas.settings import RedisSettings


async def check_server(settings: RedisSettings) -> None:
    """Log a warning, or raise ConfigurationError, as CLAW_REDIS_OUTDATED says. A server that does not answer is not waited for."""
    redis = connect(settings)
    try:
        report(await ask_version(redis), settings)
    except Unavailable:
        pass
    finally:
        await redis.aclose()
