"""The agent that summarises and names conversations: ``agent`` runs it, ``wording`` asks a model, ``extract`` does without one."""

from agents.summarise.agent import WORKER_GROUP, Summariser, build

__all__ = ["WORKER_GROUP", "Summariser", "build"]
