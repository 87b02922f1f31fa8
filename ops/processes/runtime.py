"""Interpreter settings of every long-running process."""

import asyncio
import gc

import uvloop

# Several 100,000 objects live as long as the process (modules, schemas, connections); a collector that walks them every 700 allocations
# costs a tenth of the CPU. Objects that exist after the start are left out, and the youngest generation may grow to this. The middle one
# stays small: a large table makes it grow to 400,000 objects otherwise, and walking those stops every thread, the loop's too, for 100 ms.
GC_YOUNG_MAX, GC_MIDDLE_MAX, GC_OLD_MAX = 20_000, 4, 250


def prepare() -> None:
    """Before the event loop: uvloop everywhere, also in threads that have a loop of their own."""
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())


def tune_gc() -> None:
    """Freeze what exists; called when everything is imported and open."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_YOUNG_MAX, GC_MIDDLE_MAX, GC_OLD_MAX)
