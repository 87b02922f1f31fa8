"""Sources of an answer are numbered as it cites them, wherever it is read: stream, record, export, OpenAI door."""

import asyncio
import re
from typing import Any

import openai

from claw_client import events

WISH = "[[first_ms=0&token_ms=0&tokens=16&cite=3]]"  # the model cites the third passage only, twice

NOTES = (  # different enough that none is left out as a copy of another
    "The lighthouse of Amrum is 41 metres tall and stands on a dune above the beach.",
    "Sailors ask how tall the lighthouse of Amrum is; its lamp burns 63 metres above the sea.",
    "Visitors climb the lighthouse of Amrum in summer: 172 steps lead up inside the tall red tower.",
    "In 1875 workmen finished a lighthouse for Amrum, then the only tall building far and wide.",
)


async def test_the_first_source_that_is_cited_has_the_number_one(up, client):
    for number, note in enumerate(NOTES):
        await client.submit(f"note-{number}", f"{note} {WISH}")
    for number in range(len(NOTES)):
        await client.wait_indexed(f"note-{number}")
    question, conversation = f"How tall is the lighthouse of Amrum? {WISH}", await client.create_conversation()
    async with asyncio.timeout(60), client.ask(conversation, question) as answer:
        sent = [each async for each in events(answer.content)]
    end = sent[-1]
    assert end.name == "completed"
    text = "".join(each.data["text"] for each in sent if each.name == "delta")
    cited = [each.data for each in sent if each.name == "citation"]
    assert re.findall(r"\[\d+\]", text) == ["[1]", "[1]"]
    assert [(each["marker"], each["passage"]) for each in cited] == [(1, 3), (1, 3)]
    assert (end.data["text"], end.data["citations"]) == (text, cited)
    (retrieved,) = [each.data for each in sent if each.name == "retrieved"]
    (source,) = [each for each in retrieved["passages"] if each["marker"] == 3]
    assert {each["document_id"] for each in cited} == {source["document_id"]}
    path = f"/api/v1/conversations/{conversation}"
    async with client.session.get(f"{path}/messages", headers=client.headers) as answer:
        (stored,) = [each for each in (await answer.json())["items"] if each["role"] == "assistant"]
    assert (stored["content"], stored["citations"]) == (text, cited)
    async with client.session.get(f"{path}/export?format=markdown", headers=client.headers) as answer:
        exported = await answer.text()
    assert exported.count("[^2-1]") == 3  # two markers and their note
    assert source["document_id"] in exported or source["title"] in exported
    ask: list[Any] = [{"role": "user", "content": question}]
    async with openai.AsyncOpenAI(base_url=f"{up.url}/v1", api_key=client.headers["Authorization"].removeprefix("Bearer ")) as official:
        whole = await official.chat.completions.create(model="claw", messages=ask, tools=[{"type": "function", "function": {"name": "f"}}])
    message = whole.choices[0].message
    assert message.content == text
    assert [each.url_citation.start_index for each in message.annotations or ()] == [found.start() for found in re.finditer(r"\[1\]", text)]
