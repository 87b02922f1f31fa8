"""What a completion request asks for, as a question: pure. What OpenAI offers and this API does not is refused by its name."""

import re
from typing import Any
from uuid import UUID

import msgspec

from api.chats.standalone import StandaloneQuestion
from api.http.responses import invalid_field
from schemas import model_names
from schemas.bodies.conversations import KNOWLEDGE_BASES_MAX
from schemas.bodies.openai import ChatCompletionCreate, ChatMessage
from schemas.chats import Sampling, Turn
from schemas.errors import FieldError, Refused
from schemas.settings import Settings

SYSTEM_CHARS_MAX = 8_000  # as everywhere in this API
BASES = "metadata.knowledge_base_ids"

# Per parameter the values that ask for nothing, and why any other is refused.
_NOT_OFFERED: dict[str, tuple[tuple[Any, ...], str]] = {
    "n": ((None, 1), "there is one answer per call"),
    "response_format": ((None, {"type": "text"}), "answers are text"),
    "logprobs": ((None, False), "log probabilities are not passed on"),
    "top_logprobs": ((None, 0), "log probabilities are not passed on"),
    "logit_bias": ((None, {}), "tokens cannot be weighted"),
    "modalities": ((None, ["text"]), "answers are text"),
    "audio": ((None,), "answers are text"),
    "prediction": ((None,), "predicted outputs are not offered"),
    "web_search_options": ((None,), "the web is not searched: answers come from knowledge bases"),
    "moderation": ((None,), "moderation is not offered"),
}


# Choices of a tool that leave it to the model, which calls none.
_FREE_CHOICES = (None, "none", "auto", {"type": "none"}, {"type": "auto"})
_TOOL_ROLES = frozenset({"tool", "function"})

IGNORED = "X-Ignored-Parameters"  # names of parameters of the request that had no effect
NAMES_MAX = 20  # of ignored parameters that a response names
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}\Z")  # others are no header's business
_NOTHING = (b"null", b"[]")
_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def ignored(body: bytes, kind: type[msgspec.Struct] = ChatCompletionCreate) -> tuple[str, ...]:
    """Names of the parameters in ``body``, a request of ``kind``, that this API does not know, and of the tools, which it never calls."""
    members, known = _members(body), kind.__struct_encode_fields__
    tools = {name for name in ("tools", "functions") if name in members and bytes(members[name]) not in _NOTHING}
    return tuple(name for name in members if name in tools or (name not in known and _NAME.match(name)))[:NAMES_MAX]


def parse_question(data: ChatCompletionCreate, settings: Settings) -> StandaloneQuestion:
    """Raises Refused: "model_not_found", "unsupported_parameter", "validation_failed"."""
    check_model(data.model, model_names.ALIAS, model_names.answering(settings))
    for name, (nothing, why) in _NOT_OFFERED.items():
        if getattr(data, name) not in nothing:
            raise _not_offered(name, why)
    _check_choice("tool_choice", data.tool_choice)
    _check_choice("function_call", data.function_call)
    texts = [_text(place, message) for place, message in enumerate(data.messages)]
    system_prompt = "\n\n".join(text for message, text in zip(data.messages, texts, strict=True) if _is_instruction(message) and text)
    if len(system_prompt) > SYSTEM_CHARS_MAX:
        raise invalid_field("messages", "has too long instructions", f"{SYSTEM_CHARS_MAX} characters of system and developer messages")
    said = [
        Turn("assistant" if message.role == "assistant" else "user", text)
        for message, text in zip(data.messages, texts, strict=True)
        if not _is_instruction(message) and message.role not in _TOOL_ROLES
    ]
    if not said or data.messages[-1].role != "user":
        raise invalid_field(f"messages[{len(data.messages) - 1}]", "is not the user's", "a message of the role user at the end")
    return StandaloneQuestion(
        door="openai",
        content=said[-1].content,
        knowledge_base_ids=parse_knowledge_base_ids(data.metadata),
        system_prompt=system_prompt,
        history=tuple(turn for turn in said[:-1] if turn.content),
        sampling=Sampling(
            max_tokens=data.max_completion_tokens or data.max_tokens or 0,
            temperature=data.temperature,
            stop=(data.stop,) if isinstance(data.stop, str) else data.stop or (),
        ),
    )


def check_model(asked: str, *offered: str) -> None:
    """Refused("model_not_found") for another one."""
    if asked not in offered:
        named = " and ".join(dict.fromkeys(offered))
        raise Refused(
            "model_not_found", f"{asked!r} is not offered here: use {named}", errors=(FieldError("model", "is not offered here", named),)
        )


def _check_choice(field: str, choice: Any) -> None:
    """Refused for a choice by which some tool has to be called; among tools that are only allowed the model may choose none."""
    if isinstance(choice, dict) and choice.get("type") == "allowed_tools":
        allowed = choice.get("allowed_tools")
        choice = allowed.get("mode") if isinstance(allowed, dict) else choice
    if choice not in _FREE_CHOICES:
        why = "no tool is called here, so none can be required: answers come from knowledge bases"
        raise Refused("unsupported_parameter", errors=(FieldError(field, why, "none or auto"),))


def parse_knowledge_base_ids(metadata: dict[str, Any] | None) -> tuple[str, ...] | None:
    """Of ``metadata``: separated by commas, or a JSON list. None when it says nothing of them; "" chooses none."""
    given = (metadata or {}).get("knowledge_base_ids")
    if given is None:
        return None
    try:
        found = msgspec.convert(_listed(given) if isinstance(given, str) else given, tuple[UUID, ...])
    except (msgspec.DecodeError, RecursionError):
        raise invalid_field(BASES, "cannot be read", "ids separated by commas, or a JSON list of ids") from None
    if len(found) > KNOWLEDGE_BASES_MAX:
        raise invalid_field(BASES, f"has {len(found)} ids", f"{KNOWLEDGE_BASES_MAX} ids")
    return tuple(dict.fromkeys(map(str, found)))


def _listed(given: str) -> Any:
    return msgspec.json.decode(given) if given.strip().startswith("[") else [each.strip() for each in given.split(",") if each.strip()]


def _is_instruction(message: ChatMessage) -> bool:
    return message.role in {"system", "developer"}


def _text(place: int, message: ChatMessage) -> str:
    """The message's text; Refused for what is none. What a tool said is not read: an assistant's answer after it says what matters."""
    if message.role in _TOOL_ROLES:
        return ""
    if message.audio is not None:
        raise _not_offered(f"messages[{place}].audio", "only text is read")
    if not isinstance(message.content, tuple):
        return message.content or ""
    for part_place, part in enumerate(message.content):
        if part.type not in {"text", "refusal"}:
            raise _not_offered(f"messages[{place}].content[{part_place}]", f"only parts of the type text are read, not {part.type[:64]}")
    return "".join(part.text for part in message.content)


def _not_offered(field: str, why: str) -> Refused:
    return Refused("unsupported_parameter", errors=(FieldError(field, why),))
