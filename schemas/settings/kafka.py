"""Settings of the connection to Kafka."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from schemas.settings.section import Secret, Section


class KafkaSettings(Section, frozen=True, kw_only=True):
    """The connection to Kafka, the log."""

    prefix: ClassVar[str] = "CLAW_KAFKA_"

    bootstrap: Annotated[str, Meta(description="host:port list; empty means the embedded broker on CLAW_KAFKA_PORT.")] = ""
    port: Annotated[int, Meta(ge=0, le=65535, description="Client port of the embedded broker; its controller uses a free port.")] = 9092
    heap_mib: Annotated[int, Meta(ge=64, le=32_768, description="Largest Java heap of the embedded broker.")] = 256
    security_protocol: Annotated[
        Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"],
        Meta(description="Security protocol between clients and broker; the embedded broker has SASL_PLAINTEXT and a password of its own."),
    ] = "PLAINTEXT"
    sasl_mechanism: Annotated[Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"], Meta(description="With SASL_*: the mechanism.")] = (
        "SCRAM-SHA-512"
    )
    sasl_username: Annotated[str, Meta(description="With SASL_*: the user.")] = ""
    sasl_password: Annotated[Secret, Meta(description="With SASL_*: the password.")] = Secret()
    ssl_ca_file: Annotated[str, Meta(description="With *SSL: PEM file of the certificate authority; empty = the system's authorities.")] = (
        ""
    )
    ssl_cert_file: Annotated[str, Meta(description="With *SSL: PEM client certificate, for mutual TLS.")] = ""
    ssl_key_file: Annotated[str, Meta(description="With *SSL: PEM key of the client certificate.")] = ""
    replication_factor: Annotated[int, Meta(ge=1, le=7, description="Replicas of every topic that `claw topics apply` creates.")] = 1
    partitions: Annotated[
        int, Meta(ge=1, le=256, description="Partitions of keyed topics at creation; the count never changes afterwards.")
    ] = 4
    reply_partitions: Annotated[int, Meta(ge=1, le=1024, description="Partitions of claw.chats.answered.v1; API replicas share them.")] = 8
    topic_prefix: Annotated[
        str,
        Meta(
            max_length=64, pattern="^[a-z0-9.-]*$", description="Prefix of every topic and group name; lets installations share a broker."
        ),
    ] = ""
    batch_bytes_max: Annotated[
        int,
        Meta(
            ge=1_048_576,
            le=268_435_456,
            description="Bytes of one batch of records after decompression; a larger one is set aside as `batch_unreadable`.",
        ),
    ] = 16_777_216
    publish_timeout_s: Annotated[
        float, Meta(gt=0, le=60, description="Timeout for Kafka to acknowledge a request's events; then 503 kafka_unavailable.")
    ] = 1.5
    stuck_s: Annotated[
        float,
        Meta(
            ge=5,
            le=3600,
            description="Time after which an API process ends, to be started again, when its Kafka clients do not work although the broker "
            "answers others.",
        ),
    ] = 30.0

    @property
    def servers(self) -> str:
        """Where clients connect: ``bootstrap`` or the embedded broker."""
        return self.bootstrap or f"127.0.0.1:{self.port}"
