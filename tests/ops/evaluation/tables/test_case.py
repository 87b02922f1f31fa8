"""What counts as a right answer about a table, and as an honest one."""

from datetime import date

import msgspec
import pytest

from ops.evaluation.tables.case import TableCase, TableQuestion, is_honest, is_right, says
from ops.evaluation.tables.run import CASES

CASE = TableCase(
    name="t", format="csv", language="en", title="T", header=(("a", "b"),), rows=(("Ann", "4"), ("Annabel", "14")), questions=()
)
ALL = [case for cases in CASES.values() for case in cases]
QUESTION = TableQuestion("How old is Ann?", "lookup", ("4",), ("Ann",))
LATER = msgspec.structs.replace(QUESTION, month_min=3)


@pytest.mark.parametrize(
    ("text", "cites", "right", "honest"),
    [
        ("a: Ann; b: 4 [1]", True, True, True),
        ("a: Ann; b: 4", False, False, True),
        ("a: Annabel; b: 14 [1]", True, False, False),
        ("a: Ann; b: 4 and a: Annabel; b: 14 [1]", True, False, False),
        ("14 [1]", True, False, False),
        ("Not computed: only 1 of the 2 rows of this table were read (a part). [1]", True, False, True),
        ("The knowledge base does not contain an answer to this question.", False, False, True),
    ],
)
def test_verdicts(text: str, cites: bool, right: bool, honest: bool) -> None:
    assert is_right(CASE, QUESTION, text, cites=cites) is right
    assert (right or is_honest(text, cites=cites)) is honest


@pytest.mark.parametrize(
    ("text", "expected", "found"),
    [
        ("共 5 行", "5", True),
        ("15", "5", False),
        ("5.5", "5", False),
        ("1,234 m", "1,234", True),
        ("Westend", "West", False),
        ("杭州市", "杭州", True),
    ],
)
def test_numbers_and_words_are_whole(text: str, expected: str, found: bool) -> None:
    assert says(text, expected) is found


def test_a_question_without_an_answer_has_to_be_refused() -> None:
    absent = TableQuestion("Who is Ann's boss?", "absent")
    assert is_right(CASE, absent, "Nothing found.", cites=False)
    assert not is_right(CASE, absent, "a: Ann; b: 4 [1]", cites=True)


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.name)
def test_the_sets_are_consistent(case: TableCase) -> None:
    width = len(case.header[0])
    assert {len(row) for row in (*case.header, *case.rows)} == {width}
    for question in case.questions:
        assert set(question.rows) <= set(case.names), question.text
        assert bool(question.expected) == (question.kind != "absent")


def test_there_is_enough_of_every_kind() -> None:
    questions = [question for case in ALL for question in case.questions]
    assert len(questions) >= 60
    assert {question.kind for question in questions} == {"lookup", "filter", "count", "extreme", "total", "list", "compare", "absent"} - {
        "list"
    }
    assert {(case.language, case.format) for case in ALL} == {
        (language, form) for language in ("zh", "en") for form in ("csv", "xlsx", "docx", "html", "pdf")
    }
    names = [case.name for case in ALL]
    assert len(set(names)) == len(names)


def test_months_and_years_count_from_the_day() -> None:
    case = msgspec.structs.replace(CASE, rows=(("{m0}-05", "{m-2}"), ("{q-1}-01", "{y-1}")), questions=(QUESTION, LATER))
    assert case.at(date(2026, 2, 14)).rows == (("2026-02-05", "2025-12"), ("2025-10-01", "2025"))
    assert case.at(date(2026, 2, 14)).questions == (QUESTION,)
    assert case.at(date(2026, 6, 1)).questions == (QUESTION, LATER)
