"""A completion request parsed as a question: pure. Features of OpenAI that are not supported are refused by name."""

import re
from typing import Any, cast
from uuid import UUID

import msgspec

from api.chats.standalone import StandaloneQuestion
from api.http.responses import invalid_field
from schemas import model_names
from schemas.bodies.conversations import KNOWLEDGE_BASES_MAX, ThinkingWish
from schemas.bodies.openai import ChatCompletionCreate, ChatMessage, ThinkingSwitch
from schemas.chats import Sampling, Turn
from schemas.errors import FieldError, Refused
from schemas.records import AnswerMode
from schemas.settings import Settings
from schemas.thinking import ReasoningEffort, Thinking, is_thinking_shown

SYSTEM_CHARS_MAX = 8_000  # as everywhere in this API
BASES = "metadata.knowledge_base_ids"
MODE = "metadata.mode"

# Per parameter the values without effect, and why any other is refused.
_NOT_OFFERED: dict[str, tuple[tuple[Any, ...], str]] = {
    "n": ((None, 1), "there is one answer per request"),
    "response_format": ((None, {"type": "text"}), "answers are text"),
    "logprobs": ((None, False), "log probabilities are not supported"),
    "top_logprobs": ((None, 0), "log probabilities are not supported"),
    "logit_bias": ((None, {}), "token weights are not supported"),
    "modalities": ((None, ["text"]), "answers are text"),
    "audio": ((None,), "answers are text"),
    "prediction": ((None,), "predicted outputs are not supported"),
    "web_search_options": ((None,), "the web is not searched: answers come from knowledge bases"),
    "moderation": ((None,), "moderation is not supported"),
}


# Tool choices that leave the decision to the model, which calls none.
_FREE_CHOICES = (None, "none", "auto", {"type": "none"}, {"type": "auto"})
_TOOL_ROLES = frozenset({"tool", "function"})

_UNDECIDED = frozenset({"auto", "default", ""})

_TEXT_PARTS = frozenset({"text", "input_text", "output_text", "refusal"})
_THOUGHT_PARTS = frozenset({"thinking", "redacted_thinking", "reasoning", "reasoning_text"})  # of an answer that a client sends back

IGNORED = "X-Ignored-Parameters"  # names of the request's parameters without effect
NAMES_MAX = 20  # of ignored parameters in a response
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}\Z")  # other names are left out of the header
_NOTHING = (b"null", b"[]")
_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def find_ignored(body: bytes, kind: type[msgspec.Struct] = ChatCompletionCreate) -> tuple[str, ...]:
    """The names of parameters in ``body``, a request of ``kind``, that this API does not know, and of tools, which are never called."""
    members, known = _members(body), kind.__struct_encode_fields__
    tools = {name for name in ("tools", "functions") if name in members and bytes(members[name]) not in _NOTHING}
    return tuple(name for name in members if name in tools or (name not in known and _NAME.match(name)))[:NAMES_MAX]


def parse_question(data: ChatCompletionCreate, settings: Settings) -> StandaloneQuestion:
    """Raises Refused: "model_not_found", "unsupported_parameter", "validation_failed"."""
    check_model(data.model, model_names.ALIAS, model_names.ASSISTANT_ALIAS, model_names.answering(settings))
    for name, (nothing, why) in _NOT_OFFERED.items():
        if getattr(data, name) not in nothing:
            raise _not_offered(name, why)
    _check_choice("tool_choice", data.tool_choice)
    _check_choice("function_call", data.function_call)
    asked = max((place for place, message in enumerate(data.messages) if not _is_instruction(message)), default=0)
    texts = [_text(place, message, is_question=place == asked) for place, message in enumerate(data.messages)]
    system_prompt = "\n\n".join(text for message, text in zip(data.messages, texts, strict=True) if _is_instruction(message) and text)
    if len(system_prompt) > SYSTEM_CHARS_MAX:
        raise invalid_field("messages", "has too long instructions", f"{SYSTEM_CHARS_MAX} characters of system and developer messages")
    turns = [
        Turn("assistant" if message.role == "assistant" else "user", text)
        for message, text in zip(data.messages, texts, strict=True)
        if not _is_instruction(message) and message.role not in _TOOL_ROLES
    ]
    if not turns or data.messages[asked].role != "user":
        raise invalid_field(f"messages[{asked}]", "is not the user's", "a message of the role user at the end")
    wish, mode = parse_thinking(data), parse_mode(data.metadata)
    return StandaloneQuestion(
        door="openai",
        content=turns[-1].content,
        knowledge_base_ids=parse_knowledge_base_ids(data.metadata),
        system_prompt=system_prompt,
        history=tuple(turn for turn in turns[:-1] if turn.content),
        sampling=Sampling(
            max_tokens=data.max_completion_tokens or data.max_tokens or 0,
            temperature=data.temperature,
            stop=tuple(filter(None, (data.stop,) if isinstance(data.stop, str) else data.stop or ())),
            thinking=wish.thinking,
            reasoning_effort=wish.reasoning_effort,
        ),
        with_thinking=is_thinking_shown(settings.model.show_thinking, wish.show_thinking),
        mode=mode or ("assistant" if data.model == model_names.ASSISTANT_ALIAS else None),
        mode_field=MODE if mode else "model",
    )


