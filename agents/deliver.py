"""deliveries.changed -> deliver -> requests to webhooks -> deliveries.changed, webhooks.changed

The agent enters what is to be delivered into the queues of the endpoints, which takes a round trip to Redis; the deliverer beside it makes
the attempts when they are due. So no event waits for a receiver, and a worker that gets a partition goes on where the last one stopped.
"""

import secrets
from collections.abc import Sequence

import msgspec

from adapters.webhooks.client import WebhookClient
from domain import composition
from domain.notices.deliverer import NAME, Deliverer
from domain.notices.delivery_queue import DeliveryQueue
from domain.notices.settings import WebhookSettings
from domain.notices.topics import DELIVERIES_CHANGED
from domain.notices.webhook_secrets import WebhookSecrets
from schemas.notices import DeliveryAttempt, DeliveryChanged
from streams.log.outgoing import Outgoing
from streams.runtime.agent import Agent, Context
from streams.runtime.agent_ports import AgentPorts
from streams.runtime.timer_loop import TimerLoop
from streams.tables.projection import Tables

WORKER_GROUP = "documents"


def build(ports: AgentPorts) -> tuple[Agent, ...]:
    """The agent, with the deliverer and its HTTP client."""
    settings = ports.settings.of(WebhookSettings)
    tables = ports.get(composition.read_models)
    queue = DeliveryQueue(ports.redis, ports.prefix, settings.pending_max)
    client = ports.attach(WebhookClient(settings.networks, timeout_s=settings.timeout_s, connections_max=settings.concurrency))
    parts = (settings, queue, tables, ports.get(composition.record_writer), WebhookSecrets(ports.settings), client.post, ports.clock)
    deliverer = Deliverer(*parts, random_bytes=secrets.token_bytes, registry=ports.registry)
    return (agent(tables, queue, ports.attach(deliverer.loop)),)


def agent(tables: Tables, queue: DeliveryQueue, loop: TimerLoop) -> Agent:
    """The records come first: what is due is looked up in them."""

    async def step(event: DeliveryChanged, context: Context) -> Sequence[Outgoing]:
        (outgoing,) = await step_many([(event, context)])
        return outgoing

    async def step_many(events: Sequence[tuple[DeliveryChanged, Context]]) -> Sequence[Sequence[Outgoing]]:
        await tables.apply_many([(event, context.place) for event, context in events])
        refused = await queue.apply_many([(event.data, context.place.partition) for event, context in events])
        loop.wake()
        skipped = {each.id for each in refused}
        return [[_skip(event, context)] if event.data.id in skipped else [] for event, context in events]

    return Agent(name=NAME, reads=(DELIVERIES_CHANGED,), step=step, step_many=step_many, assigned=loop.take_assignment)


def _skip(event: DeliveryChanged, context: Context) -> Outgoing:
    """Too many messages wait for the endpoint: this one is not tried before it is replayed."""
    now = context.clock.now()
    attempt = DeliveryAttempt(at=now, error="too many messages wait for this endpoint")
    delivery = msgspec.structs.replace(
        event.data, state="skipped", attempts=(*event.data.attempts, attempt)[-1:], next_at=None, ended_at=now
    )
    return Outgoing(DELIVERIES_CHANGED, DeliveryChanged.from_cause(event, NAME, data=delivery, now=now), key=delivery.webhook_id)
