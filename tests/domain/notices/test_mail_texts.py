"""The texts of mails: complete in both languages, with what is missing left out, and nothing of a value interpreted."""

from datetime import UTC, datetime
from typing import get_args

import pytest

from domain.notices.mail_texts import mail_text
from schemas.notices import Language, MailTemplate

UNTIL = datetime(2026, 12, 1, 8, tzinfo=UTC)


@pytest.mark.parametrize("language", get_args(Language))
@pytest.mark.parametrize("template", get_args(MailTemplate))
def test_every_mail_has_a_subject_and_its_link(template, language):
    fields = {"title": "T", "text": "What happened"} if template == "notice" else {}
    subject, body = mail_text(template, language, fields, "https://claw.test/x#token=abc", UNTIL)
    assert subject
    assert "{" not in subject + body
    assert ("#token=abc" in body and "2026-12-01 08:00 UTC" in body) if template != "notice" else "What happened" in body


def test_an_invitation_names_who_invites_and_whither():
    subject, body = mail_text("invitation", "en", {"inviter": "Ada", "organisation": "Acme", "name": "Li"}, "L", UNTIL)
    assert subject == "You are invited to Acme"
    assert "Hello Li,\n\nAda invites you to Acme. Accept" in body
    assert "Ada邀请您加入Acme。" in mail_text("invitation", "zh", {"inviter": "Ada", "organisation": "Acme"}, "L", UNTIL).body


def test_a_value_is_no_template_and_has_no_lines():
    subject, body = mail_text("notice", "en", {"title": "{link}\r\nBcc: x", "text": "{0.__class__}"}, "secret", None)
    assert subject == "{link}  Bcc: x"
    assert "secret" not in body
    assert "{0.__class__}" in body
