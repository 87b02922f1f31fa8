"""Fixed replies to greetings, thanks and the like, for when no language model is there to give them."""

from adapters.models.dialogue.subjects import PLEASANTRY_CHARS_MAX, courtesy_of
from adapters.text.language import Language, fold, language_of
from adapters.text.script import follow_script
from schemas.chats import Courtesy

_REPLIES: dict[Courtesy, dict[Language, str]] = {
    "greeting": {"zh": "你好！请问有什么想了解的？", "en": "Hello! What would you like to know?"},
    "thanks": {"zh": "不客气！还有其他问题，请随时提问。", "en": "You're welcome! Feel free to ask anything else."},
    "farewell": {"zh": "再见！需要时随时回来。", "en": "Goodbye! Come back whenever you need."},
    "consent": {"zh": "好的。还有什么想了解的，请告诉我。", "en": "All right. Let me know what else you would like to know."},
    "introduction": {
        "zh": "我是知识库问答助手：根据知识库里的文档回答问题，并注明出处；文档里没有的，我会直说没有。请告诉我你想了解什么。",
        "en": (
            "I answer questions from the documents of a knowledge base and name my sources; what the documents do not contain, I say so."
            " What would you like to know?"
        ),
    },
}
_WORDLESS = "请输入你的问题。Please type your question."


def find_courtesy(question: str) -> Courtesy | None:
    """What a question is answered as when it is a greeting or the like; None when it asks something."""
    return courtesy_of(fold(question)) if len(question) <= PLEASANTRY_CHARS_MAX else None


def courtesy_reply(kind: Courtesy, question: str) -> str:
    """A short reply in the language and the characters of the question; in both languages when it has no words."""
    return _WORDLESS if kind == "wordless" else follow_script(_REPLIES[kind][language_of(question)], question)
