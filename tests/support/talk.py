"""One conversation through the API, with its branches."""

import uuid
from typing import Any

from api.core import Core
from domain.chats.topics import CHATS_ASKED
from schemas.chats import Message, MessageChanged, Question
from streams.log.outgoing import LogOffset
from tests.support.api_process import House, Person
from tests.support.reply_speaker import TRACE, Speaker, all_events


class Talk:
    """One conversation and what was asked in it."""

    def __init__(self, house: House, person: Person, conversation: str) -> None:
        self.house, self.person, self.id, self.asked = house, person, conversation, 0

    async def post(self, path: str, **body: Any) -> Any:
        return await self.person.call("POST", f"/conversations/{self.id}/{path}", json=body or None)

    async def ask(self, path: str = "messages", reply: str = "", **body: Any) -> tuple[dict[str, Any], Question]:
        """Ask and answer; the accepted body, and the question as it lies on the log."""
        answer = await self.post(path, **body)
        assert answer.status_code == 202, answer.text
        self.asked += 1
        accepted = answer.json()
        await Speaker(self.house, self.person, self.id, accepted["reply_id"]).answer(reply or f"to {body.get('content')}")
        question = (await all_events(self.house.settings, CHATS_ASKED, self.id, self.asked))[-1].data
        return accepted, question

    async def messages(self, **params: Any) -> dict[str, Any]:
        return dict((await self.person.call("GET", f"/conversations/{self.id}/messages", params=params)).json())


async def store(ports: Any, tenant: str, talk: Talk, count: int, *, linked: bool = True) -> list[str]:
    """So many messages in one branch, as the projection writes them."""
    ids = [str(uuid.uuid4()) for _ in range(count)]
    events = []
    for number, ident in enumerate(ids):
        above = tuple(ids[max(0, number - 20) : number]) if linked else ()
        answer = number % 2 == 1
        data = Message(
            id=ident,
            conversation_id=talk.id,
            user_id=talk.person.user["id"],
            role="assistant" if answer else "user",
            content=str(number),
            created_at=ports(Core).clock.now(),
            parent_id=ids[number - 1] if number and (linked or answer) else "",
            ancestors=above,
        )
        event = MessageChanged(
            id=ident, source="/claw/test", subject=ident, time=data.created_at, tenant=tenant, traceparent=TRACE, data=data
        )
        events.append((event, LogOffset("t", 0, number)))
    await ports(Core).read_models.apply_many(events)
    return ids
