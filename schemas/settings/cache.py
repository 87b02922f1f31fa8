"""Settings of the cache: how long each scenario keeps what it knows, how much of it, and for how long anybody waits for somebody else."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from schemas.settings.section import Section

LIFE_S_MAX = 604_800  # a week: no entry lives longer, so a mark of an invalidation need not either

LifeS = Annotated[int, Meta(ge=0, le=LIFE_S_MAX)]


class CacheSettings(Section, frozen=True, kw_only=True):
    """Entries in Redis, by scenario. A life of 0 turns a scenario off. With Redis down every look is a miss.

    Profiles, conversation lists and histories have no life here: record tables answer them, kept true by their events (streams/cache).
    """

    prefix: ClassVar[str] = "CLAW_CACHE_"

    document_content_s: Annotated[LifeS, Meta(description="Scenario document_content: life of a page of a document's chunks.")] = 3_600
    ai_response_s: Annotated[LifeS, Meta(description="Scenario ai_response: life of an answer.")] = 86_400
    retrieval_s: Annotated[LifeS, Meta(description="Scenario retrieval: life of what a search found.")] = 600
    embeddings_s: Annotated[LifeS, Meta(description="Scenario embeddings: life of a question's vector from a provider.")] = 86_400
    negative_s: Annotated[
        int, Meta(ge=0, le=86_400, description="Life of the knowledge that there is nothing, at most its scenario's.")
    ] = 60
    answers: Annotated[
        Literal["off", "provider", "all"],
        Meta(description="Whose answers are kept: `provider` keeps what was paid for, `all` also what `local` quotes."),
    ] = "provider"
    answer_wait_s: Annotated[
        float,
        Meta(gt=0, le=60, description="A question that somebody else is just asking waits this long for that answer, then asks itself."),
    ] = 10.0
    wait_s: Annotated[float, Meta(gt=0, le=60, description="The same for everything else that is computed.")] = 5.0
    entry_bytes_max: Annotated[int, Meta(ge=1024, le=16_777_216, description="Largest entry, as stored; a larger value is not kept.")] = (
        262_144
    )
    compress_bytes_min: Annotated[int, Meta(ge=64, le=16_777_216, description="Values from this size on are compressed.")] = 2_048
    entries_max: Annotated[
        int, Meta(ge=1, le=1_000_000, description="Entries of one tenant and scenario; one more takes another's place.")
    ] = 10_000
