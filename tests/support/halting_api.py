"""``python -m tests.support.halting_api TOPIC ...``: ``claw api`` whose requests go no further once the log has an event of these topics,
which it prints. Whoever kills it then kills it between the acceptance of a request and everything that follows from it.
"""

import asyncio
import sys
from collections.abc import Sequence

from api import composition
from ops import cli
from streams.log.outgoing import LogOffset, Outgoing
from streams.log.publisher import KafkaPublisher


class HaltingPublisher(KafkaPublisher):
    """Never returns from the publication of such an event; what is published with it is on the log, too."""

    halting = frozenset[str]()

    async def publish(self, outgoing: Outgoing) -> LogOffset:
        (place,) = await self.publish_all((outgoing,))
        return place

    async def publish_all(self, outgoing: Sequence[Outgoing]) -> list[LogOffset]:
        places = await super().publish_all(outgoing)
        if reached := [each.topic.name for each in outgoing if each.topic.name in self.halting]:
            sys.stdout.write(f"accepted {' '.join(reached)}\n")
            sys.stdout.flush()
            await asyncio.Event().wait()
        return places


if __name__ == "__main__":
    HaltingPublisher.halting = frozenset(sys.argv[1:])
    composition.KafkaPublisher = HaltingPublisher  # type: ignore[attr-defined]  # standing in for the import
    sys.exit(cli.main(["api"]))
