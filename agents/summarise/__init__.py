"""The agent that summarises and names conversations: ``agent`` runs it, ``wording`` asks a model, ``extract`` does without one."""

from agents.summarise.agent import Summariser

__all__ = ["Summariser"]
