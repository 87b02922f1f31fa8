"""The mode of an answer: whether it must rest on documents, or the model may answer as an assistant."""

from api.http.identity import Caller
from schemas.errors import FieldError, Refused
from schemas.records import AnswerMode

FIELD = "mode"


def choose_mode(caller: Caller, *wanted: AnswerMode | None, field: str = FIELD) -> AnswerMode:
    """The first that is named, else that of the caller's API key, else ``grounded``. Refused("forbidden") for ``assistant`` with a key that
    is bound to ``grounded``.
    """
    named = [each for each in (*wanted, caller.mode) if each is not None]
    mode: AnswerMode = named[0] if named else "grounded"
    if mode == "assistant" and caller.mode == "grounded":
        why = "this API key answers from documents only: ask with the mode grounded, or use a key without a mode"
        raise Refused("forbidden", why, errors=(FieldError(field, why, "grounded"),))
    return mode
