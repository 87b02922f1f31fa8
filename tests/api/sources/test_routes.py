"""The source of a citation through the API: pages with boxes, passages with ranges, what has become of the version, and for whom."""

import asyncio
import io
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from PIL import Image

from adapters.text.quotes import QuoteMatch, find_quote
from api.chats.ports import ChatPorts
from api.core import Core
from api.documents.routes import find_submission, find_submitted
from api.sources import passages
from api.sources.ports import SourcePorts
from domain.chats.topics import CHATS_GROUNDED, MESSAGES_CHANGED
from domain.documents.sources import blob_path
from domain.documents.versions import describe_file
from domain.documents.visibility import IndexedContent, NewVersion
from schemas import ids
from schemas.chats import ChatGrounded, Grounding, LogPlace, Message, MessageChanged, Passage, Question
from schemas.documents import Locator
from streams.log.outgoing import Outgoing
from tests.support.api_people import asked, colleague, key_of, tenant_of
from tests.support.api_process import House, Person
from tests.support.index_library import Library
from tests.support.pdf_writer import Page, pdf
from tests.support.problems import is_problem
from tests.support.query_agent import working

pytestmark = pytest.mark.asyncio(loop_scope="session")

QUOTE = "The harbour lantern is lit every evening at nine and burns until the last ferry has left."
CHUNKS = ("The harbour office opens at eight.", QUOTE + " Nobody waits for it.", "Tickets are sold on board.")
FILE = pdf(
    Page().text(50, 700, CHUNKS[0]),
    Page().lines(
        50, 700, ["The harbour lantern is lit every evening", "at nine and burns until the last ferry", "has left. Nobody waits for it."]
    ),
    Page().text(50, 700, CHUNKS[2]),
)
OTHER = pdf(Page().text(50, 700, "The lantern was sold in March."))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def library(house: House, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Library]:
    async with working(house, tmp_path_factory.mktemp("index")) as at_work:
        yield at_work


class Desk:
    """Somebody's documents, indexed by hand."""

    def __init__(self, house: House, person: Person, library: Library) -> None:
        self.house, self.person, self.library, self.tenant = house, person, library, tenant_of(person)
        self.kept = 0  # replaced versions whose files are kept

    async def upload(self, document: str, data: bytes, *texts: str, shown: bool = True, **fields: str) -> int:
        """Its version; ``texts`` are its chunks, each on a page of its own."""
        sent = await self.person.call(
            "POST",
            f"/knowledge/{self.person.base}/documents/upload",
            data={"document_id": document, **fields},
            files={"file": (f"{document}.pdf", data, "application/pdf")},
        )
        assert sent.status_code == 202, sent.text
        version = int(sent.json()["version"])
        await self.dispatch(document, version)
        if shown:
            await self.show(document, version, *texts)
        return version

    async def dispatch(self, document: str, version: int) -> None:
        """As the agent does, and as the index agent does with the files that are no longer needed."""
        key, ports = key_of(self.house, self.person, document), self.house.ports(SourcePorts)
        event = await find_submitted(ports.documents, key, version)
        assert event is not None
        path = blob_path(event, version)
        new = NewVersion(key, version, path, file=describe_file(event, version, path))
        (before,) = await self.library.visibility.record_submissions([new], versions_kept=self.kept)
        for path in before.orphans if self.kept else ():
            await ports.documents.blobs.delete(path)

    async def versions(self, document: str, **query: Any) -> dict[str, Any]:
        answer = await self.person.call("GET", f"/knowledge/{self.person.base}/documents/{document}/versions", params=query)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def show(self, document: str, version: int, *texts: str) -> None:
        await self.library.store(self.tenant, self.person.base, document, version, *texts, page=1)
        key = key_of(self.house, self.person, document)
        await self.library.visibility.mark_indexed(key, version, IndexedContent(chunks=len(texts)))

    def chunk(self, document: str, version: int, ordinal: int = 1) -> str:
        return ids.chunk_id(key_of(self.house, self.person, document), version, ordinal)

    def path(self, document: str, version: int, base: str = "") -> str:
        return f"/knowledge/{base or self.person.base}/documents/{document}/versions/{version}"

    async def source(self, document: str, version: int, quote: str = QUOTE, **query: Any) -> dict[str, Any]:
        query = {"chunk": self.chunk(document, version), "quote": quote} | query
        answer = await self.person.call("GET", f"{self.path(document, version)}/source", params=query)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


