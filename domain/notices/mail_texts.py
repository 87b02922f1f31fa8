"""Subject and text of every mail, in both languages."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from schemas.notices import Language, MailTemplate

FIELD_CHARS_MAX = 1_000

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class MailText(NamedTuple):
    """Plain text."""

    subject: str
    body: str


_TEXTS: Mapping[MailTemplate, Mapping[Language, MailText]] = {
    "verify_email": {
        "en": MailText(
            "Confirm your e-mail address",
            "{greeting}\n\nConfirm that this address is yours:\n\n{link}\n\nThe link is valid until {expires_at}."
            " If you did not register, ignore this mail.\n",
        ),
        "zh": MailText(
            "请确认您的邮箱地址",
            "{greeting}\n\n请点击以下链接，确认该邮箱属于您：\n\n{link}\n\n链接有效期至 {expires_at}。如果您没有注册，请忽略此邮件。\n",
        ),
    },
    "reset_password": {
        "en": MailText(
            "Reset your password",
            "{greeting}\n\nChoose a new password here:\n\n{link}\n\nThe link is valid until {expires_at} and can be used once."
            " If you did not ask for it, ignore this mail: your password stays as it is.\n",
        ),
        "zh": MailText(
            "重置您的密码",
            "{greeting}\n\n请通过以下链接设置新密码：\n\n{link}\n\n链接有效期至 {expires_at}，只能使用一次。"
            "如果这不是您的请求，请忽略此邮件，您的密码不会改变。\n",
        ),
    },
    "invitation": {
        "en": MailText(
            "You are invited{to_organisation}",
            "{greeting}\n\n{inviter_sentence}Accept the invitation here:\n\n{link}\n\nThe link is valid until {expires_at}.\n",
        ),
        "zh": MailText(
            "邀请您加入{organisation}",
            "{greeting}\n\n{inviter_sentence}请通过以下链接接受邀请：\n\n{link}\n\n链接有效期至 {expires_at}。\n",
        ),
    },
    "notice": {
        "en": MailText("{title}", "{greeting}\n\n{text}\n\nYou can choose which notices arrive by mail in your preferences.\n"),
        "zh": MailText("{title}", "{greeting}\n\n{text}\n\n您可以在偏好设置中选择哪些通知以邮件发送。\n"),
    },
}


def mail_text(template: MailTemplate, language: Language, fields: Mapping[str, str], link: str, expires_at: datetime | None) -> MailText:
    """The mail's text. ``fields``: ``name`` of the recipient; ``inviter`` and ``organisation`` of an invitation; ``title`` and ``text`` of
    a notice. Those that are missing are left out of the sentences. Values are shown on one line, shortened, and never as templates.
    """
    values = {name: _CONTROL.sub(" ", value)[:FIELD_CHARS_MAX] for name, value in fields.items()}
    name, inviter, organisation = (values.get(each, "").strip() for each in ("name", "inviter", "organisation"))
    texts = _Texts(values)
    texts["link"] = link
    texts["expires_at"] = f"{expires_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if expires_at else ""
    if language == "zh":
        texts["greeting"] = f"{name}，您好：" if name else "您好："
        texts["inviter_sentence"] = f"{inviter}邀请您加入{organisation}。" if inviter else ""
    else:
        texts["greeting"] = f"Hello {name}," if name else "Hello,"
        texts["to_organisation"] = f" to {organisation}" if organisation else ""
        texts["inviter_sentence"] = f"{inviter} invites you{texts['to_organisation']}. " if inviter else ""
    found = _TEXTS[template][language]
    return MailText(found.subject.format_map(texts).strip(), found.body.format_map(texts))


class _Texts(dict[str, str]):
    def __missing__(self, _name: str) -> str:
        return ""
