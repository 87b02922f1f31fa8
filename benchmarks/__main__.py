"""``python -m benchmarks [NAME ...]``: one JSON line per figure; docs/benchmarks.md keeps the newest of each."""

import sys

import uvloop

from benchmarks import (
    adapters,
    before,
    book,
    bulk,
    cache,
    chat,
    configs,
    conversations,
    documents,
    fairness,
    idle,
    limiter,
    pages,
    rerank,
    sheet,
    start,
    statistics,
    streams,
    tables,
    tasks,
    trace,
    updates,
)
from benchmarks.figures import save_figures, show

ALL = {
    "start": start.run,
    "chat": chat.run,
    "adapters": adapters.run,
    "conversations": conversations.run,
    "streams": streams.run,
    "trace": trace.run,
    "documents": documents.run,
    "updates": updates.run,
    "bulk": bulk.run,
    "book": book.run,
    "fairness": fairness.run,
    "idle": idle.run,
    "limiter": limiter.run,
    "cache": cache.run,
    "configs": configs.run,
    "tables": tables.run,
    "statistics": statistics.run,
    "tasks": tasks.run,
    "before": before.run,
    "sheet": sheet.run,
    "rerank": rerank.run,
    "pages": pages.run,
}


def main() -> int:
    """Exit status 2 for a name that is not a benchmark."""
    names = sys.argv[1:] or list(ALL)
    if unknown := [name for name in names if name not in ALL]:
        print(f"no benchmark {', '.join(unknown)}: there are {', '.join(ALL)}", file=sys.stderr)
        return 2
    for name in names:
        figures = uvloop.run(ALL[name]())
        for figure in figures:
            show(figure)
        if figures:
            save_figures(name, figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
