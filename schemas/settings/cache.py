"""Settings of the cache: lifetimes, sizes and numbers of entries by scenario, and waiting times."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from schemas.settings.section import Section

LIFE_S_MAX = 604_800  # a week: no entry lives longer, so a mark of an invalidation need not either

LifeS = Annotated[int, Meta(ge=0, le=LIFE_S_MAX)]


class CacheSettings(Section, frozen=True, kw_only=True):
    """Entries in Redis, by scenario. A lifetime of 0 turns a scenario off. With Redis down every lookup misses.

    Profiles, conversation lists and histories are not cached: they are read from record tables, which their events keep current.
    """

    prefix: ClassVar[str] = "CLAW_CACHE_"

    document_content_s: Annotated[LifeS, Meta(description="Scenario document_content: lifetime of a page of a document's chunks.")] = 3_600
    ai_response_s: Annotated[LifeS, Meta(description="Scenario ai_response: lifetime of an answer.")] = 86_400
    retrieval_s: Annotated[LifeS, Meta(description="Scenario retrieval: lifetime of a search result.")] = 600
    embeddings_s: Annotated[LifeS, Meta(description="Scenario embeddings: lifetime of a question's vector from a provider.")] = 86_400
    negative_s: Annotated[int, Meta(ge=0, le=86_400, description="Lifetime of an empty result, at most that of its scenario.")] = 60
    answers: Annotated[
        Literal["off", "provider", "all"],
        Meta(description="Which answers are cached: `provider` = answers of a paid provider, `all` = those of `local` too."),
    ] = "provider"
    answer_wait_s: Annotated[
        float,
        Meta(gt=0, le=60, description="Longest wait for an answer to the same question in progress; then the model is called."),
    ] = 10.0
    wait_s: Annotated[float, Meta(gt=0, le=60, description="Longest wait for any other computation in progress.")] = 5.0
    entry_bytes_max: Annotated[int, Meta(ge=1024, le=16_777_216, description="Largest entry, as stored; larger values are not cached.")] = (
        262_144
    )
    compress_bytes_min: Annotated[int, Meta(ge=64, le=16_777_216, description="Smallest value that is compressed.")] = 2_048
    entries_max: Annotated[
        int, Meta(ge=1, le=1_000_000, description="Maximum entries of one tenant and scenario; beyond it others are evicted.")
    ] = 10_000
