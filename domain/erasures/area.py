"""The area of erasures."""

from domain.area import Area
from domain.erasures.errors import ERRORS
from domain.erasures.records import ERASURES
from domain.erasures.timing import erasure_timers, set_timers
from domain.erasures.topics import ERASURES_CHANGED
from schemas.erasures import ErasureChanged
from streams.tables.rebuild import Events, RebuildPorts, RebuildResult, replay


async def _rebuild_erasures(ports: RebuildPorts) -> RebuildResult:
    """Rebuild the erasures, and the timers of those that are not final."""
    timers = erasure_timers(ports.redis, ports.settings.redis.key_prefix)

    async def fold(events: Events) -> None:
        await ports.tables.apply_many(events)
        await set_timers(timers, [(event.data, offset.partition) for event, offset in events if isinstance(event, ErasureChanged)])

    return await replay(ports.reader, ERASURES_CHANGED, fold)


AREA = Area(name="erasures", topics=(ERASURES_CHANGED,), records=(ERASURES,), rebuilds={"erasures": _rebuild_erasures}, errors=ERRORS)
