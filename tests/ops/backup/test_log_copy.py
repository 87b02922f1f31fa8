"""What a backup of a running installation may lack, and what not."""

from domain.areas import TOPICS
from ops.backup.log_copy import clamp_offsets, effects_first
from ops.backup.manifest import CommittedOffset


def test_a_record_is_never_there_without_its_cause() -> None:
    """The ends of topics that follow from others are read before theirs: what agents alone write, then what clients write, too."""
    names = [name for name, _ in effects_first({"claw.inbox.acme.v1": 1} | {topic.name: 1 for topic in TOPICS})]
    assert len(names) == len(TOPICS) + 1
    for effect, cause in (
        ("claw.documents.embedded.v1", "claw.documents.submitted.v1"),
        ("claw.documents.progressed.v1", "claw.documents.submitted.v1"),
        ("claw.documents.submitted.v1", "claw.inbox.acme.v1"),
        ("claw.chats.answered.v1", "claw.chats.asked.v1"),
        ("claw.chats.asked.v1", "claw.knowledge.changed.v1"),
        ("claw.mails.ended.v1", "claw.mails.requested.v1"),
    ):
        assert names.index(effect) < names.index(cause), (effect, cause)


def test_no_group_is_beyond_the_end_of_a_partition() -> None:
    """A group that commits between two looks; a partition that is not in the backup."""
    given = [CommittedOffset(group="chat", topic="t", partition=n, offset=5) for n in range(3)]
    assert [(at.partition, at.offset) for at in clamp_offsets(given, {("t", 0): 9, ("t", 1): 3})] == [(0, 5), (1, 3)]
