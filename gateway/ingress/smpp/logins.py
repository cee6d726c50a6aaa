"""Whose bind it is: system_ids, passwords, networks, limits.

In: what a bind request says and where it comes from. Out: a `Login`, or a `BindRefused` with the
command_status to answer. Passwords are compared in constant time and kept by their hash where the
configuration gives one; nothing here is logged. Knows no socket.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import ipaddress
import secrets
from typing import TYPE_CHECKING, Final

from config.settings import Account, Settings, SmppLogin
from gateway.ingress.smpp.pace import Pace
from protocol import constants as c

if TYPE_CHECKING:
    from gateway.ingress.smpp.bind import Bind

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
KIND: Final = {
    c.BIND_TRANSMITTER: "tx",
    c.BIND_RECEIVER: "rx",
    c.BIND_TRANSCEIVER: "trx",
}
_SCRYPT: Final = (1 << 14, 8, 1)
"""N, r, p: 16 MiB and about 40 ms. An SMPP password has eight octets at most, so no hash makes it
strong: this keeps a stolen configuration from being read off, slowing.py keeps guesses few."""
_REMEMBERED: Final = 10_000
"""Passwords that were right, by keyed hash, so that 10,000 binds cost one scrypt for each login."""


_VENDOR: Final = range(0x1400, 0x4000)


class BindRefused(Exception):
    """The bind is answered with `command_status`; `why` is its metrics label and log word."""

    def __init__(self, command_status: int, why: str) -> None:
        super().__init__(why)
        self.command_status = command_status
        self.why = why


class Login:
    """One system_id in force, with the binds made under it."""

    __slots__ = ("_tags", "account", "binds", "networks", "pace", "settings")

    def __init__(self, account: Account, settings: SmppLogin, now: float) -> None:
        self.binds: list[Bind] = []
        self.pace = Pace(settings.rate, settings.max_delay, now)
        self.apply(account, settings)

    def apply(self, account: Account, settings: SmppLogin) -> None:
        """Take (new) settings; binds stay."""
        self.account = account
        self.settings = settings
        self.networks: list[Network] = [ipaddress.ip_network(each) for each in settings.networks]
        self._tags = frozenset(
            tag for each in settings.tlvs for tag in (_VENDOR if each == "*" else (int(each, 16),))
        )
        self.pace.limit(settings.rate, settings.max_delay)

    def passes(self, tag: int) -> bool:
        """Whether TLVs with this tag are passed on to operators."""
        return tag in self._tags

    def admits(self, kind: str, host: str, tls: bool) -> None:
        """Raise BindRefused unless such a bind may be made now; the password is another matter."""
        settings = self.settings
        if self.networks and not _within(host, self.networks):
            raise BindRefused(c.ESME_RBINDFAIL, "network")
        if settings.require_tls and not tls:
            raise BindRefused(c.ESME_RBINDFAIL, "tls_required")
        if kind not in settings.bind:
            raise BindRefused(c.ESME_RBINDFAIL, "kind")
        if len(self.binds) >= settings.max_binds:
            raise BindRefused(c.ESME_RALYBND, "max_binds")


class Logins:
    """All logins of the configuration."""

    __slots__ = ("_by_system_id", "_key", "_known", "_verifying")

    def __init__(self) -> None:
        self._by_system_id: dict[str, Login] = {}
        self._key = secrets.token_bytes(32)
        self._known: dict[bytes, str] = {}
        self._verifying = asyncio.Semaphore(2)
        """Hashes computed at once: each takes a core and 16 MiB."""

    def configure(self, settings: Settings, now: float) -> list[Login]:
        """Take logins from (new) settings; returns those that are gone.

        A system_id that another account has now is another login: whoever is bound with the old
        one must not hear what is the new account's, nor the other way round.
        """
        before = self._by_system_id
        after: dict[str, Login] = {}
        for account in settings.account:
            for own in account.smpp:
                login = before.get(own.system_id)
                if login is None or login.account.name != account.name:
                    login = Login(account, own, now)
                else:
                    login.apply(account, own)
                after[own.system_id] = login
        self._by_system_id = after
        self._known.clear()
        return [login for system_id, login in before.items() if after.get(system_id) is not login]

    def get(self, system_id: str) -> Login | None:
        """The login with this system_id."""
        return self._by_system_id.get(system_id)

    def all(self) -> list[Login]:
        """Every login in force."""
        return list(self._by_system_id.values())

    async def check(self, system_id: str, password: str) -> Login:
        """The login these credentials belong to; raises BindRefused.

        An unknown system_id takes the time of a wrong password.
        """
        login = self._by_system_id.get(system_id)
        hashed = None if login is None else login.settings.password_hash
        given = password.encode("latin-1", "replace")
        if login is not None and hashed is None:
            wanted = (login.settings.password or "").encode()
            if not hmac.compare_digest(given, wanted):
                raise BindRefused(c.ESME_RINVPASWD, "wrong_password")
            return login
        if login is None and not any(one.settings.password_hash for one in self.all()):
            raise BindRefused(c.ESME_RINVSYSID, "unknown_system_id")
        digest = hmac.digest(self._key, system_id.encode() + b"\0" + given, "sha256")
        if hashed is not None and self._known.get(digest) == hashed:
            assert login is not None
            return login
        async with self._verifying:
            # Binds of one login come together: only the first of them has to be computed.
            right = hashed is not None and self._known.get(digest) == hashed
            if not right:
                right = await asyncio.to_thread(verify, hashed or _NOBODY, given)
        now = self._by_system_id.get(system_id)
        if now is not login or (now is not None and now.settings.password_hash != hashed):
            return await self.check(system_id, password)  # other settings have come meanwhile
        if login is None:
            raise BindRefused(c.ESME_RINVSYSID, "unknown_system_id")
        if not right:
            raise BindRefused(c.ESME_RINVPASWD, "wrong_password")
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[digest] = hashed or ""
        return login


def make_hash(password: str) -> str:
    """What `password_hash` keeps: `scrypt$N$r$p$salt$key`."""
    salt = secrets.token_bytes(16)
    n, r, p = _SCRYPT
    return f"scrypt${n}${r}${p}${_b64(salt)}${_b64(_scrypt(password.encode(), salt, n, r, p))}"


def verify(hashed: str, password: bytes) -> bool:
    """Whether `password` is the one `hashed` was made of."""
    _, n, r, p, salt, key = hashed.split("$")
    found = _scrypt(password, base64.b64decode(salt), int(n), int(r), int(p))
    return hmac.compare_digest(found, base64.b64decode(key))


def _scrypt(password: bytes, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(
        password, salt=salt, n=n, r=r, p=p, maxmem=128 * r * (n + p + 2), dklen=32
    )


def _b64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def _within(host: str, networks: list[Network]) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return any(address in network for network in networks)


_NOBODY: Final = (
    f"scrypt${_SCRYPT[0]}${_SCRYPT[1]}${_SCRYPT[2]}${_b64(bytes(16))}${_b64(bytes(32))}"
)
"""Compared with where the system_id is unknown; no password has it."""
