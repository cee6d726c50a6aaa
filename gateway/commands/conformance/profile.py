"""A `[[carrier]]` table proposed from what was seen.

In: a `Report`. Out: TOML in which every line says what it follows from. Only settings of
`config.settings.Carrier` stand in it; what was not seen is left to the default. Pure.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Final

from gateway.commands.conformance import receipts
from gateway.commands.conformance.run import Report
from gateway.commands.conformance.steps.session import milliseconds
from protocol.segment import DATA_CODING

PASSWORD_VARIABLE: Final = "CARRIER_PASSWORD"  # noqa: S105 - the name of a variable
_CODINGS: Final = ("ascii", "latin1", "ucs2", "binary")
_ENQUIRE: Final = (10, 60)
"""Seconds between which a peer's own interval is worth copying."""

Line = tuple[str, str]
"""A setting as it stands in the file, and the comment behind it."""


def profile(report: Report) -> str | None:
    """The table; None if there was no session, so that nothing was seen."""
    if not report.facts.bound:
        return None
    lines = [
        *_address(report),
        *_session(report),
        *_text(report),
        *_numbers(report),
        *_receipts(report),
        *_pace(report),
    ]
    width = max(len(setting) for setting, _ in lines if len(setting) < 48)
    head = (
        f"# Proposed by `aldis conformance {report.asked.peer}` from {report.pdus} PDUs. What a\n"
        "# wire cannot show (what a phone displays, the rate the contract grants) is to be checked."
    )
    body = "\n".join(f"{setting:<{width}}  # {why}" for setting, why in lines)
    return f"{head}\n[[carrier]]\n{body}\n"


def _text_value(value: str) -> str:
    return json.dumps(value)  # TOML's basic strings are JSON's


def name_of(host: str) -> str:
    """A carrier's name made from its host: letters, digits and `_.-`, at most 63."""
    return re.sub(r"[^A-Za-z0-9_.-]", "-", host).lstrip("-_.")[:63] or "carrier"


def _address(report: Report) -> Iterator[Line]:
    asked = report.asked
    yield f"name = {_text_value(name_of(asked.host))}", "made from the host; choose your own"
    yield f"hosts = [{_text_value(asked.peer)}]", "as asked"
    yield f"system_id = {_text_value(asked.system_id)}", "as asked"
    variable = asked.password_env or PASSWORD_VARIABLE
    why = "as asked" if asked.password_env else "put the password there; it is not written here"
    yield f"password_env = {_text_value(variable)}", why
    if asked.system_type:
        yield f"system_type = {_text_value(asked.system_type)}", "as asked"
    if asked.tls is not None:
        tls = asked.tls
        pairs = [
            f"{key} = {_text_value(value)}"
            for key in ("ca", "server_name", "certificate", "key")
            if (value := getattr(tls, key)) is not None
        ]
        if not tls.verify:
            pairs.append("verify = false")
        why = "connected with it" if tls.verify else "--insecure: not fit for production"
        yield f"tls = {{ {', '.join(pairs)} }}" if pairs else "tls = {}", why


def _session(report: Report) -> Iterator[Line]:
    asked, facts = report.asked, report.facts
    offered = facts.sc_interface_version
    version = asked.interface
    why = "offered and accepted; the peer did not say its own"
    if offered is not None:
        theirs = f"{offered >> 4}.{offered & 15}"
        why = f"offered; the peer says {theirs}"
        if offered < asked.interface_version and theirs in ("3.3", "3.4"):
            version, why = theirs, f"sc_interface_version, older than the {asked.interface} offered"
    yield f"interface_version = {_text_value(version)}", why
    binds = facts.binds
    if binds.get("transceiver"):
        yield 'bind = "trx"', "bind_transceiver was accepted"
    elif binds.get("transmitter") and binds.get("receiver"):
        yield 'bind = "tx+rx"', "bind_transmitter and bind_receiver were accepted, no transceiver"
    else:
        yield f"bind = {_text_value(asked.bind)}", "as asked, and bound"
    interval = facts.peer_enquires
    if interval is not None and _ENQUIRE[0] <= interval <= _ENQUIRE[1]:
        yield f'enquire_interval = "{interval:.0f}s"', "the peer's own interval"
    elif facts.enquire_seconds is not None:
        took = milliseconds(facts.enquire_seconds)
        yield 'enquire_interval = "30s"', f"enquire_link was answered in {took}; 30 s is the usual"


def _text(report: Report) -> Iterator[Line]:
    facts = report.facts
    taken = facts.data_codings
    if taken.get(0):
        yield 'alphabet = "gsm"', "data_coding 0 was accepted; see whether {}[]~ and € arrived"
    used = [name for name in _CODINGS if taken.get(DATA_CODING[name])]
    refused = [f"{code:#04x}" for code, accepted in taken.items() if not accepted]
    if used:
        pairs = ", ".join(f"{name} = {DATA_CODING[name]}" for name in used)
        why = f"accepted; refused: {' '.join(refused)}" if refused else "all accepted"
        yield f"data_coding = {{ {pairs} }}", why
    modes = facts.long_messages
    good = [mode for mode, accepted in modes.items() if accepted]
    if good:
        others = f", so were {' '.join(good[1:])}" if good[1:] else ", nothing else was"
        yield f"long_message = {_text_value(good[0])}", f"accepted{others}"


def _numbers(report: Report) -> Iterator[Line]:
    facts = report.facts
    if facts.sources:
        kinds = ", ".join(
            f"{kind} = {{ ton = {ton}, npi = {npi} }}" for kind, (ton, npi) in facts.sources.items()
        )
        yield f"source = {{ {kinds} }}", "the first accepted of each kind"
    if facts.destination is not None:
        ton, npi = facts.destination
        yield f"destination = {{ ton = {ton}, npi = {npi} }}", "the first accepted"
    formats = facts.validity
    if formats.get("relative"):
        yield 'validity_format = "relative"', "a relative validity_period was accepted"
    elif formats.get("absolute"):
        yield 'validity_format = "absolute"', "an absolute validity_period was, a relative was not"
    elif formats:
        yield 'validity_format = "none"', "no validity_period was accepted"


def _receipts(report: Report) -> Iterator[Line]:
    facts = report.facts
    if facts.receipts_came:
        came = f"{facts.receipts_came} of {facts.receipts_wanted} came"
        yield "receipts = true", came
    if facts.id_form is not None:
        yield f"message_id = {_text_value(facts.id_form)}", f"ids are {facts.id_words}"
    elif facts.id_words:
        yield 'message_id = "auto"', f"{facts.id_words}; ask the operator"
    if facts.receipt_offset is not None:
        zone = receipts.zone(facts.receipt_offset)
        if zone is not None:
            words = receipts.offset_words(facts.receipt_offset)
            why = f"dates in receipts are {words}"
            if facts.receipt_offset:
                why += "; name the place (Europe/Paris) if it keeps summer time"
            yield f"receipt_zone = {_text_value(zone)}", why


def _pace(report: Report) -> Iterator[Line]:
    facts, asked = report.facts, report.asked
    if facts.window is not None:
        limit = facts.window_limit
        why = f"then {limit}" if limit else "in one write and accepted; more was not tried"
        yield f"window = {facts.window}", why
    if facts.accepted_rate is not None:
        rate = max(1.0, math.floor(facts.accepted_rate))
        yield f"rate = {rate:.1f}", f"accepted of the {asked.rate:g} PDU/s of the burst, per second"
    else:
        yield f"rate = {float(asked.rate)}", "as used; put what the contract grants"
