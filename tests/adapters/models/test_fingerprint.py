"""The hash of a prompt."""

import hashlib
import json

from adapters.models.fingerprint import hash_messages
from adapters.models.prompts import ProviderChatMessage


def test_the_hash_is_that_of_canonical_json() -> None:
    """Anybody can compute it again from the messages."""
    sent = [ProviderChatMessage("system", "规则"), ProviderChatMessage("user", 'a "b"\n')]
    canonical = json.dumps([{"content": m.content, "role": m.role} for m in sent], ensure_ascii=False, separators=(",", ":"))
    assert hash_messages(sent) == hashlib.sha256(canonical.encode()).hexdigest()
