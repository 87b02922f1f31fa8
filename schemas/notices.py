"""Notices to people, the mails and webhook deliveries that carry them, and who wants which."""

from datetime import datetime
from typing import Literal

from msgspec import Struct, field

from schemas.events import Event

Language = Literal["zh", "en"]
NoticeKind = Literal[
    "document.indexed",
    "document.failed",
    "quota.nearly_used",
    "budget.nearly_spent",
    "webhook.disabled",
    "dead_letter",
    "config.stage_ended",
    "health_check.failed",
]
Channel = Literal["in_app", "mail"]
MailTemplate = Literal["verify_email", "reset_password", "invitation", "notice"]
LinkPurpose = Literal["verify_email", "reset_password", "invitation"]
MailOutcome = Literal["sent", "failed", "skipped"]
WebhookEventType = Literal["document.indexed", "document.failed", "reply.completed", "notice.created", "webhook.test"]
DisabledReason = Literal["", "owner", "failing", "gone"]
DeliveryState = Literal["pending", "delivered", "failed", "skipped"]


class Notice(Struct, frozen=True, kw_only=True):
    """Something a person should know. Its text is made from ``kind`` and ``fields`` in the reader's language; ``channels`` are those that
    the reader had chosen when it was created.

    ``id`` follows from the cause and the recipient: an event that is read again makes no second notice.
    """

    id: str
    tenant: str
    account_id: str
    kind: NoticeKind
    channels: tuple[Channel, ...] = ("in_app",)
    fields: dict[str, str] = field(default_factory=dict)
    created_at: datetime
    read_at: datetime | None = None


class NoticePreferences(Struct, frozen=True, kw_only=True):
    """``channels`` has the kinds whose channels differ from the default. ``id`` is the account's. ``language`` None: that of the request,
    and English in mails.
    """

    id: str
    tenant: str
    language: Language | None = None
    channels: dict[str, tuple[Channel, ...]] = field(default_factory=dict)
    revision: int = 1


class LinkRequest(Struct, frozen=True, kw_only=True):
    """The link that a mail is to have, without its signature: the sender of the mail signs it, so no secret stands on the log.

    ``subject`` is whom it is for, ``binding`` what ends it when it changes.
    """

    purpose: LinkPurpose
    subject: str
    binding: str = ""
    expires_at: datetime


class MailRequest(Struct, frozen=True, kw_only=True):
    """A mail to one address. ``id`` follows from its cause; a mail is sent once per id, as far as SMTP allows. ``account_id`` "": the
    address has no account yet.
    """

    id: str
    tenant: str
    account_id: str = ""
    address: str
    template: MailTemplate
    language: Language = "en"
    fields: dict[str, str] = field(default_factory=dict)
    link: LinkRequest | None = None


class MailResult(Struct, frozen=True, kw_only=True):
    """What became of a mail. ``skipped``: no mail server is set, or its link had expired. ``detail``: the server's last answer."""

    id: str
    tenant: str
    account_id: str = ""
    template: MailTemplate
    outcome: MailOutcome
    tries: int = 0
    detail: str = ""
    ended_at: datetime


class Webhook(Struct, frozen=True, kw_only=True):
    """An endpoint of an account. ``event_types`` empty: all. The secrets are encrypted with the id as context.

    ``previous_secret`` signs as well until ``previous_until``. ``failing_since``: of the first failure after the last success.
    """

    id: str
    tenant: str
    account_id: str
    url: str
    description: str = ""
    event_types: tuple[WebhookEventType, ...] = ()
    sealed_secret: str
    previous_secret: str = ""
    previous_until: datetime | None = None
    disabled: DisabledReason = ""
    failing_since: datetime | None = None
    created_at: datetime
    updated_at: datetime
    deleted: bool = False
    revision: int = 1

    def wants(self, event_type: WebhookEventType) -> bool:
        """Whether its owner asked for events of this type."""
        return not self.event_types or event_type in self.event_types


class EndpointAnswer(Struct, frozen=True, kw_only=True):
    """How an endpoint answered: ``status`` 0 when it did not, and ``error`` then says why. ``text`` is the beginning of the body."""

    status: int = 0
    retry_after_s: float = 0.0
    error: str = ""
    text: str = ""

    @property
    def is_accepted(self) -> bool:
        """Whether the message has arrived."""
        return 200 <= self.status < 300  # noqa: PLR2004


class DeliveryAttempt(Struct, frozen=True, kw_only=True):
    """One request. ``status`` 0: there was no answer, and ``error`` says why. ``answer``: the beginning of the body."""

    at: datetime
    status: int = 0
    duration_ms: int = 0
    error: str = ""
    answer: str = ""


class WebhookDelivery(Struct, frozen=True, kw_only=True):
    """A message on its way to one endpoint. ``id`` is its ``webhook-id``, also when it is repeated or replayed.

    ``payload`` is the body as it is signed. ``tries`` counts since it was asked for, or replayed the ``replays``-th time; ``attempts`` has
    the newest. ``skipped``: the endpoint was off, and a replay can deliver it. ``account_id``: the owner of the endpoint, "" on the log of
    before it was there.
    """

    id: str
    webhook_id: str
    tenant: str
    account_id: str = ""
    type: WebhookEventType
    payload: str
    state: DeliveryState = "pending"
    tries: int = 0
    replays: int = 0
    attempts: tuple[DeliveryAttempt, ...] = ()
    created_at: datetime
    next_at: datetime | None = None
    ended_at: datetime | None = None


class NoticeChanged(Event, tag="claw.notice.changed.v1", frozen=True, kw_only=True):
    """Subject: notice id. Key: ``account id/notice id``. A notice was created, or read."""

    data: Notice


class NoticePreferencesChanged(Event, tag="claw.notice_preferences.changed.v1", frozen=True, kw_only=True):
    """Subject and key: account id."""

    data: NoticePreferences


class MailRequested(Event, tag="claw.mail.requested.v1", frozen=True, kw_only=True):
    """Subject and key: mail id."""

    data: MailRequest


class MailEnded(Event, tag="claw.mail.ended.v1", frozen=True, kw_only=True):
    """Subject and key: mail id."""

    data: MailResult


class WebhookChanged(Event, tag="claw.webhook.changed.v1", frozen=True, kw_only=True):
    """Subject and key: webhook id."""

    data: Webhook


class DeliveryChanged(Event, tag="claw.delivery.changed.v1", frozen=True, kw_only=True):
    """Subject: delivery id. Key: webhook id, so that the deliveries of an endpoint lie in one partition."""

    data: WebhookDelivery
