"""The topics of notices, mails and webhooks."""

from schemas import notices
from streams.topics import DAY_MS, Topic

KEPT_MS = 90 * DAY_MS  # of notices
DELIVERIES_MS = 7 * DAY_MS  # longer than the retry schedule; a replay reaches this far back
MAILS_ENDED_MS = 30 * DAY_MS

NOTICES_CHANGED = Topic(
    "claw.notices.changed.v1",
    "account id and notice id",
    notices.NoticeChanged,
    ("notify", "notify_dead_letters", "api", "run_jobs"),
    "Notices to people, when they are created and when they are read.",
    KEPT_MS,
    compacted=True,  # so that those of an erased account leave before their retention ends
    tombstones=True,
    readers=("project", "notify", "api"),
)
NOTICE_PREFERENCES_CHANGED = Topic(
    "claw.notice-preferences.changed.v1",
    "account id",
    notices.NoticePreferencesChanged,
    ("api",),
    "The language of an account's notices, and the channels of each kind.",
    None,
    count="single",
    tombstones=True,
    readers=("project",),
)
MAILS_REQUESTED = Topic(
    "claw.mails.requested.v1",
    "mail id",
    notices.MailRequested,
    ("notify", "api"),
    "Mails to be sent, with their addresses; links are signed when a mail is sent.",
    7 * DAY_MS,
    private=True,
    count="single",
    readers=("send_mail", "track"),
)
MAILS_ENDED = Topic(
    "claw.mails.ended.v1",
    "mail id",
    notices.MailEnded,
    ("send_mail",),
    "What became of mails, without their addresses.",
    MAILS_ENDED_MS,
    count="single",
    readers=("project",),
)
WEBHOOKS_CHANGED = Topic(
    "claw.webhooks.changed.v1",
    "webhook id",
    notices.WebhookChanged,
    ("api", "deliver"),
    "Webhooks with their addresses and encrypted secrets.",
    None,
    private=True,
    count="single",
    tombstones=True,
    readers=("project", "notify"),
)
DELIVERIES_CHANGED = Topic(
    "claw.deliveries.changed.v1",
    "webhook id",
    notices.DeliveryChanged,
    ("notify", "api", "deliver"),
    "Messages to webhooks: what is to be sent, every attempt, and the end.",
    DELIVERIES_MS,
    private=True,
    readers=("project", "deliver"),
)
