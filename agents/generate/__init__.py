"""The agent that answers: ``agent`` runs it, ``telling`` says what it publishes."""

from agents.generate.agent import Generate

__all__ = ["Generate"]
