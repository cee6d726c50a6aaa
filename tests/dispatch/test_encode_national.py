"""Texts in national alphabets and packed septets, for carriers that have them."""

import json
from typing import Any

import pytest

from gateway.dispatch.encode import References
from protocol import constants as c
from protocol import gsm7
from protocol.national import alphabets
from protocol.udh import Header, parse
from tests.dispatch.test_encode import content, encoder, leased, pdus

TURKISH = "Şifreniz ığdır: 4711"


def _decode(header: Header, septets: bytes) -> str:
    spoken = {(each.single_shift, each.locking_shift): each for each in alphabets(["turkish"])}
    return spoken[header.single_shift, header.locking_shift].decode(septets)


def test_a_national_alphabet_spares_ucs2() -> None:
    (pdu,) = pdus(encoder(national=("turkish",)), leased(), content(TURKISH))
    assert pdu.data_coding == 0
    assert pdu.esm_class == c.ESM_CLASS_UDHI
    header, septets = parse(pdu.short_message)
    assert (header.single_shift, header.locking_shift) == (0, 1)
    assert _decode(header, septets) == TURKISH
    (pdu,) = pdus(encoder(), leased(), content(TURKISH))
    assert pdu.data_coding == c.DATA_CODING_UCS2


def test_a_long_national_text_announces_it_in_every_part() -> None:
    parts = pdus(encoder(national=("turkish",)), leased(), content(TURKISH * 12))
    headers = [parse(pdu.short_message) for pdu in parts]
    assert [h.concat.sequence for h, _ in headers if h.concat] == [1, 2]
    assert "".join(_decode(header, septets) for header, septets in headers) == TURKISH * 12


@pytest.mark.parametrize("encoding", ["auto", "gsm", "ucs2"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_template_is_spelt_alike_alone_and_among_others(encoding: str, packed: bool) -> None:
    what = content("{{t}}", templated=True, encoding=encoding)
    texts = ["plain", TURKISH, "plain", TURKISH, "Привет", "ş" * 70, "ş" * 71, "a" * 160, TURKISH]
    messages = [leased(46700000000 + n, vars=json.dumps({"t": t})) for n, t in enumerate(texts)]
    given: dict[str, Any] = {"national": ("turkish",), "packed": packed}
    ready, refused = encoder(**given).encode(messages, {1: what}, messages[0].created)
    assert not refused
    references = References(bytes(131072))
    for message, outgoing in zip(messages, ready, strict=True):
        apart = encoder(references, **given)
        (alone,), _ = apart.encode([message], {1: what}, message.created)
        assert [b"".join(each) for each in alone.bodies] == [
            b"".join(each) for each in outgoing.bodies
        ]
        if encoding != "ucs2":
            assert len(alone.bodies) == 1, "sent as UCS-2"


def test_packed_septets_are_packed_in_templates_too() -> None:
    what = content("Code {{c}}", templated=True)
    messages = [leased(46700000000 + n, vars=f'{{"c":"{n}"}}') for n in range(3)]
    ready, _ = encoder(packed=True).encode(messages, {1: what}, messages[0].created)
    for n, outgoing in enumerate(ready):
        octets = b"".join(outgoing.bodies[0])
        packed = gsm7.pack(gsm7.encode(f"Code {n}") or b"")
        assert octets.endswith(bytes((len(packed),)) + packed)
