"""The area of retrieval: requests to the index."""

from domain.area import Area
from domain.config_keys import at_most, config_keys
from domain.retrieval.topics import REQUESTS_ANSWERED, REQUESTS_ASKED
from schemas.settings import RetrievalSettings

(PASSAGES,) = config_keys(RetrievalSettings, "passages", by_tenant=True)
CANDIDATES, *OTHERS = config_keys(RetrievalSettings, "candidates", "context_tokens", "meaning_min", "meaning_weight", "rerank_timeout_s")

AREA = Area(
    name="retrieval",
    topics=(REQUESTS_ASKED, REQUESTS_ANSWERED),
    configs=(PASSAGES, CANDIDATES, *OTHERS),
    config_rules=(at_most(PASSAGES, CANDIDATES),),
)
