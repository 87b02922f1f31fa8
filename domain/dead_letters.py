"""Dead letters of this product: the tenant of each, and the guard of their redrive."""

from adapters.redis.client import RedisClient
from domain.areas import ERRORS, TOPICS
from domain.documents.inbox import is_inbox, tenant_of
from domain.documents.redrive_guard import DocumentRedriveGuard, DocumentStates
from schemas.errors import CATALOGUE, ClawError, Problem
from schemas.settings import KafkaSettings
from streams.clock import Clock
from streams.dead_letters.reader import DeadLetter, DeadLetterReader
from streams.dead_letters.redrive import RawPublisher, Redrive
from streams.topics import DEAD_LETTERS

_TENANT_IN_KEY = frozenset(topic.name for topic in TOPICS if topic.key.startswith("tenant/"))


def dead_letter_reader(kafka: KafkaSettings) -> DeadLetterReader:
    """The reader of this installation's dead letters."""
    return DeadLetterReader(kafka, find_tenant)


def build_redrive(
    kafka: KafkaSettings, publisher: RawPublisher, states: DocumentStates, redis: RedisClient, prefix: str, clock: Clock
) -> Redrive:
    """Sends dead letters of every topic again; ``states`` are the visibility records."""
    names = [topic.name for topic in TOPICS if topic is not DEAD_LETTERS]
    return Redrive(kafka, publisher, DocumentRedriveGuard(kafka, publisher, states, names), redis, prefix, clock)


def find_problem(letter: DeadLetter) -> Problem:
    """The cause of a dead letter, with the title and the remedy of its code; one of a later release reads as ``event_failed``."""
    code = letter.code if letter.code in CATALOGUE else ERRORS.get(letter.code, "event_failed")
    return ClawError(letter.detail, code=code).problem()


def find_tenant(topic: str, key: bytes | None) -> str | None:
    """The tenant in an inbox's name, or at the beginning of a key; None when neither has it."""
    if is_inbox(topic):
        return tenant_of(topic)
    if topic in _TENANT_IN_KEY:
        return (key or b"").partition(b"/")[0].decode(errors="replace")
    return None
