"""Hashes of passwords match only their own."""

import pytest

from adapters.secrets.passwords import Passwords

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_passwords_match_only_themselves():
    passwords = Passwords(concurrency=1)
    kept = await passwords.hash("päßword")
    assert await passwords.matches("päßword", kept)
    assert not await passwords.matches("password", kept)
    assert not await passwords.matches("x", None)
    assert not await passwords.matches("x", "not a hash")
    passwords.close()
