"""`claw inbox`: creates, lists and describes inboxes of upstream systems; workers discover the ones to read."""

import re
import sys

import msgspec
import structlog

from domain.documents.topics import DOCUMENTS_PROGRESSED, TENANT_NAME, inbox_topic
from ops.commands import topics as administration
from schemas.errors import ConfigurationError
from schemas.inbox import schema
from schemas.settings import KafkaSettings, Settings

LANE = "tables"  # whose workers read inboxes
PRINCIPAL = re.compile(r"[A-Za-z]{1,32}:[^\s'\"\\]{1,200}")
_INBOX = re.compile(rf"claw\.inbox\.({TENANT_NAME.pattern})\.v1")

log = structlog.get_logger(__name__)


async def create(settings: Settings, tenant: str, principal: str) -> int:
    """Create the inbox of ``tenant``, or correct its configuration, and print the settings for its producer and the broker."""
    if TENANT_NAME.fullmatch(tenant) is None:
        raise ConfigurationError(f"{tenant!r} is no tenant: 1 to 64 of a-z, 0-9 and -")
    if PRINCIPAL.fullmatch(principal) is None:
        raise ConfigurationError(f"--principal: {principal!r} is no Kafka principal, such as User:crm")
    kafka, topic = settings.kafka, inbox_topic(tenant)
    changed = await administration.apply(kafka, (topic,))
    done = "is as it should be" if not changed else "was made" if changed[0].kind == "missing" else "was corrected"
    print(f"{administration.broker_name(kafka, topic)} {done}: {topic.partitions(kafka)} partitions on {kafka.servers}\n")
    print(acl_commands(kafka, tenant, principal))
    print(client_settings(kafka, tenant, principal))
    print(await _reader_status(kafka, tenant))
    print(
        f"What to write into it: docs/upstream.md. People who ask need a key or an account of the tenant: claw key create --tenant {tenant}"
    )
    return 0


async def list_inboxes(settings: Settings) -> int:
    """Print every inbox, and whether workers that run now read it."""
    tenants = sorted({*await discover(settings.kafka), *settings.lanes.inboxes})
    existing, read = await administration.names(settings.kafka), await administration.subscriptions(settings.kafka, LANE)
    for tenant in tenants:
        name = inbox_topic(tenant).name
        if name not in existing:
            state = f"missing: run `claw inbox create {tenant}` or `claw topics apply`"
        elif read is None:
            state = f"not read: no worker of the group {LANE} runs"
        else:
            state = "read" if name in read else f"not read: restart the workers of the group {LANE}"
        print(f"{tenant}\t{settings.kafka.topic_prefix}{name}\t{state}")
    return 0


def print_schema() -> int:
    """Print the JSON Schema of an inbox event."""
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(schema()), indent=2) + b"\n")
    return 0


async def discover(kafka: KafkaSettings) -> tuple[str, ...]:
    """The tenants whose inbox exists; raises Unavailable when the broker cannot be reached."""
    found = (_INBOX.fullmatch(name) for name in await administration.names(kafka))
    return tuple(sorted(match[1] for match in found if match))


async def with_discovered_inboxes(settings: Settings) -> Settings:
    """The settings with the existing inboxes added to the named ones. An inbox created later is read from the next start on."""
    named = settings.lanes.inboxes
    found = tuple(tenant for tenant in await discover(settings.kafka) if tenant not in named)
    log.info("inboxes_read", named=named, discovered=found)
    lanes = msgspec.structs.replace(settings.lanes, inbox_tenants=",".join((*named, *found)))
    return msgspec.structs.replace(settings, lanes=lanes)


def acl_commands(kafka: KafkaSettings, tenant: str, principal: str) -> str:
    """The commands that an operator runs on a broker with an authorizer."""
    tool = f"kafka-acls.sh --bootstrap-server {kafka.servers} --add --allow-principal '{principal}'"
    progressed = administration.broker_name(kafka, DOCUMENTS_PROGRESSED)
    return f"""# on a broker with an authorizer, as its administrator:
{tool} --operation Write --operation Describe --topic {administration.broker_name(kafka, inbox_topic(tenant))}
# only for a producer with transactions, whose transactional.id begins so
{tool} --operation Write --operation Describe --transactional-id '{_group(principal)}' --resource-pattern-type prefixed
# to follow the outcome. This topic has every tenant's documents (ids, titles, causes), so leave these two out for a producer that
# may not know them; it can use GET /api/v1/knowledge/{{id}}/documents/{{document}} instead
{tool} --operation Read --operation Describe --topic {progressed}
{tool} --operation Read --group '{_group(principal)}' --resource-pattern-type prefixed
"""


def client_settings(kafka: KafkaSettings, tenant: str, principal: str) -> str:
    """The settings of the producer, in the format of kcat (-F FILE) and every librdkafka client."""
    lines = [
        f"# {tenant}.conf, for kcat -F and every librdkafka client",
        f"bootstrap.servers={kafka.servers}",
        f"security.protocol={kafka.security_protocol.lower()}",
    ]
    if kafka.security_protocol.startswith("SASL_"):
        lines += [f"sasl.mechanisms={kafka.sasl_mechanism}", f"sasl.username={principal.partition(':')[2]}", "sasl.password=CHANGE_ME"]
    if kafka.security_protocol.endswith("SSL"):
        lines.append("ssl.ca.location=CA.pem" if kafka.ssl_ca_file else "# ssl.ca.location=CA.pem, unless the system knows the authority")
    lines += ["enable.idempotence=true", "acks=all", "message.max.bytes=1048576", f"group.id={_group(principal)}progress"]
    return "\n".join(lines) + "\n"


def _group(principal: str) -> str:
    """The prefix of the producer's consumer groups."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", principal.partition(":")[2]) + "-"


async def _reader_status(kafka: KafkaSettings, tenant: str) -> str:
    read = await administration.subscriptions(kafka, LANE)
    if read is None:
        return f"Workers of the group {LANE} read it from their start on."
    if inbox_topic(tenant).name in read:
        return f"Workers of the group {LANE} read it."
    return f"The running workers of the group {LANE} do not read it: restart them, one after the other; they then read all records in it."
