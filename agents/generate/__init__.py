"""The agent that answers: its step (``agent``), its events (``reply_events``), and answers given before (``cached_answers``)."""

from agents.generate.agent import WORKER_GROUP, Generate, build
from agents.generate.cached_answers import answer_cache

__all__ = ["WORKER_GROUP", "Generate", "answer_cache", "build"]
