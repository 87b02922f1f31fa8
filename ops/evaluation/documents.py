"""``claw eval documents DIR``: parses every file in the child processes of the worker group ``documents`` and checks the outcome.

A file is wrong when its phrases do not come out, when it fails without a name or against its manifest, when it takes longer than 30 s or
more than 1 GiB, or when the worker does not serve a note and a page right after it.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import msgspec
import uvloop
from msgspec import Struct

from adapters.children.worker import ParsedDocument, ParseUsage, TextWorker
from adapters.parsing.core.source import DocumentSource
from adapters.parsing.pdf.ocr import find_engine
from ops.evaluation.cases import Case, cases_of
from ops.processes import logs
from schemas.documents import Shelf
from schemas.errors import ClawError, Problem
from schemas.settings import Settings

SECONDS_MAX = 30.0
PEAK_MIB_MAX = 1024
UNNAMED = "internal_error"
ALIVE_S_MAX = 60.0  # for a note after a file; a child may have to start first
NOTE = "The worker is alive."
PHRASE_CHARS_SHOWN = 40
NAME_CHARS = 44


class FileVerdict(Struct, frozen=True, kw_only=True):
    """The outcome of one file. ``got`` is text, partial, or the code of an error; ``wrong`` is empty when that is right."""

    file: str
    category: str
    expected: str
    got: str
    detail: str
    seconds: float
    peak_mib: int
    wrong: str


class DocumentsReport(Struct, frozen=True, kw_only=True):
    """The report on all files. ``right`` and ``files`` are counts by category."""

    verdicts: list[FileVerdict]
    right: dict[str, int]
    files: dict[str, int]
    ocr: str  # the engine that read pictures; empty without one


def run(settings: Settings, folder: str, *, as_json: bool) -> int:
    """Prints a table, or JSON; returns 1 when a file is wrong. Raises ConfigurationError for a folder that cannot be used."""
    logs.configure(msgspec.structs.replace(settings.node, log_level="error"), "eval")  # the table is the output
    cases = cases_of(Path(folder))
    report = uvloop.run(evaluate(settings, cases, show=not as_json))
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(report)).decode())
    else:
        for category, files in report.files.items():
            print(f"{category}: {report.right[category]} of {files} right")
        print(f"pictures are read by {report.ocr}" if report.ocr else "pictures are not read: there is no engine")
    return int(any(verdict.wrong for verdict in report.verdicts))


async def evaluate(settings: Settings, cases: Iterable[Case], *, show: bool = False) -> DocumentsReport:
    """Every case in turn, alone."""
    efforts: list[ParseUsage] = []
    worker = TextWorker(settings.retrieval, settings.documents, confinement=settings.parsers.confinement, observe=efforts.append)
    ocr = find_engine(settings.documents.ocr, settings.documents.ocr_languages)
    verdicts: list[FileVerdict] = []
    await worker.start()
    try:
        if show:
            print(_line("file", "expected", "got", "seconds", "MiB", "verdict"))
        for case in cases:
            efforts.clear()
            verdict = await _try_case(worker, case, efforts, ocr=ocr)
            verdicts.append(verdict)
            if show:
                print(_format_verdict(verdict), flush=True)
    finally:
        await worker.stop()
    files = Counter(verdict.category for verdict in verdicts)
    right = Counter(verdict.category for verdict in verdicts if not verdict.wrong)
    return DocumentsReport(verdicts=verdicts, files=dict(files), right={name: right[name] for name in files}, ocr=ocr)


async def _try_case(worker: TextWorker, case: Case, efforts: list[ParseUsage], *, ocr: str) -> FileVerdict:
    began = time.monotonic()
    source = DocumentSource(path=str(case.path.absolute()), filename=case.path.name, password=case.password)
    got: ParsedDocument | Problem
    try:
        got = await worker.parse(source, title="", lane="express", shelf=Shelf())
    except ClawError as error:
        got = error.problem()
    seconds = time.monotonic() - began
    peak_mib = max((effort.peak_kib for effort in efforts), default=0) // 1024
    notes = () if isinstance(got, Problem) else got.notes
    return FileVerdict(
        file=case.path.name,
        category=case.category,
        expected=_expectation(case, ocr=ocr),
        got=got.code if isinstance(got, Problem) else "partial" if notes else "text",
        detail=got.detail if isinstance(got, Problem) else "; ".join(f"{note.code}: {note.detail}" for note in notes),
        seconds=round(seconds, 2),
        peak_mib=peak_mib,
        wrong=find_fault(case, got, ocr=ocr) or _resource_fault(seconds, peak_mib) or await _liveness_fault(worker),
    )


def find_fault(case: Case, got: ParsedDocument | Problem, *, ocr: str) -> str:
    """The error in an outcome; empty when it is as expected."""
    if isinstance(got, Problem):
        if got.code == UNNAMED:
            return f"a failure without a name: {got.detail}"
        accepted = {
            "text": (),
            "password": (),
            "ocr_text": () if ocr else ("ocr_required",),
            "password_required": ("password_required",),
        }.get(case.expect)
        return "" if accepted is None or got.code in accepted else f"{got.code} instead of {_expectation(case, ocr=ocr)}"
    if case.expect == "password_required":
        return "text came out of an encrypted file without its password"
    missing = missing_phrases(case, got)
    if missing and case.expect in {"text", "ocr_text", "password"}:
        return f"missing: {', '.join(repr(phrase[:PHRASE_CHARS_SHOWN]) for phrase in missing)}"
    if case.expect == "reject_or_partial" and not got.notes and (missing or not case.phrases):
        return "the text does not say that it is partial"
    return ""


def missing_phrases(case: Case, outcome: ParsedDocument) -> list[str]:
    """Phrases that are not in the text, white space aside."""
    text = _squeeze("".join((outcome.title, *(chunk.text[chunk.overlap :] for chunk in outcome.chunks))))
    return [phrase for phrase in case.phrases if _squeeze(phrase) not in text]


def _squeeze(text: str) -> str:
    return "".join(text.split())


def _resource_fault(seconds: float, peak_mib: int) -> str:
    if seconds > SECONDS_MAX:
        return f"more than {SECONDS_MAX:g} s"
    return f"more than {PEAK_MIB_MAX:,} MiB" if peak_mib > PEAK_MIB_MAX else ""


async def _liveness_fault(worker: TextWorker) -> str:
    """The error when the worker does not serve people and files after a case; empty when it does."""
    try:
        async with asyncio.timeout(ALIVE_S_MAX):
            for source in (
                DocumentSource(media_type="text/plain", text=NOTE),
                DocumentSource(media_type="text/html", text=f"<p>{NOTE}</p>"),
            ):
                await worker.parse(source, title="", lane="express", shelf=Shelf())
    except (TimeoutError, ClawError) as error:
        return f"the worker did not serve a note afterwards: {error!r}"
    return ""


def _expectation(case: Case, *, ocr: str) -> str:
    return {
        "text": "text",
        "ocr_text": "text" if ocr else "ocr_required",
        "password_required": "password_required",
        "password": "text",
        "reject_or_partial": "error or partial",
        "hostile": "error or text",
    }[case.expect]


def _format_verdict(verdict: FileVerdict) -> str:
    peak = f"{verdict.peak_mib:,}" if verdict.peak_mib else "-"
    line = _line(
        verdict.file, verdict.expected, verdict.got, f"{verdict.seconds:.2f}", peak, f"WRONG: {verdict.wrong}" if verdict.wrong else "ok"
    )
    return f"{line}  {verdict.detail}".rstrip() if verdict.detail else line


def _line(file: str, expected: str, got: str, seconds: str, peak: str, verdict: str) -> str:
    return f"{file[:NAME_CHARS]:<{NAME_CHARS}}  {expected:<17}  {got:<25}  {seconds:>7}  {peak:>6}  {verdict}"
