"""What the person at the terminal asked for, checked.

In: the command line. Out: `Asked`, read-only. Knows no socket.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import Final

from protocol import constants as c
from protocol.address import kind_of

BINDS: Final = {"trx": ("transceiver",), "tx+rx": ("transmitter", "receiver")}
"""`--bind` -> the sessions that carry the traffic."""
VERSIONS: Final = {
    "3.3": c.INTERFACE_VERSION_33,
    "3.4": c.INTERFACE_VERSION_34,
    "5.0": c.INTERFACE_VERSION_50,
}
SHORT_CODE_DIGITS: Final = 8
"""A numeric sender of at most so many digits is a short code, as in `[[carrier]]`."""

INTERNATIONAL: Final = "international"
ALPHANUMERIC: Final = "alphanumeric"
SHORT_CODE: Final = "short_code"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """TLS towards the peer; the names are those of `[carrier.tls]`."""

    context: ssl.SSLContext
    ca: str | None = None
    server_name: str | None = None
    certificate: str | None = None
    key: str | None = None
    verify: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One run's wishes. Times in seconds; addresses as they stand on the wire, without plus."""

    host: str
    port: int
    system_id: str
    password: str = field(repr=False)
    password_env: str | None = None
    system_type: str = ""
    bind: str = "trx"
    interface: str = "3.4"
    tls: Tls | None = None
    senders: tuple[str, ...] = ()
    to: tuple[str, ...] = ()
    only: frozenset[str] = frozenset()
    skip: frozenset[str] = frozenset()
    rate: float = 5.0
    timeout: float = 10.0
    receipt_wait: float = 30.0
    burst: int = 50
    throttle: bool = True
    most_pdus: int = 400
    most_seconds: float = 600.0
    verbose: bool = False
    show_texts: bool = False

    @property
    def peer(self) -> str:
        """`host:port`, as it stands in a configuration."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def interface_version(self) -> int:
        """The version offered in our binds."""
        return VERSIONS[self.interface]

    @property
    def kinds(self) -> tuple[str, ...]:
        """The binds that carry the traffic."""
        return BINDS[self.bind]

    def sender_of(self, kind: str) -> str | None:
        """The first sender of a kind: international, alphanumeric or short_code."""
        return next((sender for sender in self.senders if sender_kind(sender) == kind), None)


def sender_kind(sender: str) -> str:
    """What kind of sender a spelling is; the rule of carriers (`short_code_digits`)."""
    kind = kind_of(sender)
    if kind == "text":
        return ALPHANUMERIC
    if kind == "digits" and len(sender) <= SHORT_CODE_DIGITS:
        return SHORT_CODE
    return INTERNATIONAL
