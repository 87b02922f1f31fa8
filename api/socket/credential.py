"""The credential of one connection: authentication, expiry, and the number of connections per account."""

from contextlib import suppress
from datetime import datetime

from api.http.identity import Caller
from api.socket.ports import SocketPorts
from domain.limits.places import Place
from schemas.errors import Refused, Unavailable

EXPIRING_S = 60.0  # how long ahead the end of a credential is announced


class ConnectionCredential:
    """Initially none. ``authorization`` is the value of that header, with which every frame passes the gate."""

    def __init__(self, ports: SocketPorts) -> None:
        self._ports = ports
        self.authorization = ""
        self.caller: Caller | None = None
        self._place: Place | None = None
        self._announced: datetime | None = None  # the expiry that was announced to the client

    async def authenticate(self, authorization: str, address: str) -> Caller:
        """Accept a credential, the first or a newer one, of the client at this ``address``.

        Raises Refused when it is not valid, belongs to another account, or the account has too many connections; Unavailable while Redis
        is down.
        """
        caller = await self._ports.http.identities.authenticate(authorization, address)
        counted, settings = self.caller, self._ports.core.settings.socket
        if counted is None:
            if self._ports.by_account[caller.account_id] >= settings.per_user_max:
                detail = f"an account may have {settings.per_user_max} connections"
                raise Refused("rate_limited", detail, retry_after_s=1, rule="socket_connections")
            self._place = await self._ports.http.caps.take_place("sockets", caller)
            self._ports.by_account.add(caller.account_id)
        elif (caller.tenant, caller.account_id) != (counted.tenant, counted.account_id):
            raise Refused("forbidden", "this connection belongs to another account; open a new one")
        self.caller, self.authorization, self._announced = caller, authorization, None
        return caller

    async def check(self, address: str) -> None:
        """Raises Refused when the credential has expired or was revoked, or when its account is disabled or on the deny list."""
        with suppress(Unavailable):  # unknown for now; the next check decides
            self.caller = await self._ports.http.identities.authenticate(self.authorization, address)
        verdict = self._ports.http.limiting.verdict(address, self.caller)
        if verdict is not None and verdict.access == "deny":
            raise Refused("access_denied")

    def release(self) -> None:
        """The connection has ended."""
        if self.caller is not None:
            self._ports.by_account.remove(self.caller.account_id)
        if self._place is not None:
            self._ports.http.caps.free_place(self._place)

    @property
    def remaining_s(self) -> float | None:
        """Seconds until it expires; None when it does not."""
        if self.caller is None or self.caller.expires_at is None:
            return None
        return max(0.0, (self.caller.expires_at - self._ports.core.clock.now()).total_seconds())

    def announce_expiry(self) -> datetime | None:
        """The expiry of the credential, once and in its last minute; otherwise None."""
        left_s = self.remaining_s
        if self.caller is None or left_s is None or left_s > EXPIRING_S or self._announced == self.caller.expires_at:
            return None
        self._announced = self.caller.expires_at
        return self._announced
