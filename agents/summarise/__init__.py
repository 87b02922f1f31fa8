"""The agent that summarises and titles conversations: its step (``agent``), with a model (``prompts``) or without one (``extract``)."""

from agents.summarise.agent import WORKER_GROUP, Summariser, build

__all__ = ["WORKER_GROUP", "Summariser", "build"]
