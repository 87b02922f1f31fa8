"""Replies from the log to their readers.

The log is followed once per process into a window of recent records; every reader is only a cursor: a place in the log and the fold of
its reply. A cursor inside the window reads memory; one that has fallen behind it, or whose partition is not followed here, is
served by a few pooled catch-up consumers until it reaches a window again. So a slow reader costs no memory, and any replica can serve
any reply from any place.
"""

from domain.chats.relay.frames import HEARTBEAT, PartitionOffset, ReplyFrame, event_id
from domain.chats.relay.relay import Relay

__all__ = ["HEARTBEAT", "PartitionOffset", "Relay", "ReplyFrame", "event_id"]
