"""Checks that concern several settings at once: names that must exist, values that must fit.

In: settings whose single values are right. Out: (path, sentence) for each problem, the sentence
saying what to do. Pure but for looking whether named files exist.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
from collections.abc import Iterable, Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

from config import settings as s
from config.policy_references import check_policy
from protocol import tlv
from protocol.errors import UsageError

Problem = tuple[str, str]


def check_references(found: s.Settings) -> Iterator[Problem]:
    """Everything wrong between the settings."""
    yield from _unique("account", [account.name for account in found.account])
    yield from _unique("carrier", [carrier.name for carrier in found.carrier])
    yield from _unique("route", [route.name for route in found.route])
    for place, account in enumerate(found.account):
        yield from _account(f"account[{place}]", account, found.webhooks.allow_private)
    yield from _keys_once(found)
    yield from _logins_once(found)
    for place, port in enumerate(found.smpp):
        if port.tls is not None:
            yield from _files(f"smpp[{place}].tls", port.tls.certificate, port.tls.key)
            if port.tls.client_ca is not None:
                yield from _files(f"smpp[{place}].tls", port.tls.client_ca)
    for place, carrier in enumerate(found.carrier):
        yield from _carrier(f"carrier[{place}]", carrier)
    yield from _ports_once(found)
    for place, route in enumerate(found.route):
        yield from _route(f"route[{place}]", route, found)
    if found.http.tls is not None:
        yield from _files("http.tls", found.http.tls.certificate, found.http.tls.key)
    yield from check_policy(found)
    if found.http.port and found.http.port == found.ops.port and found.http.host == found.ops.host:
        yield "ops.port", f"port {found.ops.port} is taken by [http]; choose another"


def _unique(kind: str, names: list[str]) -> Iterator[Problem]:
    for place, name in enumerate(names):
        if name in names[:place]:
            yield f"{kind}[{place}].name", f"a second {kind} is called `{name}`; rename one"


def _keys_once(found: s.Settings) -> Iterator[Problem]:
    owners: dict[str, str] = {}
    for place, account in enumerate(found.account):
        for index, key in enumerate(account.keys):
            if key.hash is None:
                continue
            other = owners.setdefault(key.hash, account.name)
            if other != account.name:
                yield (
                    f"account[{place}].keys[{index}]",
                    f"account `{other}` has the same key; a key belongs to one account",
                )


def _logins_once(found: s.Settings) -> Iterator[Problem]:
    owners: dict[str, str] = {}
    for place, account in enumerate(found.account):
        for index, login in enumerate(account.smpp):
            other = owners.setdefault(login.system_id, account.name)
            at = f"account[{place}].smpp[{index}]"
            if other != account.name or any(
                earlier.system_id == login.system_id for earlier in account.smpp[:index]
            ):
                yield (
                    f"{at}.system_id",
                    f"account `{other}` has the system_id {login.system_id!r} already; a bind "
                    "must tell whose it is",
                )
            yield from _login(at, login)


def _login(at: str, login: s.SmppLogin) -> Iterator[Problem]:
    for network in login.networks:
        if not _is_network(network):
            yield f"{at}.networks", f"{network!r} is no network; write 10.0.0.0/8 or ::1/128"
    for name in ("password", "outbind_password"):
        if len((getattr(login, name) or "").encode()) > 64:
            yield f"{at}.{name}", "a password is at most 8 octets (64 where customers bend it)"
    if login.password_hash is not None and not _is_scrypt(login.password_hash):
        yield f"{at}.password_hash", "not a hash as `aldis keys smpp-hash` prints it"
    yield from _codings(f"{at}.data_coding", login.data_coding.items())
    if not login.bind:
        yield f"{at}.bind", 'a login that may not bind is of no use; write ["trx"]'
    for tag in login.tlvs:
        if tag != "*" and not _is_tag(tag):
            yield f"{at}.tlvs", f'{tag!r} is no tag; write "0x1400", or "*"'
    if login.outbind is not None and not _is_host_port(login.outbind):
        yield f"{at}.outbind", f"{login.outbind!r} is not host:port"
    yield from _zone(f"{at}.receipt_zone", login.receipt_zone)


def _account(path: str, account: s.Account, allow_private: bool) -> Iterator[Problem]:
    for index, key in enumerate(account.keys):
        at = f"{path}.keys[{index}]"
        if key.hash is not None and not _is_sha256(key.hash):
            yield f"{at}.hash", "`hash` is 64 hex digits; `aldis keys hash` prints it"
        for network in key.networks:
            if not _is_network(network):
                yield f"{at}.networks", f"{network!r} is no network; write 10.0.0.0/8 or ::1/128"
    for index, hook in enumerate(account.webhooks):
        at = f"{path}.webhooks[{index}]"
        if not hook.url.startswith(("https://", "http://")):
            yield f"{at}.url", f"{hook.url!r} is no http(s) address"
        elif hook.url.startswith("http://") and not allow_private:
            yield (
                f"{at}.url",
                "events to plain http would travel unprotected; use https, or set "
                "allow_private = true in [webhooks] for a trial",
            )
        if hook.secret is None:
            yield f"{at}.secret", "give `secret` or `secret_env`"
        elif not _is_webhook_secret(hook.secret):
            yield f"{at}.secret", "a secret is `whsec_` and base64 of 24 to 64 octets"


def _carrier(path: str, carrier: s.Carrier) -> Iterator[Problem]:
    if not carrier.hosts:
        yield path, f'carrier `{carrier.name}` has no hosts; add hosts = ["host:port"]'
    for host in carrier.hosts:
        if not _is_host_port(host):
            yield f"{path}.hosts", f"{host!r} is not host:port"
    if not carrier.system_id:
        yield path, f"carrier `{carrier.name}` has no system_id; the operator gives you one"
    if len((carrier.password or "").encode()) > 64:
        yield f"{path}.password", "a password is at most 8 octets (64 where operators bend it)"
    if carrier.reconnect_max < carrier.reconnect_min:
        yield f"{path}.reconnect_max", "reconnect_max is shorter than reconnect_min"
    if carrier.tls is not None:
        names = (carrier.tls.ca, carrier.tls.certificate, carrier.tls.key)
        yield from _files(f"{path}.tls", *[name for name in names if name is not None])
    yield from _zone(f"{path}.receipt_zone", carrier.receipt_zone)
    yield from _receiving(path, carrier)
    for name, needs in (("national", carrier.national), ("packed", carrier.packed)):
        if needs and carrier.alphabet != "gsm":
            yield f"{path}.{name}", f'septets need alphabet = "gsm", not "{carrier.alphabet}"'
    yield from _tlvs(f"{path}.tlvs", carrier.tlvs)
    yield from _codings(f"{path}.data_coding", carrier.data_coding.items())


def _codings(path: str, data_coding: Iterable[tuple[str, int]]) -> Iterator[Problem]:
    for name, value in data_coding:
        if not 0 <= value <= 255:
            yield f"{path}.{name}", f"{value} is no data_coding; it is 0 to 255"


def _receiving(path: str, carrier: s.Carrier) -> Iterator[Problem]:
    outbind = carrier.outbind
    if outbind is None:
        if carrier.bind == "tx" and carrier.receipts:
            yield (
                f"{path}.bind",
                "a transmitter alone gets no receipts; write trx, or tell where the operator "
                "calls us in [carrier.outbind], or receipts = false",
            )
        return
    if not _is_host_port(outbind.listen):
        yield f"{path}.outbind.listen", f"{outbind.listen!r} is not host:port"
    for network in outbind.networks:
        if not _is_network(network):
            yield f"{path}.outbind.networks", f"{network!r} is no network; write 10.0.0.0/8"
    if len((outbind.password or "").encode()) > 64:
        yield f"{path}.outbind.password", "a password is at most 8 octets (64 where it is bent)"


def _ports_once(found: s.Settings) -> Iterator[Problem]:
    owners: dict[str, str] = {}
    for place, carrier in enumerate(found.carrier):
        if carrier.outbind is not None:
            other = owners.setdefault(carrier.outbind.listen, carrier.name)
            if other != carrier.name:
                yield (
                    f"carrier[{place}].outbind.listen",
                    f"carrier `{other}` listens on {carrier.outbind.listen} already; who calls "
                    "there must be one operator",
                )


def _tlvs(path: str, tlvs: dict[str, s.CarrierTlv]) -> Iterator[Problem]:
    names: dict[int, str] = {}
    for name, row in tlvs.items():
        tag = int(row.tag, 16)
        other = names.setdefault(tag, name)
        if other != name:
            yield (
                f"{path}.{name}.tag",
                f"`{other}` has the tag {row.tag} already; a tag has one name",
            )
        if tag in tlv.SPOKEN_FOR:
            yield (
                f"{path}.{name}.tag",
                f"{row.tag} is {tlv.TLV_BY_TAG[tag].name}, which the gateway or the operator sets",
            )
        if row.value is not None:
            try:
                tlv.encode_text(row.value, s.TLV_KINDS[row.kind], row.octets)
            except UsageError as error:
                yield f"{path}.{name}.value", f"not a value of kind {row.kind}: {error}"


def _route(path: str, route: s.Route, found: s.Settings) -> Iterator[Problem]:
    carriers = {carrier.name for carrier in found.carrier}
    accounts = {account.name for account in found.account}
    if not route.carriers:
        yield path, f'route `{route.name}` has no carriers; add carriers = ["name"]'
    for entry in route.carriers:
        name = entry if isinstance(entry, str) else entry.name
        if name not in carriers:
            known = ", ".join(sorted(carriers)) or "none"
            yield f"{path}.carriers", f"no carrier is called `{name}`; there are: {known}"
    for name in route.accounts:
        if name not in accounts:
            known = ", ".join(sorted(accounts)) or "none"
            yield f"{path}.accounts", f"no account is called `{name}`; there are: {known}"


def _files(path: str, *names: str) -> Iterator[Problem]:
    for name in names:
        if not Path(name).is_file():
            yield path, f"no such file: {name}"


def _zone(path: str, name: str) -> Iterator[Problem]:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        yield path, f"no time zone `{name}`; write Europe/Paris"


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


def _is_host_port(text: str) -> bool:
    name, _, port = text.rpartition(":")
    return bool(name) and port.isdecimal() and 0 < int(port) < 65536


def _is_tag(text: str) -> bool:
    try:
        return text[:2] in ("0x", "0X") and 0 <= int(text, 16) <= 0xFFFF
    except ValueError:
        return False


def _is_scrypt(text: str) -> bool:
    """`scrypt$N$r$p$salt$key`, the last two in base64."""
    kind, *numbers, salt, key = [*text.split("$"), "", ""][:6]
    if kind != "scrypt" or len(numbers) != 3 or not all(n.isdecimal() for n in numbers):
        return False
    try:
        return (
            len(base64.b64decode(salt, validate=True)) >= 16
            and len(base64.b64decode(key, validate=True)) >= 32
        )
    except binascii.Error:
        return False


def _is_sha256(text: str) -> bool:
    return len(text) == 64 and all(letter in "0123456789abcdefABCDEF" for letter in text)


def _is_webhook_secret(text: str) -> bool:
    if not text.startswith("whsec_"):
        return False
    try:
        return 24 <= len(base64.b64decode(text[6:], validate=True)) <= 64
    except binascii.Error:
        return False
