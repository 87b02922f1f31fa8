"""The topics of conversations and replies."""

from schemas import chats, records, summaries
from streams.topics import DAY_MS, Topic

CHATS_ASKED = Topic(
    "claw.chats.asked.v1",
    "conversation id",
    chats.ChatAsked,
    ("api", "generate"),
    "Questions with bounded history.",
    30 * DAY_MS,
    readers=("retrieve", "track"),
)
CHATS_GROUNDED = Topic(
    "claw.chats.grounded.v1",
    "conversation id",
    chats.ChatGrounded,
    ("retrieve",),
    "Questions with passages and document versions.",
    30 * DAY_MS,
    readers=("generate", "track"),
)
CHATS_ANSWERED = Topic(
    "claw.chats.answered.v1",
    "reply id, in the partition of the asking API replica",
    chats.Answered,
    ("generate",),
    "The answer as it grows; the source of the event streams.",
    30 * DAY_MS,
    count="replies",
    readers=("api",),
)
MESSAGES_CHANGED = Topic(
    "claw.messages.changed.v1",
    "message id, in the partition of its conversation",
    chats.MessageChanged,
    ("generate", "api", "digest", "project"),
    "The record of every message with citations, versions, usage, timings; null once its conversation is deleted.",
    None,
    readers=("project", "notify"),
    tombstones=True,
)
DIGESTS_ASKED = Topic(
    "claw.digests.asked.v1",
    "conversation id",
    summaries.DigestAsked,
    ("generate",),
    "Branches to summarise, conversations to title.",
    DAY_MS,
    readers=("digest",),
)
CONVERSATIONS_CHANGED = Topic(
    "claw.conversations.changed.v1",
    "conversation id",
    records.ConversationChanged,
    ("api", "digest"),
    "Conversations.",
    None,
    tombstones=True,
    readers=("project",),
)
FEEDBACK_GIVEN = Topic(
    "claw.feedback.given.v1",
    "user id",
    chats.FeedbackGiven,
    ("api",),
    "What readers think of answers.",
    90 * DAY_MS,
    readers=("project", "count_statistics_feedback"),
)
