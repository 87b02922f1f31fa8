"""Our signatures, verified by the specification's own library."""

import os
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from adapters.webhooks.signatures import new_secret, sign, signed_headers

BODY = '{"type":"document.indexed","data":{"title":"员工手册"}}'.encode()


def test_the_reference_library_verifies_every_secret_during_a_rotation():
    """The old and the new secret both verify one message; another secret, body or id does not."""
    old, new, other = (new_secret(os.urandom) for _ in range(3))
    headers = signed_headers((new, old), "msg_1", datetime.now(UTC), BODY)
    for secret in (old, new):
        assert Webhook(secret).verify(BODY, headers)["type"] == "document.indexed"
    for secret, body, changed in ((other, BODY, {}), (new, BODY + b" ", {}), (new, BODY, {"webhook-id": "msg_2"})):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(body, headers | changed)


def test_an_old_message_is_not_accepted_again():
    """The time is signed: receivers refuse what is older than five minutes."""
    secret = new_secret(os.urandom)
    headers = signed_headers((secret,), "msg_1", datetime.now(UTC) - timedelta(minutes=6), BODY)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY, headers)


def test_a_secret_has_the_specified_form():
    """256 bits; the example of the specification has its signature."""
    assert len(new_secret(os.urandom)) == len("whsec_") + 44
    signature = sign("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    with pytest.raises(ValueError, match="base64"):
        sign("whsec_???", "msg_1", 0, b"")
