"""``python -m benchmarks.parsers FOLDER``: the parsers of this project and those of ``unstructured`` on the same files, by format.

FOLDER has a ``manifest.jsonl`` as ``claw eval documents`` reads it. Without one the samples of every format are written anew, whose values
and structure are known. Each file is parsed in a process of its own with limits; a phrase counts as found when it comes out, white space
aside. ``unstructured`` gets the file as it is, its type by its name, and no model from the network.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path

from adapters.parsing.core.source import Bounds, DocumentSource
from benchmarks.parser_samples import write_samples
from ops.evaluation.cases import MANIFEST, Case, cases_of
from schemas.settings.documents import DocumentSettings

SECONDS_MAX = 60
MEMORY_MAX = 4 * 1024**3
KINDS = ("heading", "table", "list", "code")


@dataclass(frozen=True, slots=True)
class Parsed:
    """What came out of one file; ``counts`` of structure by kind. ``seconds`` are CPU time, of ours with what it loads on the way."""

    text: str = ""
    counts: tuple[int, ...] = (0, 0, 0, 0)
    seconds: float = 0.0
    load_seconds: float = 0.0
    peak_mib: int = 0
    error: str = ""


def main() -> int:
    """Prints a line per file and a table by format."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder", nargs="?", type=Path)
    arguments.add_argument("--one", nargs=3, metavar=("PARSER", "FILE", "PASSWORD"), help=argparse.SUPPRESS)
    chosen = arguments.parse_args()
    if chosen.one:
        print(json.dumps(asdict(PARSERS[chosen.one[0]](Path(chosen.one[1]), chosen.one[2]))))
        return 0
    if chosen.folder:
        compare(cases_of(chosen.folder))
    else:
        with tempfile.TemporaryDirectory() as folder:
            write_samples(Path(folder), MANIFEST)
            compare(cases_of(Path(folder)))
    return 0


def compare(cases: list[Case]) -> None:
    """Every case whose phrases must come out, by both."""
    sums: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0] * 5)
    for case in cases:
        if case.expect not in ("text", "password") or not case.phrases:
            continue
        for parser in PARSERS:
            parsed = in_process(parser, case)
            text = "".join(parsed.text.split())
            missing = [phrase for phrase in case.phrases if "".join(phrase.split()) not in text]
            found = len(case.phrases) - len(missing)
            said = parsed.error or ", ".join(f"{count} {kind}" for kind, count in zip(KINDS, parsed.counts, strict=True) if count)
            print(f"{case.path.name:<40} {parser:<13} {found}/{len(case.phrases)}  {parsed.seconds:6.2f} s {parsed.peak_mib:5} MiB  {said}")
            for phrase in missing:
                print(f"{'':<55} missing {phrase[:60]!r}")
            total = sums[case.path.suffix.lstrip("."), parser]
            measured: tuple[float, ...] = (found, len(case.phrases), parsed.seconds, parsed.peak_mib, parsed.load_seconds)
            for index, value in enumerate(measured):
                total[index] = max(total[index], value) if index >= 3 else total[index] + value
    print("\n| format | parser | values found | CPU seconds | peak MiB | CPU seconds to load |\n|---|---|---|---|---|---|")
    for (suffix, parser), (values, wanted, seconds, peak, load) in sorted(sums.items()):
        print(f"| {suffix} | {parser} | {values:.0f} of {wanted:.0f} | {seconds:.2f} | {peak:.0f} | {load:.1f} |")


def in_process(parser: str, case: Case) -> Parsed:
    """The outcome in a process with limits on time and memory."""
    command = [sys.executable, "-m", "benchmarks.parsers", "--one", parser, str(case.path.absolute()), case.password]
    try:
        done = subprocess.run(command, capture_output=True, timeout=SECONDS_MAX, check=False, text=True)
    except subprocess.TimeoutExpired:
        return Parsed(error=f"more than {SECONDS_MAX} s", seconds=SECONDS_MAX)
    if done.returncode:
        return Parsed(error=(done.stderr.strip().splitlines() or ["?"])[-1][:150])
    return Parsed(**json.loads(done.stdout.splitlines()[-1]))


def parse_ours(path: Path, password: str) -> Parsed:
    """By the parsers of this project, as a child calls them."""
    began = _cpu_s()
    from adapters.parsing import parse  # noqa: PLC0415 - the time to load is measured

    loaded = _cpu_s()
    parsed = parse(DocumentSource(path=str(path), filename=path.name, password=password), Bounds.of(DocumentSettings()))
    kinds = [block.kind for block in parsed.blocks]
    return _measured(parsed.title + "\n" + parsed.text, tuple(kinds.count(kind) for kind in KINDS), began, loaded)  # type: ignore[arg-type]


def parse_unstructured(path: Path, password: str) -> Parsed:
    """By ``unstructured.partition.auto``, with everything it keeps of an element: text, table and what it puts into metadata."""
    began = _cpu_s()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX, MEMORY_MAX))
    from adapters.parsing.elements.offline import load_partitioner  # noqa: PLC0415 - as above

    partition = load_partitioner("auto", "partition")
    loaded = _cpu_s()
    more = {"password": password} if password else {}
    elements = partition(filename=str(path), languages=["eng"], **more)
    texts = [element.text for element in elements]
    for element in elements[:1]:  # of mail, what the header lines say
        held = element.metadata
        for name in ("subject", "sent_from", "sent_to", "cc_recipient"):
            value = getattr(held, name, None)
            texts.append(" ".join(value) if isinstance(value, list) else value or "")
    kinds = [element.category for element in elements]
    counts = (
        sum(element.category == "Title" and element.metadata.category_depth is not None for element in elements),
        *(kinds.count(kind) for kind in ("Table", "ListItem", "CodeSnippet")),
    )
    return _measured("\n".join(texts), counts, began, loaded)


def _cpu_s() -> float:
    """CPU time of this process and of the programs it has run: other load on the machine does not count."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime


def _measured(text: str, counts: tuple[int, ...], began: float, loaded: float) -> Parsed:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss + resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return Parsed(text, counts, _cpu_s() - loaded, loaded - began, peak // 1024)


PARSERS = {"ours": parse_ours, "unstructured": parse_unstructured}

if __name__ == "__main__":
    sys.exit(main())
