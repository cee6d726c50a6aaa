"""A carrier's settings made ready for the hot path.

In: `config.Carrier`. Out: `Profile`, read-only. Everything a name, a table or a file has to be
looked up for is looked up here, once; wrong settings raise ConfigError here and not at the first
message.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from typing import Final

from config.settings import Carrier, CarrierTls, TonNpi
from gateway.dispatch.statuses import Rule, status_table
from gateway.errors import ConfigError
from gateway.model import UNKNOWN_POLICY, OnUnknown
from protocol import constants as c
from protocol import segment
from protocol.address import AddressRule
from protocol.national import alphabets
from protocol.timers import Timers

_VERSIONS: Final = {
    "3.3": c.INTERFACE_VERSION_33,
    "3.4": c.INTERFACE_VERSION_34,
    "5.0": c.INTERFACE_VERSION_50,
}
_INTERNATIONAL: Final = TonNpi(ton=c.TON_INTERNATIONAL, npi=c.NPI_ISDN)
_SHORT_CODE: Final = TonNpi(ton=c.TON_NETWORK_SPECIFIC, npi=c.NPI_UNKNOWN)
_ALPHANUMERIC: Final = TonNpi(ton=c.TON_ALPHANUMERIC, npi=c.NPI_UNKNOWN)
_LONGEST_ADDRESS: Final = 20  # SMPP 3.4 §4.4.1, without the NUL


class Profile:
    """What dispatch knows of one carrier.

    name, carrier    its name, and the settings it was made from
    hosts            (host, port) in the order they are tried
    timers           of its sessions
    rules            TON/NPI of senders, first match wins
    data_coding      wire value for each encoding
    national         alphabets to try before UCS-2
    statuses         command_status -> Rule
    on_unknown       category -> what happens to a submission nobody answered
    burst            PDUs that may leave at once after a rest
    """

    __slots__ = (
        "burst",
        "carrier",
        "data_coding",
        "hosts",
        "interface_version",
        "name",
        "national",
        "on_unknown",
        "password",
        "registered_delivery",
        "rules",
        "statuses",
        "timers",
        "tls",
    )

    def __init__(self, carrier: Carrier, environ: Mapping[str, str] = os.environ) -> None:
        self.carrier: Final = carrier
        self.name: Final = carrier.name
        self.hosts: Final = tuple(host_port(carrier.name, spelling) for spelling in carrier.hosts)
        if not self.hosts:
            raise ConfigError([f'carrier {carrier.name}: hosts is empty; write ["host:2775"].'])
        self.password: Final = _password(carrier, environ)
        self.interface_version: Final = _VERSIONS[carrier.interface_version]
        self.tls: Final = None if carrier.tls is None else tls_context(carrier.name, carrier.tls)
        self.timers: Final = Timers(
            session_init=carrier.connect_timeout,
            enquire_link=carrier.enquire_interval,
            enquire_link_response=carrier.response_timeout,
            enquire_link_gap=carrier.enquire_minimum_gap,
            enquire_link_under_traffic=carrier.enquire_always,
            inactivity=carrier.inactivity_timeout,
            response=carrier.response_timeout,
        )
        self.rules: Final = address_rules(carrier)
        data_coding: dict[str, int] = dict(segment.DATA_CODING)
        data_coding.update(carrier.data_coding.items())
        self.data_coding: Final = data_coding
        self.national: Final = alphabets(carrier.national)
        self.registered_delivery: Final = (
            c.REGISTERED_DELIVERY_FINAL if carrier.receipts else c.REGISTERED_DELIVERY_NONE
        )
        self.statuses: Final[Mapping[int, Rule]] = status_table(carrier.name, carrier.status)
        self.on_unknown: Final[Mapping[str, OnUnknown]] = {
            category.value: OnUnknown(carrier.on_unknown.get(category.value, default))
            for category, default in UNKNOWN_POLICY.items()
        }
        self.burst: Final = float(
            carrier.burst if carrier.burst is not None else max(carrier.rate / 10, carrier.window)
        )

    def unknown_policy(self, category: str) -> OnUnknown:
        """What to do with an unanswered submission; a category nobody knows is not resent."""
        return self.on_unknown.get(category, OnUnknown.FAIL)


def address_rules(carrier: Carrier) -> tuple[AddressRule, ...]:
    """TON/NPI rules for senders: a leading plus or many digits is international, few digits are a
    short code, anything else is alphanumeric."""
    international = carrier.source.get("international", _INTERNATIONAL)
    short = carrier.source.get("short_code", _SHORT_CODE)
    text = carrier.source.get("alphanumeric", _ALPHANUMERIC)
    few = carrier.short_code_digits
    return (
        AddressRule("plus", 1, _LONGEST_ADDRESS, international.ton, international.npi),
        AddressRule("digits", 1, few, short.ton, short.npi),
        AddressRule("digits", few + 1, _LONGEST_ADDRESS, international.ton, international.npi),
        AddressRule("text", 0, _LONGEST_ADDRESS, text.ton, text.npi),
    )


def tls_context(carrier: str, settings: CarrierTls) -> ssl.SSLContext:
    """The client side of TLS as `settings` ask for it; ConfigError names a file that is wrong."""
    try:
        context = ssl.create_default_context(cafile=settings.ca)
        if settings.certificate is not None:
            context.load_cert_chain(settings.certificate, settings.key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError([f"carrier {carrier}: tls: {error}."]) from None
    if not settings.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def host_port(carrier: str, spelling: str) -> tuple[str, int]:
    """`host:port` taken apart; raises ConfigError."""
    host, _, port = spelling.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")  # [::1]:2775
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ConfigError([f'carrier {carrier}: host {spelling!r} is not "host:port".'])
    return host, int(port)


def _password(carrier: Carrier, environ: Mapping[str, str]) -> str:
    if carrier.password_env is None:
        return carrier.password or ""
    password = environ.get(carrier.password_env)
    if password is None:
        raise ConfigError(
            [f"carrier {carrier.name}: the environment has no {carrier.password_env}."]
        )
    return password