@pytest_asyncio.fixture(loop_scope="session")
async def desk(house: House, ada: Person, library: Library) -> Desk:
    return Desk(house, ada, library)


def highlighted(source: dict[str, Any]) -> list[str]:
    return [passage["text"][each["start"] : each["end"]] for passage in source["passages"] for each in passage["highlights"]]


async def test_pages_with_boxes_and_their_images(desk: Desk):
    version = await desk.upload("a", FILE, *CHUNKS)
    source = await desk.source("a", version)
    assert (source["state"], source["view"], source["found"], source["visible_version"]) == ("present", "pages", 1, version)
    assert (source["page_count"], source["first_page"], [page["page"] for page in source["pages"]]) == (3, 2, [2])
    assert len(source["pages"][0]["boxes"]) == 3
    assert highlighted(source) == [QUOTE.rstrip(".")]
    path = f"{desk.path('a', version)}/pages/2"
    answer = await desk.person.call("GET", path, params={"width": 480})
    assert (answer.status_code, answer.headers["content-type"], answer.headers["cache-control"]) == (
        200,
        "image/webp",
        "private, max-age=3600",
    )
    image = Image.open(io.BytesIO(answer.content)).convert("L")
    assert image.width == 480
    for box in source["pages"][0]["boxes"]:  # there is ink where the boxes are
        left, top = box["left"] * image.width, box["top"] * image.height
        assert (
            min(image.crop((int(left), int(top), int(left + box["width"] * 480), int(top + box["height"] * image.height))).tobytes()) < 100
        )
    again = await desk.person.call("GET", path, params={"width": 480}, headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    is_problem(await desk.person.call("GET", f"{desk.path('a', version)}/pages/4"), 404, "not_found")
    is_problem(await desk.person.call("GET", path, params={"width": 481}), 422, "validation_failed")


async def test_an_image_is_made_once(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    """Whoever turns a page back gets the one that was kept."""
    version = await desk.upload("a", FILE, *CHUNKS)
    path = f"{desk.path('a', version)}/pages/1"
    first = await desk.person.call("GET", path)
    renderer = desk.house.ports(SourcePorts).renderer

    async def never(*_: object, **__: object) -> bytes:
        raise AssertionError

    monkeypatch.setattr(renderer, "render", never)
    assert (await desk.person.call("GET", path)).content == first.content


async def test_a_quote_that_is_not_there_is_not_highlighted(desk: Desk):
    """The page of the chunk is shown nevertheless."""
    version = await desk.upload("a", FILE, *CHUNKS)
    source = await desk.source("a", version, "An elephant crossed the market square on Tuesday.")
    assert (source["view"], source["first_page"], source["pages"], highlighted(source)) == ("pages", 2, [], [])
    assert source["found"] < 0.5


async def test_text_in_context_read_on_by_ordinals(desk: Desk):
    """A text has no pages; a quote may go on in the next chunk."""
    sent = await desk.person.call("PUT", f"/knowledge/{desk.person.base}/documents/t", json={"text": " ".join(CHUNKS)})
    version = sent.json()["version"]
    await desk.library.visibility.record_submission(key_of(desk.house, desk.person, "t"), version)
    texts = [f"Paragraph {n}." for n in range(8)] + list(CHUNKS) + [f"Paragraph {n}." for n in range(8, 12)]
    await desk.show("t", version, *texts)
    source = await desk.source("t", version, "Nobody waits for it. Tickets are sold", chunk=desk.chunk("t", version, 9), limit=4)
    assert (source["view"], source["no_pages"], source["found"]) == ("text", "no_pages", 1)
    assert [passage["ordinal"] for passage in source["passages"]] == [7, 8, 9, 10]
    assert highlighted(source) == ["Nobody waits for it", "Tickets are sold"]
    more = await desk.source("t", version, first=source["next"], limit=4)
    assert [passage["text"] for passage in more["passages"]] == texts[11:]
    assert (more["next"], more["previous"]) == (None, 7)
    rebuilt = await desk.source("t", version, chunk="of an earlier build")
    assert highlighted(rebuilt) == [QUOTE.rstrip(".")]


async def test_a_replaced_document_is_shown_as_it_was_read(desk: Desk):
    """Its file is another one now: the reply has the passage. Without the reply there is nothing to show."""
    old = await desk.upload("a", FILE, *CHUNKS)
    reply = await recorded(desk, "a", old)
    new = await desk.upload("a", OTHER, "The lantern was sold in March.")
    await forget_file(desk, "a", old)
    source = await desk.source("a", old, reply=reply)
    assert (source["state"], source["visible_version"], source["view"], source["no_pages"]) == ("changed", new, "text", "file_removed")
    assert (source["recorded"], highlighted(source)) == (True, [QUOTE.rstrip(".")])
    without = await desk.source("a", old)
    assert (without["passages"], without["found"]) == ([], 0)
    is_problem(await desk.person.call("GET", f"{desk.path('a', old)}/pages/1"), 404, "not_found")
    other = await colleague(desk.house, desk.person)
    await desk.person.call("PATCH", f"/knowledge/{desk.person.base}", json={"sharing": "tenant"})
    shared = await other.call("GET", f"{desk.path('a', old)}/source", params={"quote": QUOTE, "reply": reply})
    assert (shared.status_code, shared.json()["state"], shared.json()["passages"]) == (200, "changed", [])  # it is not their answer
    assert (await other.call("GET", f"{desk.path('a', new)}/source", params={"quote": "lantern"})).status_code == 200


async def test_a_quote_is_looked_for_beside_the_event_loop(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    """Letters that stand for many others make a passage long: whoever else asks does not wait for it."""
    threads = set()

    def find(*given: Any) -> QuoteMatch:
        threads.add(threading.current_thread())
        return find_quote(*given)

    monkeypatch.setattr(passages, "find_quote", find)
    old = await desk.upload("a", FILE, *CHUNKS)
    reply = await recorded(desk, "a", old)
    await desk.upload("a", OTHER, "The lantern was sold in March.")
    assert (await desk.source("a", old, reply=reply))["recorded"]
    assert threads
    assert threading.current_thread() not in threads


async def test_a_replaced_version_whose_file_is_kept_is_shown_as_pages(desk: Desk):
    """With its boxes, until enough newer ones have replaced it; the list of versions says which are kept."""
    desk.kept = 1
    old = await desk.upload("a", FILE, *CHUNKS, title="Harbour")
    reply = await recorded(desk, "a", old)
    new = await desk.upload("a", OTHER, "The lantern was sold in March.", title="Sale")
    for query, title in (({"reply": reply}, "a"), ({}, "Harbour")):  # the reply has recorded what it was called
        source = await desk.source("a", old, **query)
        assert (source["state"], source["visible_version"], source["view"], source["found"]) == ("changed", new, "pages", 1)
        assert (source["title"], source["first_page"], len(source["pages"][0]["boxes"])) == (title, 2, 3)
    whole = await desk.source("a", old, "", chunk="")
    assert (whole["view"], whole["first_page"], whole["page_count"], whole["pages"], whole["passages"]) == ("pages", 1, 3, [], [])
    assert (await desk.person.call("GET", f"{desk.path('a', old)}/pages/2")).headers["content-type"] == "image/webp"
    listed = await desk.versions("a")
    assert [(each["version"], each["state"], each["title"], each["bytes"], each["has_file"]) for each in listed["items"]] == [
        (new, "present", "Sale", len(OTHER), True),
        (old, "replaced", "Harbour", len(FILE), True),
    ]
    assert (listed["next_cursor"], listed["items"][1]["filename"], listed["items"][1]["media_type"]) == (None, "a.pdf", "application/pdf")
    assert listed["items"][0]["submitted_at"] > listed["items"][1]["submitted_at"]
    newer = await desk.upload("a", pdf(Page().text(50, 700, "It was bought again.")), shown=False)
    assert (await desk.source("a", new, "sold in March"))["state"] == "present"
    listed = await desk.versions("a")
    assert [(each["version"], each["state"]) for each in listed["items"]] == [(newer, "pending"), (new, "present")]
    gone = await desk.source("a", old, reply=reply)
    assert (gone["view"], gone["no_pages"], gone["recorded"]) == ("text", "file_removed", True)
    is_problem(await desk.person.call("GET", f"{desk.path('a', old)}/pages/3"), 404, "not_found")


async def test_versions_page_by_cursor_and_stay_behind_the_walls(desk: Desk, bob: Person):
    desk.kept = 5
    versions = [await desk.upload("a", pdf(Page().text(50, 700, f"Edition {n}."))) for n in range(3)]
    first = await desk.versions("a", limit=2)
    assert [each["version"] for each in first["items"]] == versions[:0:-1]
    rest = await desk.versions("a", limit=2, cursor=first["next_cursor"])
    assert ([each["version"] for each in rest["items"]], rest["next_cursor"]) == (versions[:1], None)
    path = f"/knowledge/{desk.person.base}/documents/a/versions"
    is_problem(await desk.person.call("GET", path, params={"cursor": "bm90IGEgdmVyc2lvbg"}), 422, "validation_failed")
    is_problem(await bob.call("GET", path), 404, "not_found")
    is_problem(await desk.person.call("GET", path.replace("/a/", "/never/")), 404, "not_found")
    await desk.library.visibility.record_withdrawal(key_of(desk.house, desk.person, "a"), versions[-1] + 1)
    is_problem(await desk.person.call("GET", path), 404, "not_found")
    is_problem(await desk.person.call("GET", f"{desk.path('a', versions[0])}/pages/1"), 404, "not_found")


async def test_an_encrypted_file_that_is_kept_stays_shut(desk: Desk):
    desk.kept = 1
    old = await desk.upload("a", pdf(Page().text(50, 700, QUOTE), user="secret"), *CHUNKS, password="secret")
    await desk.upload("a", OTHER, "The lantern was sold in March.")
    assert (await desk.source("a", old))["no_pages"] == "encrypted"


async def test_a_text_has_versions_without_files(desk: Desk):
    """The one that is there, and a newer one on its way; of replaced texts nothing is kept."""
    desk.kept = 1
    path, listed = f"/knowledge/{desk.person.base}/documents/t", []
    for n in range(3):
        version = (await desk.person.call("PUT", path, json={"text": f"Edition {n}.", "title": f"Title {n}"})).json()["version"]
        await desk.dispatch("t", version)
        if n < 2:
            await desk.show("t", version, f"Edition {n}.")
        listed.append(version)
    found = (await desk.versions("t"))["items"]
    assert [(each["version"], each["state"], each["title"], each["has_file"]) for each in found] == [
        (listed[2], "pending", "Title 2", False),
        (listed[1], "present", "Title 1", False),
    ]


async def test_the_same_file_under_a_newer_version_is_shown(desk: Desk):
    old = await desk.upload("a", FILE, *CHUNKS)
    new = await desk.upload("a", FILE, *CHUNKS, title="Another title")
    await forget_file(desk, "a", old)
    source = await desk.source("a", old)
    assert (source["state"], source["visible_version"], source["view"], source["found"]) == ("changed", new, "pages", 1)


async def test_a_deleted_document_shows_nothing(desk: Desk):
    """Whatever a reply has recorded of it."""
    version = await desk.upload("a", FILE, *CHUNKS)
    reply = await recorded(desk, "a", version)
    await desk.library.visibility.record_withdrawal(key_of(desk.house, desk.person, "a"), version + 1)
    source = await desk.source("a", version, reply=reply)
    assert (source["state"], source["passages"], source["pages"], source["title"]) == ("deleted", [], [], "")
    is_problem(await desk.person.call("GET", f"{desk.path('a', version)}/pages/1"), 404, "not_found")


async def test_an_encrypted_file_is_shown_as_text(desk: Desk):
    """Only the workers that parsed it can open it."""
    version = await desk.upload("a", pdf(Page().text(50, 700, QUOTE), user="secret"), *CHUNKS, password="secret")
    source = await desk.source("a", version)
    assert (source["view"], source["no_pages"], highlighted(source)) == ("text", "encrypted", [QUOTE.rstrip(".")])


async def test_walls(desk: Desk, bob: Person):
    """A stranger learns nothing, and nobody of a version that there never was."""
    version = await desk.upload("a", FILE, *CHUNKS)
    for path in (f"{desk.path('a', version)}/source", f"{desk.path('a', version)}/pages/1", f"{desk.path('a', version, bob.base)}/source"):
        is_problem(await bob.call("GET", path, params={"width": 480} if "pages" in path else {}), 404, "not_found")
    is_problem(await desk.person.call("GET", f"{desk.path('a', version + 10_000)}/source"), 404, "not_found")
    is_problem(await desk.person.call("GET", f"{desk.path('never', 0)}/source"), 404, "not_found")


async def test_one_account_gets_so_many_images_at_once(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    """A refusal names the limit, and when to try again."""
    version = await desk.upload("a", FILE, *CHUNKS)
    ports, going = desk.house.ports(SourcePorts), asyncio.Event()

    async def waiting(*_: object, **__: object) -> bytes:
        await going.wait()
        return b""

    monkeypatch.setattr(ports.renderer, "render", waiting)
    paths = [f"{desk.path('a', version)}/pages/{page}" for page in range(1, ports.rendering_max + 1)]
    open_ones = [asyncio.create_task(desk.person.call("GET", path)) for path in paths]
    while ports.rendering[desk.person.user["id"]] < ports.rendering_max:
        await asyncio.sleep(0.01)
    refused = await desk.person.call("GET", f"{desk.path('a', version)}/pages/99")
    is_problem(refused, 503, "overloaded")
    assert refused.headers["retry-after"]
    going.set()
    await asyncio.gather(*open_ones)
    assert not ports.rendering.total


async def forget_file(desk: Desk, document: str, version: int) -> None:
    """What the agents do with the file of a version that was replaced."""
    ports = desk.house.ports(SourcePorts)
    found = await find_submission(ports.documents, key_of(desk.house, desk.person, document), version)
    assert found is not None
    assert found.blob is not None
    await ports.documents.blobs.delete(found.blob.path)


async def recorded(desk: Desk, document: str, version: int) -> str:
    """A reply whose grounding on the log has the passage of this version."""
    core, person = desk.house.ports(Core), desk.person
    conversation = await person.conversation()
    reply = str((await asked(person, conversation))["reply_id"])
    message_id = ids.derive("question", reply)
    passage = Passage(
        marker=1,
        chunk_id=desk.chunk(document, version),
        knowledge_base_id=person.base,
        document_id=document,
        version=version,
        ordinal=1,
        title=document,
        score=1.0,
        text=CHUNKS[1],
        place=Locator(page=2),
    )
    question = Question(
        conversation_id=conversation,
        message_id=message_id,
        reply_id=reply,
        user_id=person.user["id"],
        content="When?",
        knowledge_base_ids=(person.base,),
        reply_partition=desk.house.ports(ChatPorts).relay.partition,
        asked_at=core.clock.now(),
    )
    common: dict[str, Any] = {"source": "/claw/test", "time": core.clock.now(), "tenant": desk.tenant, "traceparent": ""}
    grounding = Grounding(question=question, query="lantern", keywords=("lantern",), passages=(passage,))
    grounded = ChatGrounded(id=ids.derive("grounded", reply), subject=conversation, data=grounding, **common)
    place = await core.publisher.publish(Outgoing(CHATS_GROUNDED, grounded))
    message = Message(
        id=reply,
        conversation_id=conversation,
        user_id=person.user["id"],
        role="assistant",
        content="At nine [1]",
        created_at=core.clock.now(),
        attempt=1,
        parent_id=message_id,
        grounded=LogPlace(place.partition, place.offset),
    )
    event = MessageChanged(id=ids.derive("message", reply), subject=reply, data=message, **common)
    partition = core.publisher.partition_for(MESSAGES_CHANGED, conversation)
    await core.read_models.apply(event, await core.publisher.publish(Outgoing(MESSAGES_CHANGED, event, partition=partition)))
    return reply
