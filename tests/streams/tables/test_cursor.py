"""Any position survives; other text is refused by the field's name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import Refused
from streams.tables.cursor import decode_cursor, encode_cursor


@given(st.binary(max_size=200))
def test_a_position_comes_back(position: bytes):
    cursor = encode_cursor(position)
    assert decode_cursor(cursor) == position
    assert "=" not in cursor


@pytest.mark.parametrize("cursor", ["a", "=", "a b", "ä"])
def test_other_text_is_refused(cursor: str):
    with pytest.raises(Refused) as refused:
        decode_cursor(cursor)
    assert refused.value.errors[0].field == "cursor"
