"""The user of the embedded broker's clients: kept in the broker's own log, created through the controller.

So one way serves a new broker, one whose log is older than its credentials, and one whose ``credentials`` were deleted.
"""

import asyncio
import hashlib
import os

from aiokafka.conn import AIOKafkaConnection, create_conn
from aiokafka.errors import KafkaError
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import CompactArray, CompactBytes, CompactString, Int8, Int16, Int32, Schema, TaggedFields

from ops.stack.credentials import USER
from ops.stack.kafka import MECHANISM, KafkaNode
from ops.stack.ports import is_own

REQUEST_MS = 2_000
SCRAM_SHA_512 = 2  # its number in the protocol
ITERATIONS = 4_096  # the least Kafka takes; a password of 256 random bits needs no more, and every connection pays for them
SALT_BYTES = 16


class AlterUserScramCredentialsResponse(Response):  # type: ignore[misc]  # aiokafka has no types
    """Kafka's protocol, API key 51."""

    API_KEY = 51
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "results",
            CompactArray(
                ("user", CompactString("utf-8")),
                ("error_code", Int16),
                ("error_message", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class AlterUserScramCredentialsRequest_v0(RequestStruct):  # type: ignore[misc]  # noqa: N801 - as the library names them
    """Kafka's protocol, API key 51."""

    API_KEY = 51
    API_VERSION = 0
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = AlterUserScramCredentialsResponse
    SCHEMA = Schema(
        ("deletions", CompactArray(("name", CompactString("utf-8")), ("mechanism", Int8), ("tags", TaggedFields))),
        (
            "upsertions",
            CompactArray(
                ("name", CompactString("utf-8")),
                ("mechanism", Int8),
                ("iterations", Int32),
                ("salt", CompactBytes),
                ("salted_password", CompactBytes),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class AlterUserScramCredentials(Request[AlterUserScramCredentialsRequest_v0]):  # type: ignore[misc]  # aiokafka has no types
    """Gives one user one password."""

    API_KEY = 51

    def __init__(self, user: str, password: str) -> None:
        self._user, self._password = user, password

    def build(self, request_struct_class: type[AlterUserScramCredentialsRequest_v0]) -> AlterUserScramCredentialsRequest_v0:
        salt = os.urandom(SALT_BYTES)
        salted = hashlib.pbkdf2_hmac("sha512", self._password.encode(), salt, ITERATIONS)
        return request_struct_class([], [(self._user, SCRAM_SHA_512, ITERATIONS, salt, salted, {})], {})


async def ensure_user(node: KafkaNode) -> bool:
    """Whether the broker knows its user by the password of ``node``; when it does not, the controller is told, and a later call is true."""
    try:
        (await _connect(node.port, MECHANISM, node.password.reveal())).close()
    except (KafkaError, TimeoutError):
        await _tell_controller(node)
        return False
    return True


async def _tell_controller(node: KafkaNode) -> None:
    if not is_own(node.controller_port):  # PLAIN shows the password to whoever listens
        return
    try:
        controller = await _connect(node.controller_port, "PLAIN", node.controller_password.reveal())
        try:
            await controller.send(AlterUserScramCredentials(USER, node.password.reveal()))
        finally:
            controller.close()
    except (KafkaError, TimeoutError):  # it has no leader yet: the next probe tries again
        await asyncio.sleep(0)


async def _connect(port: int, mechanism: str, password: str) -> AIOKafkaConnection:
    return await create_conn(
        "127.0.0.1",
        port,
        request_timeout_ms=REQUEST_MS,
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism=mechanism,
        sasl_plain_username=USER,
        sasl_plain_password=password,
    )
