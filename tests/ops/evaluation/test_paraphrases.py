"""The paraphrases share no content word with their passages, and their scores are what they say."""

from collections import Counter

import pytest

from adapters.text.language import Haystack, content_terms, fold, language_of
from ops.evaluation.paraphrases import Paraphrase, ParaphrasedPassage, paraphrases_of, read_passages, score
from ops.evaluation.pipeline import PipelineReply

PASSAGES = read_passages()
BY_ID = {each.id: each for each in PASSAGES}


def test_there_are_enough_of_every_kind():
    kinds = Counter(each.kind for each in paraphrases_of(PASSAGES))
    assert set(kinds) == {"zh-zh", "en-en", "en-zh", "zh-en"}
    assert min(kinds.values()) >= 15
    assert kinds.total() >= 60
    assert len(BY_ID) == len(PASSAGES)
    assert sum(not each.answer for each in PASSAGES) > sum(bool(each.answer) for each in PASSAGES)


@pytest.mark.parametrize("each", paraphrases_of(PASSAGES), ids=lambda each: each.question.text)
def test_a_question_shares_no_content_word_with_its_passage(each: Paraphrase):
    (found,) = each.question.gold
    passage = BY_ID[found]
    haystack = Haystack(fold(passage.text))
    assert content_terms(fold(each.question.text))
    assert not [term for term in content_terms(fold(each.question.text)) if haystack.contains(term)]
    assert passage.answer in passage.text
    assert each.kind == f"{language_of(each.question.text)}-{language_of(passage.text)}"


def test_passages_beside_them_do_share_words():
    """Else the words would lead nowhere, and not astray."""
    others = [Haystack(fold(each.text)) for each in PASSAGES if not each.answer]
    asked = [content_terms(fold(each.question.text)) for each in paraphrases_of(PASSAGES)]
    led = [any(other.contains(term) for other in others for term in terms) for terms in asked]
    assert sum(led) >= len(led) // 2


def test_the_scores():
    (asked,) = paraphrases_of([ParaphrasedPassage(id="zh-a", text="甲在乙处。", answer="乙处", en="Where?")])
    assert asked.kind == "en-zh"
    right, refusal = PipelineReply("completed", "- 甲在乙处。 [1]", ("zh-a",)), PipelineReply("completed", "nothing", ())
    made = score("one", "en-zh", [(asked, 1, right), (asked, 5, right), (asked, 6, refusal), (asked, 0, PipelineReply("failed", "", ()))])
    assert (made.first, made.found, made.quoted, made.refused, made.failed) == (0.25, 0.5, 0.5, 0.25, 1)
