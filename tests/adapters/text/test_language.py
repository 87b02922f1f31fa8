"""Language detection, sentences, folding, terms, token estimates."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.text.language import estimate_tokens, fold, language_of, sentences, terms


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("黄鹤楼在哪里？", "zh"),
        ("PostgreSQL 的索引怎么建？", "zh"),
        ("GPU是什么", "zh"),
        ("R3支持WPA3吗？", "zh"),
        ("PPR9087?", "en"),
        ("What is Kafka?", "en"),
        ("What does 人工智能 mean in English?", "en"),
        ("", "zh"),
        ("42?", "zh"),
    ],
)
def test_language(text: str, expected: str) -> None:
    assert language_of(text) == expected


def test_sentences_in_both_languages() -> None:
    """Closing quotes stay with their sentence; abbreviations, initials, decimals and version numbers end nothing."""
    assert sentences("他说：“走吧。”然后离开了。真的吗？是！") == ["他说：“走吧。”", "然后离开了。", "真的吗？", "是！"]
    assert sentences("Dr. J. K. Smith paid $3.50, e.g. for tea. He left! Then? v2.0 came.") == [
        "Dr. J. K. Smith paid $3.50, e.g. for tea.",
        "He left!",
        "Then?",
        "v2.0 came.",
    ]
    assert sentences("# Title\n\n- one\n- two") == ["# Title", "- one", "- two"]
    assert sentences(" \n ") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It opened in 1911.[45] They closed it.[a][note 3] Why?", ["It opened in 1911.[45]", "They closed it.[a][note 3]", "Why?"]),
        ("他生于1911年。[3]后来搬走了。", ["他生于1911年。[3]", "后来搬走了。"]),
        ("Well... we stayed. He left... Then it rained.", ["Well... we stayed.", "He left...", "Then it rained."]),
        ("One . . . two. Three.", ["One . . . two.", "Three."]),
        (
            "See vol. 3, p. 12 and Fig. 4. It is dated Jan. 5, 1911. Done.",
            ["See vol. 3, p. 12 and Fig. 4.", "It is dated Jan. 5, 1911.", "Done."],
        ),
        ("At 9 a.m. Mrs. Hale of the U.S. Army paid 3.5 dollars. Then she left.", None),
        ("“走吗？”他问。“走！”她说着站起来。", ["“走吗？”他问。", "“走！”她说着站起来。"]),
        ("“走吗？”门开了。", ["“走吗？”", "门开了。"]),
        ('"Is it far?" he asked. "No." We went.', ['"Is it far?" he asked.', '"No."', "We went."]),
        ("价格是3.5元。版本2.0.1已发布！！真的……后来没有了。", ["价格是3.5元。", "版本2.0.1已发布！！", "真的……", "后来没有了。"]),
        ("He sold item[0].Then", ["He sold item[0].Then"]),
    ],
)
def test_where_sentences_end(text: str, expected: list[str] | None) -> None:
    """Notes and closing quotes belong to the sentence before; dots of other kinds end nothing."""
    assert sentences(text) == (expected or [text.partition(" Then")[0], "Then she left."])


@given(st.text(alphabet='ab A.。！?!\n”" 中文.1…'))
def test_sentences_are_literal_and_lose_only_white_space(text: str) -> None:
    found = sentences(text)
    assert all(sentence in text and "\n" not in sentence and sentence == sentence.strip() for sentence in found)
    assert "".join("".join(found).split()) == "".join(text.split())


def test_folding_meets_across_scripts_widths_and_case() -> None:
    assert fold("資料庫 ＡＢＣ") == fold("资料库 abc")


def test_terms_leave_out_what_every_question_says() -> None:
    assert terms(fold("黄鹤楼是什么时候建的？")) == {"黄鹤", "鹤楼", "建"}
    assert terms(fold("What is the capital of Cities?")) == {"capital", "cit"}
    assert terms(fold("什么")) == {"什么"}
    assert terms(fold("年假有几年？1998年呢")) == {"年假", "1998"}


@pytest.mark.parametrize(
    "words", ["rise rises rising", "house houses", "stop stopped stopping", "call calls called", "die died dies", "use used", "bake baked"]
)
def test_forms_of_one_word_are_one_term(words: str) -> None:
    assert len(terms(fold(words))) == 1


def test_text_without_content() -> None:
    assert terms(fold("？")) == frozenset()


def test_token_estimate_is_on_the_high_side_for_chinese() -> None:
    assert estimate_tokens("中文分词") == 4
    assert estimate_tokens("twelve chars") == 3
    assert estimate_tokens("") == 0


def test_letters_of_an_identifier_are_no_words() -> None:
    assert language_of("XK-200S的功率") == "zh"
    assert language_of("ｘｋ－２００ｓ的功率") == "zh"
    assert language_of("The XK-200S 水泵 is for sale") == "en"
    assert language_of("XK-200S") == "en"
