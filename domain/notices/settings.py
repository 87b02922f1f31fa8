"""Settings of webhooks and mail."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from schemas.settings.section import Port, Secret, Section


class WebhookSettings(Section, frozen=True, kw_only=True):
    """Webhooks."""

    prefix: ClassVar[str] = "CLAW_WEBHOOK_"

    endpoints_max: Annotated[int, Meta(ge=0, le=1_000, description="Webhooks of one account; 0 = nobody can create any.")] = 20
    timeout_s: Annotated[float, Meta(gt=0, le=120, description="Longest time from connecting to the head of a receiver's answer.")] = 15.0
    concurrency: Annotated[
        int,
        Meta(ge=2, le=4_096, description="Deliveries at once per worker; those to endpoints that are failing use at most half of them."),
    ] = 256
    endpoint_concurrency: Annotated[int, Meta(ge=1, le=64, description="Deliveries at once to one endpoint; one while it is failing.")] = 4
    pending_max: Annotated[
        int,
        Meta(
            ge=1,
            le=1_000_000,
            description="Messages that wait for one endpoint; later ones are skipped, and a replay delivers them.",
        ),
    ] = 10_000
    replay_max: Annotated[int, Meta(ge=1, le=10_000, description="Messages of one replay.")] = 1_000
    rotation_s: Annotated[
        int, Meta(ge=0, le=604_800, description="Time for which the previous secret signs beside the new one, after a rotation.")
    ] = 86_400
    networks: Annotated[
        str,
        Meta(
            description="Comma-separated CIDRs that webhooks may reach beside public addresses, such as 10.1.0.0/16; with any, http and"
            " other ports than 443 are accepted as well. Only for receivers of your own."
        ),
    ] = ""


class MailSettings(Section, frozen=True, kw_only=True):
    """Mail, sent through an SMTP server."""

    prefix: ClassVar[str] = "CLAW_MAIL_"

    host: Annotated[str, Meta(description="SMTP server; empty: no mail is sent, and each is logged as skipped.")] = ""
    port: Annotated[Port, Meta(description="Port of the SMTP server.")] = 587
    security: Annotated[
        Literal["starttls", "tls", "none"],
        Meta(description="`starttls` encrypts after the greeting (port 587), `tls` from the first byte (port 465), `none` never."),
    ] = "starttls"
    user: Annotated[str, Meta(description="User name at the SMTP server; empty: no login.")] = ""
    password: Annotated[Secret, Meta(description="Password of the user; refused without encryption.")] = Secret()
    sender: Annotated[
        str,
        Meta(max_length=254, pattern=r"^([^@\s\x00-\x1f\x7f<>]+@[^@\s\x00-\x1f\x7f<>]+)?$(?!\n)", description="Address of the sender."),
    ] = ""
    sender_name: Annotated[str, Meta(max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$(?!\n)", description="Name of the sender.")] = "Claw"
    pages_url: Annotated[
        str,
        Meta(
            pattern=r"^(https?://[^\s/?#]+[^\s?#]*)?$(?!\n)",
            description="URL of the pages that links in mails open: `<url>/verify-email#token=…`, and so `reset-password` and `invitation`."
            " Empty: CLAW_PUBLIC_URL.",
        ),
    ] = ""
    timeout_s: Annotated[float, Meta(gt=0, le=300, description="Longest silence of the SMTP server.")] = 20.0
    concurrency: Annotated[int, Meta(ge=1, le=32, description="Mails sent at once per worker.")] = 4
