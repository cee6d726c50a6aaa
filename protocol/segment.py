"""A text cut into the parts that fit one short message each, and the parts made ready to send.

In: text or octets, the long-message mode, the carrier's alphabet. Out: `Segments`, whose payloads
do not depend on the message, and per message the short_message and TLVs that carry a reference.
Cutting happens once per distinct text, `frame` once per message.

It may not know carriers, prices, or how many parts a caller allows: nothing is ever cut off here,
the caller compares `count` with its own limit.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from . import gsm7, udh
from .coding import encode_ucs2, foreign
from .constants import ESM_CLASS_UDHI
from .errors import UsageError
from .grapheme import is_boundary

UDH8: Final = "udh8"
UDH16: Final = "udh16"
SAR: Final = "sar"
PAYLOAD: Final = "payload"

# Octets of user data on the radio interface, TS 23.040 §9.2.3.16.
_OCTETS: Final = 140
# Octets that concatenation takes in the user data header. With SAR TLVs and message_payload the
# message centre writes the header; centres write the 8-bit form, and carriers bill by it.
_HEADER: Final = {UDH8: 6, UDH16: 7, SAR: 6, PAYLOAD: 6}
# TS 23.040 §9.2.3.24.1: the total is one octet.
MAX_PARTS: Final = 255

_CR: Final = 0x0D
_LF: Final = 0x0A

_SAR_MSG_REF_NUM: Final = 0x020C
_SAR_TOTAL_SEGMENTS: Final = 0x020E
_SAR_SEGMENT_SEQNUM: Final = 0x020F
_MESSAGE_PAYLOAD: Final = 0x0424

DATA_CODING: Final[Mapping[str, int]] = MappingProxyType(
    {"gsm": 0, "ascii": 1, "latin1": 3, "binary": 4, "ucs2": 8}
)

Tlvs = tuple[tuple[int, bytes], ...]
# esm_class bits to set, short_message, TLVs to add.
Frame = tuple[int, bytes, Tlvs]


class Segments:
    """A text ready to send as `count` short messages.

    `encoding` is "gsm", "ucs2", "latin1", "ascii" or "binary"; `data_coding` its wire value.
    `characters` counts septets (an extension character is two), UTF-16 units (an emoji is two)
    or octets. `count` is what the radio interface carries and carriers bill; `parts` are the
    payloads of as many submit_sm without any header, one only in mode `payload`. `elements` are
    information elements each part must announce (national languages), usually empty.
    """

    __slots__ = (
        "_single",
        "_tails",
        "characters",
        "count",
        "data_coding",
        "elements",
        "encoding",
        "mode",
        "parts",
    )

    def __init__(
        self,
        encoding: str,
        data_coding: int,
        characters: int,
        count: int,
        parts: tuple[bytes, ...],
        mode: str,
        elements: bytes = b"",
    ) -> None:
        self.encoding = encoding
        self.data_coding = data_coding
        self.characters = characters
        self.count = count
        self.parts = parts
        self.mode = mode
        self.elements = elements
        self._single: tuple[Frame, ...] = ()
        # What follows the reference is the same for every message: "total", "sequence", the rest.
        total = len(parts)
        self._tails = tuple(
            bytes((total, sequence)) + elements + part for sequence, part in enumerate(parts, 1)
        )
        if total == 1:
            body = parts[0]
            if elements:
                body = bytes((len(elements),)) + elements + body
            esm_class = ESM_CLASS_UDHI if elements else 0
            if count > 1:
                self._single = ((esm_class, b"", ((_MESSAGE_PAYLOAD, body),)),)
            else:
                self._single = ((esm_class, body, ()),)


def segment(
    text: str,
    *,
    mode: str = UDH8,
    encoding: str = "auto",
    alphabet: str = "gsm",
    national: tuple[gsm7.Alphabet, ...] = (),
    packed: bool = False,
    data_coding: Mapping[str, int] = DATA_CODING,
) -> Segments:
    """Encode `text` in the cheapest way that keeps it intact, and cut it into parts.

    mode: how long messages travel, one of UDH8, UDH16, SAR, PAYLOAD.
    encoding: "auto", or one of "gsm", "ucs2", "latin1", "ascii" to insist on.
    alphabet: what data_coding 0 means to the carrier, "gsm", "latin1" or "ascii". Its octets go
        on the wire, but the text is counted in septets, because that is what the carrier sends
        on; a text outside either alphabet therefore goes as UCS-2.
    national: national language alphabets the carrier supports (`national.alphabets`), tried
        before UCS-2; the one that needs the fewest parts is taken.
    packed: septets eight to seven octets, for the few carriers that want them so.
    data_coding: the carrier's wire value for each encoding.

    A part never ends inside an ESC pair or a surrogate pair, nor inside a grapheme cluster where
    that costs no extra part. Raises UsageError for half a surrogate pair, for a text that does
    not fit the encoding insisted on, and for more than 255 parts.
    """
    wire = alphabet if encoding in ("auto", "gsm") else encoding
    name, data, chosen = _encode(text, encoding, wire, national, mode)
    elements = _elements(chosen)
    single, each = _limits(name, mode, len(elements))
    units = len(data) // 2 if name == "ucs2" else len(data)
    if units <= single:
        cut = [data]
    elif name == "ucs2":
        cut = _cut_text(text, data, each * 2, _pair_ends, _pair_characters, _pair_octets)
    elif elements and chosen is not None:
        # Only national tables have marks that belong to the character before.
        cut = _cut_text(text, data, each, _escape_ends, _escaped_characters, _encoded(chosen))
    else:
        cut = _cut_octets(data, each, chosen is not None)
    if len(cut) > MAX_PARTS:
        raise UsageError(f"{len(cut)} parts; a message has at most {MAX_PARTS}")
    count = len(cut)
    if mode == PAYLOAD:
        cut = [data]
    if chosen is not None:
        if wire != "gsm":
            cut = [chosen.decode(part).encode(wire) for part in cut]
        elif packed:
            header = len(elements)
            if len(cut) > 1 and mode in (UDH8, UDH16):
                header += _HEADER[mode]
            elif elements:
                header += 1
            fill = gsm7.fill_bits(header)
            cut = [gsm7.pack(part, fill) for part in cut]
    return Segments(name, data_coding[name], units, count, tuple(cut), mode, elements)


def segment_octets(
    data: bytes, *, mode: str = UDH8, data_coding: int = DATA_CODING["binary"]
) -> Segments:
    """Cut 8-bit data into parts, 140 octets alone and 134 (133) together; see `segment`."""
    single, each = _limits("binary", mode, 0)
    cut = [data] if len(data) <= single else _cut_octets(data, each, False)
    if len(cut) > MAX_PARTS:
        raise UsageError(f"{len(cut)} parts; a message has at most {MAX_PARTS}")
    parts = (data,) if mode == PAYLOAD else tuple(cut)
    return Segments("binary", data_coding, len(data), len(cut), parts, mode)


def frame(segments: Segments, reference: int) -> tuple[Frame, ...]:
    """What each submit_sm of one message carries: esm_class bits, short_message, TLVs, in order.

    `reference` joins the parts; the caller keeps it unique for a number while parts may be
    pending. It is taken modulo 256 for UDH8, modulo 65,536 for UDH16 and SAR.
    """
    if segments._single:
        return segments._single
    mode = segments.mode
    if mode == SAR:
        ref = (_SAR_MSG_REF_NUM, (reference & 0xFFFF).to_bytes(2, "big"))
        total = (_SAR_TOTAL_SEGMENTS, bytes((len(segments.parts),)))
        elements = segments.elements
        head = bytes((len(elements),)) + elements if elements else b""
        esm_class = ESM_CLASS_UDHI if elements else 0
        return tuple(
            (esm_class, head + part, (ref, total, (_SAR_SEGMENT_SEQNUM, bytes((sequence,)))))
            for sequence, part in enumerate(segments.parts, 1)
        )
    if mode == UDH8:
        head = bytes((5 + len(segments.elements), udh.CONCAT_8, 3, reference & 0xFF))
    else:
        high, low = reference >> 8 & 0xFF, reference & 0xFF
        head = bytes((6 + len(segments.elements), udh.CONCAT_16, 4, high, low))
    return tuple([(ESM_CLASS_UDHI, head + tail, ()) for tail in segments._tails])


def count_only(
    text: str,
    *,
    mode: str = UDH8,
    encoding: str = "auto",
    alphabet: str = "gsm",
    national: tuple[gsm7.Alphabet, ...] = (),
) -> tuple[str, int, int]:
    """(encoding, count, characters) as `segment` would find them, without building the parts.

    Raises UsageError for half a surrogate pair and for a text that does not fit the encoding
    insisted on; any count is returned.
    """
    wire = alphabet if encoding in ("auto", "gsm") else encoding
    name, data, chosen = _encode(text, encoding, wire, national, mode)
    if name == "ucs2":
        units = len(data) // 2
        if units <= 70:
            return name, 1, units
        each = _limits(name, mode, 0)[1]
        if units == len(text):
            return name, -(-units // each), units
        return name, len(_pair_ends(data, 0, each * 2)), units
    units = len(data)
    if units <= 160 and chosen is gsm7.DEFAULT:
        return name, 1, units
    single, each = _limits(name, mode, len(_elements(chosen)))
    if units <= single:
        return name, 1, units
    return name, len(_cut_octets(data, each, chosen is not None)), units


def _encode(
    text: str, encoding: str, wire: str, national: tuple[gsm7.Alphabet, ...], mode: str
) -> tuple[str, bytes, gsm7.Alphabet | None]:
    """The name of the encoding, octets to count and cut, and the alphabet if they are septets."""
    if encoding == "ucs2":
        return "ucs2", encode_ucs2(text), None
    if encoding == "latin1":
        try:
            return "latin1", text.encode("latin-1"), None
        except UnicodeEncodeError as error:
            raise foreign(text[error.start], encoding) from None
    septets = gsm7.encode(text)
    if septets is not None and (wire == "gsm" or _fits(text, wire)):
        return ("ascii" if encoding == "ascii" else "gsm"), septets, gsm7.DEFAULT
    if wire == "gsm" and national:
        found = [(got, each) for each in national if (got := each.encode(text)) is not None]
        if found:
            best, chosen = min(found, key=lambda pair: _cost(pair[0], pair[1], mode))
            return "gsm", best, chosen
    if encoding != "auto":
        raise foreign(next(char for char in text if not _in_wire(char, wire)), encoding)
    return "ucs2", encode_ucs2(text), None


def _cost(septets: bytes, alphabet: gsm7.Alphabet, mode: str) -> tuple[int, int]:
    """(parts, septets with the header elements): a locking and a single shift cost three octets
    of header each, a shifted character costs a septet."""
    elements = len(_elements(alphabet))
    single, each = _limits("gsm", mode, elements)
    parts = 1 if len(septets) <= single else len(_escape_ends(septets, 0, each))
    return parts, len(septets) + elements * 8 // 7


def _fits(text: str, wire: str) -> bool:
    if text.isascii():
        return True
    return wire == "latin1" and max(text) <= "\xff"


def _in_wire(char: str, wire: str) -> bool:
    return gsm7.encode(char) is not None and (wire == "gsm" or _fits(char, wire))


def _elements(alphabet: gsm7.Alphabet | None) -> bytes:
    """The information elements that announce a national alphabet."""
    elements = b""
    if alphabet is not None:
        if alphabet.single_shift:
            elements += bytes((udh.SINGLE_SHIFT, 1, alphabet.single_shift))
        if alphabet.locking_shift:
            elements += bytes((udh.LOCKING_SHIFT, 1, alphabet.locking_shift))
    return elements


def _limits(name: str, mode: str, elements: int) -> tuple[int, int]:
    """Characters in a message alone, and in each part of several, with `elements` octets of
    further information elements: 160 and 153, 70 and 67, 140 and 134 without any."""
    alone = _OCTETS - (1 + elements if elements else 0)
    each = _OCTETS - _HEADER[mode] - elements
    if name in ("gsm", "ascii"):
        return alone * 8 // 7, each * 8 // 7
    if name == "ucs2":
        return alone // 2, each // 2
    return alone, each


def _cut_octets(data: bytes, limit: int, septets: bool) -> list[bytes]:
    """Cut at `limit`; septets one before it when the last is an ESC, or is the first half of a
    line break and that adds no part."""
    parts = []
    at = 0
    while len(data) - at > limit:
        end = at + limit
        if septets:
            last = data[end - 1]
            if last == gsm7.ESC or (last == _CR and _is_free_before_lf(data, end, limit)):
                end -= 1
        parts.append(data[at:end])
        at = end
    parts.append(data[at:])
    return parts


def _is_free_before_lf(septets: bytes, at: int, limit: int) -> bool:
    return septets[at] == _LF and len(_escape_ends(septets, at - 1, limit)) == len(
        _escape_ends(septets, at, limit)
    )


def _cut_text(
    text: str,
    data: bytes,
    limit: int,
    ends: Callable[[bytes, int, int], list[int]],
    characters: Callable[[bytes], int],
    octets: Callable[[str], int],
) -> list[bytes]:
    """Cut `data` of `text` at grapheme boundaries, as long as no part is added by it.

    `ends` tells where the fewest parts from a place would end; `characters` how many characters
    some octets are, `octets` how many octets some characters.
    """
    parts = []
    at = 0  # octets of data behind us
    char = 0  # characters of text behind us
    while len(data) - at > limit:
        hard = ends(data, at, limit)
        end = hard[0]
        whole = char + characters(data[at:end])
        cut = whole
        while cut > char and not is_boundary(text, cut):
            cut -= 1
        if char < cut < whole:
            earlier = end - octets(text[cut:whole])
            if len(ends(data, earlier, limit)) < len(hard):
                end, whole = earlier, cut
        parts.append(data[at:end])
        at, char = end, whole
    parts.append(data[at:])
    return parts


def _pair_ends(data: bytes, at: int, limit: int) -> list[int]:
    """Ends of the fewest parts of UTF-16BE `data` from `at`, never inside a surrogate pair."""
    ends = []
    while len(data) - at > limit:
        at += limit
        if data[at] & 0xFC == 0xDC:
            at -= 2
        ends.append(at)
    ends.append(len(data))
    return ends


def _pair_characters(data: bytes) -> int:
    return len(data.decode("utf-16-be"))


def _pair_octets(text: str) -> int:
    return len(text.encode("utf-16-be"))


def _escape_ends(data: bytes, at: int, limit: int) -> list[int]:
    """Ends of the fewest parts of septets `data` from `at`, never behind an ESC."""
    ends = []
    while len(data) - at > limit:
        at += limit
        if data[at - 1] == gsm7.ESC:
            at -= 1
        ends.append(at)
    ends.append(len(data))
    return ends


def _escaped_characters(septets: bytes) -> int:
    return len(septets) - septets.count(gsm7.ESC)


def _encoded(alphabet: gsm7.Alphabet) -> Callable[[str], int]:
    return lambda text: len(alphabet.encode(text) or b"")
