"""Chinese words: the index engine's own segmenter cuts them, so a name is never cut where BM25 does not cut it."""

from functools import cache, lru_cache
from threading import Lock

from qdrant_edge import Bm25, Bm25Config, TokenizerType

WORD_CHARS_MAX = 6  # the segmenter's dictionary has hardly any longer Chinese word
RUN_CHARS_MAX = 64  # of text without punctuation; the rest of a longer run is cut on its own
RUNS_CACHED_MAX = 4_096  # of recent questions, about 2 MB

_lock = Lock()  # the engine's object is for one thread at a time


@cache
def _engine() -> Bm25:
    return Bm25(Bm25Config(tokenizer=TokenizerType.Multilingual))


def segment(run: str) -> list[str]:
    """The words of a run of Chinese characters (folded), in order; together they are the run."""
    return [word for start in range(0, len(run), RUN_CHARS_MAX) for word in _segment(run[start : start + RUN_CHARS_MAX])]


@lru_cache(maxsize=RUNS_CACHED_MAX)
def _segment(run: str) -> tuple[str, ...]:
    """The engine tells only term ids: the words are the longest pieces that are terms of the whole run."""
    words: list[str] = []
    with _lock:
        known = set(_engine().embed_query(run).indices)
        at = 0
        while at < len(run):
            for size in range(min(WORD_CHARS_MAX, len(run) - at), 0, -1):
                terms = _engine().embed_query(run[at : at + size]).indices
                if size == 1 or (len(terms) == 1 and terms[0] in known):
                    words.append(run[at : at + size])
                    at += size
                    break
    return tuple(words)
