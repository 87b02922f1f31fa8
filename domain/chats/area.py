"""The area of conversations and replies."""

from dataclasses import replace

from adapters.models.candidates import find_problem, list_candidates
from domain.area import Area
from domain.chats.erasure import publish_tombstones
from domain.chats.records import CONVERSATIONS, FEEDBACK, MESSAGES, TENANT_CONVERSATIONS
from domain.chats.topics import (
    CHATS_ANSWERED,
    CHATS_ASKED,
    CHATS_GROUNDED,
    CONVERSATIONS_CHANGED,
    DIGESTS_ASKED,
    FEEDBACK_GIVEN,
    MESSAGES_CHANGED,
)
from domain.config_keys import ConfigRule, config_keys
from schemas.chats import MessageChanged
from schemas.settings import ModelSettings, SecondModelSettings, Settings, ThirdModelSettings
from streams.log.publisher import KafkaPublisher
from streams.tables.rebuild import Events, RebuildPorts, RebuildResult, replay


async def _rebuild_messages(ports: RebuildPorts) -> RebuildResult:
    """Also publishes tombstones that the projector could not: those of deleted conversations whose message ids were lost with Redis."""
    late: dict[str, str] = {}  # message to conversation

    async def fold(events: Events) -> None:
        refused = await ports.tables.apply_many(events)
        late.update({event.data.id: event.data.conversation_id for event in refused if isinstance(event, MessageChanged)})

    done = await replay(ports.reader, MESSAGES_CHANGED, fold, gone=lambda message_id: late.pop(message_id, None))
    if late:
        publisher = KafkaPublisher(ports.settings.kafka, (MESSAGES_CHANGED,))
        await publisher.start()
        try:
            for message_id, conversation_id in late.items():
                await publish_tombstones(publisher, conversation_id, [message_id])
        finally:
            await publisher.stop()
    return replace(done, erased=len(late))


SAMPLING = (
    *config_keys(ModelSettings, "temperature", by_tenant=True),
    *config_keys(ModelSettings, "max_tokens", "idle_timeout_s", "text_thinking_tokens"),
)
FIRST = config_keys(ModelSettings, "name", "base_url", "api_key", "thinking", "reasoning_effort")
FALLBACKS = [
    config_keys(section, "provider", "name", "base_url", "api_key", "thinking", "reasoning_effort")
    for section in (SecondModelSettings, ThirdModelSettings)
]


def _find_model_problem(settings: Settings) -> str:
    return next(filter(None, (find_problem(model, variables) for model, variables in list_candidates(settings))), "")


AREA = Area(
    name="chats",
    configs=(*SAMPLING, *FIRST, *(key for keys in FALLBACKS for key in keys), *config_keys(ModelSettings, "concurrency", effect="restart")),
    config_rules=(ConfigRule(keys=tuple(key.name for keys in (FIRST, *FALLBACKS) for key in keys), find_problem=_find_model_problem),),
    topics=(CHATS_ASKED, CHATS_GROUNDED, CHATS_ANSWERED, MESSAGES_CHANGED, DIGESTS_ASKED, CONVERSATIONS_CHANGED, FEEDBACK_GIVEN),
    records=(CONVERSATIONS, TENANT_CONVERSATIONS, MESSAGES, FEEDBACK),
    rebuilds={"messages": _rebuild_messages},
)