def parse_thinking(data: ChatCompletionCreate) -> ThinkingWish:
    """The wish in the fields of several servers: ``thinking`` (BigModel, DeepSeek), ``enable_thinking`` (DashScope),
    ``chat_template_kwargs`` (vLLM), ``think`` (Ollama), ``reasoning_effort`` (OpenAI). The first that is given in this order decides
    whether the model thinks.

    Where thinking is turned on by one of the first four it is shown, as it is there; ``include_reasoning`` decides before that.
    """
    efforts = [each for each in (data.reasoning_effort, data.think) if isinstance(each, str) and each not in _UNDECIDED]
    effort = efforts[0] if efforts else ""
    switches = (_switch_of(data.thinking), data.enable_thinking, _template_switch(data.chat_template_kwargs), _think(data.think))
    switch = next((given for given in switches if given is not None), None)
    shown = data.include_reasoning if data.include_reasoning is not None else switch or None
    if switch is None and effort:
        switch = effort != "none"
    thinking: Thinking = "auto" if switch is None else "on" if switch else "off"
    level = effort if thinking == "on" and effort != "none" else ""
    return ThinkingWish(thinking=thinking, reasoning_effort=cast("ReasoningEffort", level), show_thinking=shown)


def _switch_of(given: ThinkingSwitch | bool | None) -> bool | None:  # noqa: FBT001 - the field's own value
    if not isinstance(given, ThinkingSwitch):
        return given
    return {"enabled": True, "disabled": False}.get(given.type)


def _template_switch(kwargs: dict[str, Any] | None) -> bool | None:
    """``enable_thinking`` or ``thinking``, as the chat template of the model calls it; other arguments are ignored."""
    given = (kwargs or {}).get("enable_thinking", (kwargs or {}).get("thinking"))
    if given is not None and not isinstance(given, bool):
        raise invalid_field("chat_template_kwargs.enable_thinking", "is neither true nor false", "true or false")
    return given


def _think(given: bool | str | None) -> bool | None:  # noqa: FBT001 - the field's own value
    if not isinstance(given, str):
        return given
    return None if given in _UNDECIDED else given != "none"


def check_model(asked: str, *offered: str) -> None:
    """Refused("model_not_found") for a model that is not among ``offered``."""
    if asked not in offered:
        named = " and ".join(dict.fromkeys(offered))
        raise Refused(
            "model_not_found", f"{asked!r} is not offered here: use {named}", errors=(FieldError("model", "is not offered here", named),)
        )


def _check_choice(field: str, choice: Any) -> None:
    """Refused for a choice that requires a tool call; of tools that are only allowed the model may call none."""
    if isinstance(choice, dict) and choice.get("type") == "allowed_tools":
        allowed = choice.get("allowed_tools")
        choice = allowed.get("mode") if isinstance(allowed, dict) else choice
    if choice not in _FREE_CHOICES:
        why = "no tool is called here, so none can be required: answers come from knowledge bases"
        raise Refused("unsupported_parameter", errors=(FieldError(field, why, "none or auto"),))


def parse_mode(metadata: dict[str, Any] | None) -> AnswerMode | None:
    """The mode in ``metadata``; None when it names none."""
    given = (metadata or {}).get("mode")
    if given is None:
        return None
    try:
        mode: AnswerMode = msgspec.convert(given, AnswerMode)
    except msgspec.ValidationError:
        raise invalid_field(MODE, "is no mode", "grounded or assistant") from None
    return mode


def parse_knowledge_base_ids(metadata: dict[str, Any] | None) -> tuple[str, ...] | None:
    """The ids in ``metadata``, separated by commas or as a JSON list. None without the entry; "" for no knowledge base."""
    given = (metadata or {}).get("knowledge_base_ids")
    if given is None:
        return None
    try:
        found = msgspec.convert(_parse_list(given) if isinstance(given, str) else given, tuple[UUID, ...])
    except (msgspec.DecodeError, RecursionError):
        raise invalid_field(BASES, "cannot be read", "ids separated by commas, or a JSON list of ids") from None
    if len(found) > KNOWLEDGE_BASES_MAX:
        raise invalid_field(BASES, f"has {len(found)} ids", f"{KNOWLEDGE_BASES_MAX} ids")
    return tuple(dict.fromkeys(map(str, found)))


def _parse_list(given: str) -> Any:
    return msgspec.json.decode(given) if given.strip().startswith("[") else [each.strip() for each in given.split(",") if each.strip()]


def _is_instruction(message: ChatMessage) -> bool:
    return message.role in {"system", "developer"}


def _text(place: int, message: ChatMessage, *, is_question: bool) -> str:
    """The message's text; Refused for a question with other content.

    Pictures and the like in earlier messages, from a time with another model, are skipped; so are results of tools: the assistant's answer
    after them has what matters.
    """
    if message.role in _TOOL_ROLES:
        return ""
    if message.audio is not None and is_question:
        raise _not_offered(f"messages[{place}].audio", "only text is read")
    if not isinstance(message.content, tuple):
        return message.content or ""
    for part_place, part in enumerate(message.content):
        if is_question and part.type not in _TEXT_PARTS | _THOUGHT_PARTS:
            raise _not_offered(f"messages[{place}].content[{part_place}]", f"only parts of the type text are read, not {part.type[:64]}")
    return "".join(part.text or "" for part in message.content if part.type in _TEXT_PARTS)


def _not_offered(field: str, why: str) -> Refused:
    return Refused("unsupported_parameter", errors=(FieldError(field, why),))
