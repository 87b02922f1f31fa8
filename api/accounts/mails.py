"""Mails about an account, as they are requested on the log. The link is signed by whoever sends the mail: no secret stands on a topic."""

from datetime import timedelta
from typing import Literal

from api.http.identity import caller_of
from api.http.request import ApiRequest
from domain.notices.topics import MAILS_REQUESTED
from schemas.notices import Language, LinkRequest, MailRequest, MailRequested
from schemas.records import Account
from streams.log.outgoing import Outgoing

AccountMail = Literal["verify_email", "reset_password"]


async def request_mail(request: ApiRequest, account: Account, purpose: AccountMail, *, binding: str, life_s: int) -> Outgoing:
    """The request for a mail to the account's address with a link of this purpose, which expires in ``life_s`` seconds."""
    caller = caller_of(account)
    mail = MailRequest(
        id=await request.new_id(f"mail:{purpose}", account.tenant, account.id),
        tenant=account.tenant,
        account_id=account.id,
        address=account.email,
        template=purpose,
        language=language_of(request),
        fields={"name": account.name},
        link=LinkRequest(
            purpose=purpose,
            subject=account.id,
            binding=binding,
            expires_at=request.core.clock.now() + timedelta(seconds=life_s),
        ),
    )
    return Outgoing(MAILS_REQUESTED, await request.event(MailRequested, mail.id, mail, caller))


def language_of(request: ApiRequest) -> Language:
    """The language of ``Accept-Language``, as far as mails are written in it."""
    return "zh" if request.headers.get("accept-language", "").strip().lower().startswith("zh") else "en"
