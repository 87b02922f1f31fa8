"""The topics of requests to the index."""

from schemas import requests
from streams.topics import DAY_MS, Topic

REQUESTS_ASKED = Topic(
    "claw.requests.asked.v1",
    "request id",
    requests.RequestAsked,
    ("api", "rebuild"),
    "Questions to the index, with a deadline.",
    DAY_MS,
    readers=("lookup",),
)
REQUESTS_ANSWERED = Topic(
    "claw.requests.answered.v1",
    "request id, in the partition of the asking API replica",
    requests.RequestAnswered,
    ("lookup",),
    "Answers from the index, for the requesting process.",
    DAY_MS,
    count="replies",
    readers=("api", "rebuild"),
)
