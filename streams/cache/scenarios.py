"""What is cached, as plain data."""

from dataclasses import dataclass
from typing import Literal

from schemas.settings.cache import CacheSettings

Scenario = Literal["document_content", "ai_response", "retrieval", "embeddings"]
Table = Literal["user_profile", "user_conversations", "conversation_history"]


@dataclass(frozen=True, slots=True)
class Kind:
    """``marked_by_knowledge``: an entry is tagged with the knowledge bases it was made from, and a change of their documents marks it."""

    name: Scenario
    summary: str
    marked_by_knowledge: bool = False


SCENARIOS: dict[Scenario, Kind] = {
    "document_content": Kind("document_content", "Pages of a document's chunks, by version."),
    "ai_response": Kind(
        "ai_response", "Complete answers with their citations and the document versions they rest on.", marked_by_knowledge=True
    ),
    "retrieval": Kind("retrieval", "Passages that a search found.", marked_by_knowledge=True),
    "embeddings": Kind("embeddings", "Vectors of questions, where a provider is paid for them."),
}

TABLES: dict[Table, str] = {
    "user_profile": "Accounts: a record table.",
    "user_conversations": "Conversations of a user: a record table.",
    "conversation_history": "Messages of a conversation: a record table.",
}


def life_s(settings: CacheSettings, scenario: Scenario) -> int:
    """How long an entry lives; 0: the scenario is off."""
    found: int = getattr(settings, f"{scenario}_s")
    return found
