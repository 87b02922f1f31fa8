"""Greetings, thanks and questions about who answers: what is one, and what is not."""

import pytest

from adapters.models.dialogue.courtesies import courtesy_reply, find_courtesy
from adapters.models.dialogue.subjects import PLEASANTRY_CHARS_MAX
from adapters.text.language import language_of
from adapters.text.script import follow_script
from schemas.chats import Courtesy


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("你好", "greeting"),
        ("您好！", "greeting"),
        ("早上好，在吗？", "greeting"),
        ("Hi there!", "greeting"),
        ("Good morning", "greeting"),
        ("谢谢", "thanks"),
        ("好的，非常感谢！", "thanks"),
        ("謝謝", "thanks"),
        ("Thanks a lot!", "thanks"),
        ("ok thank you", "thanks"),
        ("再见", "farewell"),
        ("Bye!", "farewell"),
        ("好的", "consent"),
        ("OK", "consent"),
        ("你是谁？", "introduction"),
        ("你好，你是谁？", "introduction"),
        ("你能做什么？", "introduction"),
        ("您可以帮我做什么呢", "introduction"),
        ("你有什么功能？", "introduction"),
        ("請介紹一下你自己", "introduction"),
        ("Who are you?", "introduction"),
        ("Hello, what can you do?", "introduction"),
        ("What's your name?", "introduction"),
        ("？？？", "wordless"),
        ("👍", "wordless"),
    ],
)
def test_a_pleasantry_has_a_kind(said: str, kind: Courtesy) -> None:
    assert find_courtesy(said) == kind


@pytest.mark.parametrize(
    "said",
    [
        "你好，年假几天？",
        "谢谢，那报销流程呢？",
        "你能做什么套餐？",
        "你们公司是谁创办的？",
        "Who are you allowed to invite?",
        "What can you do with the warranty?",
        "hello world 示例在哪？",
        "介绍一下年假",
        "Thanks" + "!" * PLEASANTRY_CHARS_MAX,
    ],
)
def test_a_question_is_none(said: str) -> None:
    assert find_courtesy(said) is None


@pytest.mark.parametrize("kind", ["greeting", "thanks", "farewell", "consent", "introduction"])
def test_replies_are_in_the_language_of_the_question(kind: Courtesy) -> None:
    assert language_of(courtesy_reply(kind, "好的")) == "zh"
    assert language_of(courtesy_reply(kind, "Hello")) == "en"
    assert courtesy_reply("wordless", "？") == courtesy_reply("wordless", "👍")


def test_a_traditional_question_gets_traditional_characters() -> None:
    assert courtesy_reply("introduction", "你是誰？") == follow_script(courtesy_reply("introduction", "你是谁？"), "你是誰？")
    assert "知識庫" in courtesy_reply("introduction", "你是誰？")
