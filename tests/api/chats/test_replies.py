"""Replies through the API."""

import pytest

from api.chats.ports import ChatPorts
from api.chats.replies import Reply, relay_reply
from api.http.identity import Caller
from tests.support.api_people import asked
from tests.support.api_process import House, Person
from tests.support.reply_speaker import Speaker

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_reply_that_nobody_keeps(house: House, ada: Person):
    """The log and the records have lost it: the stream says so and ends."""
    conversation = await ada.conversation()
    accepted = await asked(ada, conversation)
    tenant = Speaker(house, ada, conversation, accepted["reply_id"]).tenant
    reply = Reply(accepted["reply_id"], conversation, accepted["message"]["id"], None)
    caller = Caller(ada.user["id"], tenant, "user", "free")
    sent = b"".join([frame.sse() async for frame in relay_reply(house.ports(ChatPorts), caller, reply, "1.2.3")])
    assert sent.startswith(b"id: 1.2.3\nevent: failed\n")
    assert b"reply_expired" in sent
