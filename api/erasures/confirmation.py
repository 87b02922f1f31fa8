"""Who erases proves once more who they are: with the password, or without one by a fresh login and the address."""

from datetime import timedelta

from api.accounts.passwords import PASSWORD_GUESSES
from api.accounts.ports import AccountPorts
from api.http.audit import record_audit
from api.http.request import ApiRequest
from domain.accounts.records import email_scope, find_password
from domain.erasures.errors import ERASURE_UNCONFIRMED
from schemas.bodies.erasures import ErasureRequest
from schemas.errors import Refused
from schemas.records import Account

FRESH_S = 600  # age of a login that stands in for a password


async def confirm(request: ApiRequest, data: ErasureRequest, action: str, target: str) -> Account:
    """The caller's account. Raises Refused("erasure_unconfirmed"), which the audit log has."""
    ports, caller = request.ports(AccountPorts), request.user
    await ports.http.limiting.spend([(PASSWORD_GUESSES, caller.account_id)])
    account = await ports.core.read_models.accounts.get(caller.account_id, caller.account_id)
    if account is None:
        raise Refused("not_found")
    password = await find_password(ports.core.read_models, account.id)
    if password is not None:
        confirmed, remedy = await ports.passwords.matches(data.password, password.secret_hash), "send your present password"
    else:
        confirmed = email_scope(data.confirmation) == email_scope(account.email) and await _is_fresh(request)
        remedy = f"the account has no password: log in again and within {FRESH_S // 60} minutes send its e-mail address as `confirmation`"
    if not confirmed:
        await record_audit(request, action, outcome="refused", target=target)
        raise Refused(ERASURE_UNCONFIRMED, remedy)
    return account


async def _is_fresh(request: ApiRequest) -> bool:
    session_id = request.user.session_id
    session = await request.core.read_models.sessions.get(session_id, session_id) if session_id else None
    return session is not None and request.core.clock.now() - session.created_at <= timedelta(seconds=FRESH_S)
