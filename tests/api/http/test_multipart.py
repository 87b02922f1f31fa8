"""The name of an uploaded file as it is stored and shown."""

import pytest

from api.http.multipart import FILENAME_CHARS_MAX, plain_name

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("C:\\Users\\li\\价目.csv", "价目.csv"),
        ("../../价目.csv", "价目.csv"),
        (" 价目.csv\t", "价目.csv"),
        ("u\u0308ber \u30ab\u3099.csv", "über ガ.csv"),  # as macOS sends it: the same file has one id everywhere
        ("销售\u3000一季度.xlsx", "销售 一季度.xlsx"),
        ("9.41\u202fAM.png", "9.41 AM.png"),
        (f"合影{FAMILY}\u2764\ufe0f.jpg", f"合影{FAMILY}\u2764\ufe0f.jpg"),
        ("نامه\u200cها.pdf", "نامه\u200cها.pdf"),
        ("价\u200b目\u202evsc.exe\x00", "价目vsc.exe"),
        ("..", ""),
        ("", ""),
    ],
    ids=ascii,
)
def test_a_name_has_what_people_see_in_it(sent: str, stored: str) -> None:
    assert plain_name(sent) == stored


def test_of_a_long_name_the_end_is_kept() -> None:
    assert plain_name("长" * 300 + ".csv") == "长" * (FILENAME_CHARS_MAX - 4) + ".csv"
