"""Conversations of this process: one open reply each, also without Redis."""

from api.chats.running import RunningConversations

TALK = ("t", "c")


def test_a_local_lock_is_held_until_its_reply_ends():
    running = RunningConversations()
    assert running.acquire(TALK, "first", 60) == "first"
    assert running.acquire(TALK, "second", 60) == "first"
    assert running.holder(TALK, 60) == "first"
    running.close(TALK, "second")
    assert running.holder(TALK, 60) == "first"
    running.close(TALK, "first")
    assert running.acquire(TALK, "second", 60) == "second"


def test_a_reply_with_a_reader_is_open():
    running = RunningConversations()
    running.add_reader(TALK, "read")
    assert running.acquire(TALK, "new", 60) == "read"
    running.remove_reader(TALK, "another")
    assert running.acquire(TALK, "new", 60) == "read"
    running.remove_reader(TALK, "read")
    assert running.acquire(TALK, "new", 60) == "new"


def test_another_tenant_is_another_conversation():
    running = RunningConversations()
    running.acquire(TALK, "first", 60)
    assert running.acquire(("other", "c"), "second", 60) == "second"


def test_a_reply_is_closed_by_its_end_or_because_it_was_never_asked():
    running = RunningConversations()
    running.mark_ended("first")
    running.mark_never_asked("second")
    assert (running.has_ended("first"), running.was_never_asked("first")) == (True, False)
    assert (running.has_ended("second"), running.was_never_asked("second")) == (False, True)
    assert (running.has_ended("third"), running.was_never_asked("third")) == (False, False)
