"""What is found in bytes: ids wherever they stand, texts in every spelling, names only beside an id."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.accounts.records import email_scope
from domain.eraser.needles import NOTHING, NeedleMatch, Needles

ADA = "00714072-cf51-5d60-bd89-4ffa7e9a5ba9"
BOB = "8fd5ad24-df1e-5b80-ad67-0e563b1b8359"


def needles(**more) -> Needles:
    return Needles(tenant="acme", account_id=ADA, address="Ada.L@Example.org", name="Ada Lovelace", **more)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f'{{"user_id":"{ADA}"}}', NeedleMatch(ids=True)),
        (f"80000000000000ff{ADA}", NeedleMatch(ids=True)),  # behind a rank, as in an index
        (f"8000000000000000{email_scope('ada.l@example.org')}", NeedleMatch(text=True)),
        (f'{{"user_id":"{BOB}"}}', NOTHING),
        ('{"address":"ADA.L@example.ORG"}', NeedleMatch(text=True)),
        (r'{"address":"ada.l\u0040example.org"}', NOTHING),  # no writer of ours spells it so
        ('{"name":"Ada Lovelace"}', NOTHING),
        (f'{{"name":"ada lovelace","id":"{ADA}"}}', NeedleMatch(ids=True, text=True)),
        ("", NOTHING),
    ],
)
def test_what_is_found(text: str, found: NeedleMatch) -> None:
    assert needles().find(text.encode()) == found


def test_a_term_is_found_in_utf8_and_in_json_escapes() -> None:
    looked_for = needles(terms=("李四", 'a "quoted" term'))
    assert looked_for.find('{"t":"李四"}'.encode()).text
    assert looked_for.find(rb'{"t":"\u674e\u56db"}').text
    assert looked_for.find(rb'{"t":"A \"Quoted\" term"}').text
    assert needles(terms=("x",)).find(b"xxx") == NOTHING  # one letter is everywhere


def test_a_name_counts_beside_an_id_of_another_piece() -> None:
    assert needles().find(ADA.encode(), b"Ada Lovelace", None) == NeedleMatch(ids=True, text=True)


def test_a_tenant_owns_by_its_name() -> None:
    """A tenant's name may be any word, so that it counts only as the tenant of an event, and as a part of a key."""
    tenant = Needles(tenant="acme")
    assert tenant.find(b'{"tenant":"acme"}').ids
    assert tenant.find(b'{"text":"acme"}') == NOTHING
    assert tenant.names({"record", "acme"})
    assert not needles().names({"record", "acme"})
    assert tenant.owns("acme", ())
    assert not needles().owns("acme", (BOB, ""))
    assert needles().owns("acme", ("", "ada.l@example.org"))


@given(st.binary(max_size=200))
def test_any_bytes_can_be_searched(data: bytes) -> None:
    """Nothing is found in what has none of it."""
    assert needles().find(data) == NOTHING


def test_a_search_is_linear() -> None:
    """A megabyte of what almost is an id."""
    began = time.process_time()
    assert needles().find(b"0" * 1_000_000 + b"00714072-cf51-5d60-" * 1_000) == NOTHING
    assert time.process_time() - began < 2.0
