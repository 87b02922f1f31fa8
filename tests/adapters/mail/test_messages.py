"""A mail is what was meant: nothing that anybody can write gets into its headers."""

from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.mail.messages import MailSender, build_message
from schemas.errors import Refused

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
SENDER = MailSender("Claw", "claw@example.org")
HEADERS = {"From", "To", "Subject", "Date", "Message-ID", "Content-Language", "Auto-Submitted"}
BODY_HEADERS = {"Content-Type", "Content-Transfer-Encoding", "MIME-Version"}


@given(st.text(max_size=300), st.text(max_size=2_000))
def test_whatever_a_text_contains_it_stays_in_its_place(subject, body):
    """The parsed mail has our headers, each once, and the text."""
    message = build_message("m1", SENDER, "li@example.com", subject.replace("\ud800", ""), body, NOW, "zh")
    parsed = message_from_bytes(message.as_bytes(), policy=default)
    assert sorted(parsed.keys()) == sorted(HEADERS | BODY_HEADERS)
    assert "\n" not in str(parsed["Subject"])
    assert [each.addr_spec for each in parsed["To"].addresses] == ["li@example.com"]


@pytest.mark.parametrize(
    "address",
    ["a@b.c\nBcc: eve@evil.test", "a@b.c, eve@evil.test", "Eve <eve@evil.test>", "a b@c.d", "a@", "@b", "", "a@b\x00.c", "a" * 300],
)
def test_an_address_that_says_more_is_refused(address):
    with pytest.raises(Refused) as caught:
        build_message("m1", SENDER, address, "s", "b", NOW, "en")
    assert caught.value.code == "mail_refused"


def test_a_mail_is_recognised_by_its_id():
    message = build_message("m1", MailSender("Eve\r\nBcc: x@y.z", "claw@example.org"), "li@example.com", "主题", "正文", NOW, "zh")
    assert message["Message-ID"] == "<m1@example.org>"
    assert message["Bcc"] is None
    assert message_from_bytes(message.as_bytes(), policy=default).get_content().strip() == "正文"
