"""The agent that answers: ``agent`` runs it, ``telling`` says what it publishes, ``kept`` says again what was answered before."""

from agents.generate.agent import WORKER_GROUP, Generate, build
from agents.generate.cached_answers import answer_cache

__all__ = ["WORKER_GROUP", "Generate", "answer_cache", "build"]
