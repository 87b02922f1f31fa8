"""The area of retrieval: requests to the index."""

from domain.area import Area
from domain.retrieval.topics import REQUESTS_ANSWERED, REQUESTS_ASKED

AREA = Area(name="retrieval", topics=(REQUESTS_ASKED, REQUESTS_ANSWERED))
