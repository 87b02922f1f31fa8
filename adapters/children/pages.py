"""Page images of files, and boxes over quoted words, from children: the process that asks never opens a file itself."""

import asyncio
from collections import OrderedDict

from adapters.children import folders
from adapters.children.child import ChildDied, ChildSpec, Confinement, TaskLimits
from adapters.children.pool import ChildPool, Policy
from adapters.children.protocol import ImageResult, ImageTask, QuoteTask, TaskAnswer, TaskRefusal
from adapters.pages.highlights import QuoteOnPages
from adapters.parsing.core.programs import find_libreoffice
from adapters.parsing.core.source import Bounds, DocumentSource
from schemas.errors import Refused, Unavailable
from schemas.settings.documents import DocumentSettings

NICENESS = 5  # somebody waits, but answers go first
TASKS_PER_CHILD = 500
IDLE_S = 120.0  # a reader turns the pages of a document before that
WAITING_MAX = 32
WAIT_S = 20.0  # for a free child, and for the first one to start
RETRY_AFTER_S = 3.0
ENDED_MAX, ENDED_S = 2, 300.0  # children that one file may end within so many seconds before it is not opened for the rest of them
ENDED_FILES_MAX = 1_000  # of which that is remembered
RESIDENT_SHARE_MAX = 0.5  # of the memory limit: a child that holds more while idle is replaced


class PageRenderer:
    """``pages_processes`` children; each serves one tenant. For one event loop.

    Methods raise Refused: ``document_type_unsupported`` for a file without pages, ``password_required``, ``document_unreadable``,
    ``document_too_complex`` at a limit of the settings, ``document_crashed_parser``, ``not_found`` for a page that is not there; and
    Unavailable("overloaded") when no child is free for long.
    """

    def __init__(self, documents: DocumentSettings, *, confinement: Confinement = "auto") -> None:
        self._bounds = Bounds.of(documents)
        memory_mib, wall_s = documents.parse_memory_mib, documents.page_wall_s
        self._limits = TaskLimits(wall_s=wall_s, ocr_wall_s=wall_s, memory_kib=memory_mib * 1024)
        spec = ChildSpec(
            module="adapters.children.page_child",
            niceness=NICENESS,
            memory_mib=memory_mib,
            cpu_s=int(wall_s) + 1,
            ocr_cpu_s=int(wall_s) + 1,
            programs=bool(find_libreoffice()),  # as for parsing what it converts
            confinement=confinement,
        )
        policy = Policy(
            size=documents.page_processes,
            waiting_max=WAITING_MAX,
            wait_s_max=WAIT_S,
            tasks_max=TASKS_PER_CHILD,
            held_kib_max=int(memory_mib * 1024 * RESIDENT_SHARE_MAX),
            eager=False,
            idle_s=IDLE_S,
        )
        self._pool = ChildPool(spec, policy)
        self._ended: OrderedDict[tuple[str, str], list[float]] = OrderedDict()  # when, by tenant and SHA-256 of the file

    async def start(self) -> None:
        """The children start with the first calls."""
        await asyncio.to_thread(folders.sweep)

    async def stop(self) -> None:
        """End the children; a running call raises Unavailable."""
        await self._pool.stop()

    async def find_quote(
        self, source: DocumentSource, quote: str, *, tenant: str, context: str = "", pages: tuple[int, int] = (0, 0)
    ) -> QuoteOnPages:
        """Where the quote stands on ``pages`` (the first and the last), or anywhere. ``context``: the text around it."""
        first, last = pages
        task = QuoteTask(source=source, bounds=self._bounds, quote=quote, context=context, first=first, last=last)
        answer = await self._perform(task, tenant)
        assert isinstance(answer, QuoteOnPages)
        return answer

    async def render(self, source: DocumentSource, page: int, width: int, *, tenant: str) -> bytes:
        """An image of a page, counted from 1, at most ``width`` pixels wide: ``adapters.pages.images.MEDIA_TYPE``."""
        if not 1 <= page <= self._bounds.pages_max:
            raise Refused("not_found", f"there is no page {page}")  # no file with more pages is shown
        answer = await self._perform(ImageTask(source=source, bounds=self._bounds, page=page, width=width), tenant)
        assert isinstance(answer, ImageResult)
        return answer.data

    async def _perform(self, task: ImageTask | QuoteTask, tenant: str) -> TaskAnswer:
        file = (tenant, task.source.digest)
        self._check_file(file)
        try:
            done = await self._pool.call(task, self._limits, tenant=tenant)
        except ChildDied as died:
            self._record_end(file)
            if died.cause == "crash":
                raise Refused("document_crashed_parser", died.reason) from died
            raise Refused("document_too_complex", f"{died.reason} (CLAW_DOCUMENT_PAGE_WALL_S, CLAW_DOCUMENT_PARSE_MEMORY_MIB)") from died
        except Unavailable as error:
            raise Unavailable(error.code, error.detail, retry_after_s=RETRY_AFTER_S) from error
        if isinstance(done.answer, TaskRefusal):
            raise Refused(done.answer.code, done.answer.detail)
        return done.answer

    def _check_file(self, file: tuple[str, str]) -> None:
        """Refused for a file that has ended children lately: all readers wait for those few, and such a file takes one for as long as a
        task may take, again and again.
        """
        if len(self._recent_ends(file)) >= ENDED_MAX:
            detail = f"it has ended {ENDED_MAX} processes that make pages within {ENDED_S:g} s, and is opened again after that"
            raise Refused("document_too_complex", detail)

    def _record_end(self, file: tuple[str, str]) -> None:
        if not file[1]:
            return  # a file without a name by its content is another one each time
        self._ended[file] = [*self._recent_ends(file), asyncio.get_running_loop().time()]
        self._ended.move_to_end(file)
        if len(self._ended) > ENDED_FILES_MAX:
            self._ended.popitem(last=False)

    def _recent_ends(self, file: tuple[str, str]) -> list[float]:
        since_s = asyncio.get_running_loop().time() - ENDED_S
        return [at_s for at_s in self._ended.get(file, ()) if at_s > since_s]
