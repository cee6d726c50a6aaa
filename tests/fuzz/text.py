"""Under every data_coding and in every national language any octets become a text that UTF-8 can
carry, and none raises; a text in the GSM alphabet encodes and decodes to itself, packed and
unpacked; and every text that can be sent is cut into parts that fit a short message and together
are that text."""

from __future__ import annotations

from protocol import coding, gsm7, national, segment, udh
from protocol.errors import UsageError

_TABLE = coding.codecs_by_data_coding()
_LANGUAGES = national.alphabets(national.NATIONAL)
_MODES = (segment.UDH8, segment.UDH16, segment.SAR, segment.PAYLOAD)


def seeds() -> list[bytes]:
    texts = [
        "", "@", "Hello", "{[~]}€" * 30, "a" * 160, "a" * 161, "€" * 81, "é" * 71, "日本語",
        "Ünïcödé £5 ¡hola! ñ ß ø Å Δ Φ", "a" * 152 + "€b", "क्षि" * 30, "👨\u200d👩\u200d👧" * 12,
        "👍" * 40, "\r\n\f", "नमस्ते", "шалом שלום مرحبا", "\ufeffbom", "\ud7ff\ue000",
    ]  # fmt: skip
    names = ("utf-8", "utf-16-be", "utf-16-le", "shift_jis", "iso2022_jp", "euc_kr", "iso8859-5")
    found = [text.encode(name, "replace") for text in texts for name in names]
    found += [
        b"\xff\xfe" + b"a\0",
        b"\xfe\xff\0a",
        b"\x1b",
        b"\x1b\x1b\x1b",
        b"\xd8\x00",
        b"\xdc\x00a",
    ]
    return [bytes((number % 7,)) + data for number, data in enumerate(found)]


def check(data: bytes) -> None:
    chosen, octets = data[:1], data[1:]
    for name in set(_TABLE):
        text = coding.decode(octets, name)
        text.encode("utf-8")
    how = chosen[0] if chosen else 0
    _check_septets(octets)
    _check_languages(octets, how)
    for text in {octets.decode("utf-8", "replace"), coding.decode(octets, "ucs2")}:
        _check_cut(text, _MODES[how % 4], how % 3 == 0, _LANGUAGES if how & 1 else ())


def _check_septets(octets: bytes) -> None:
    text = gsm7.decode(octets)
    septets = gsm7.encode(text)
    if septets is not None:
        assert gsm7.decode(septets) == text
        fill = len(octets) % 7
        assert gsm7.unpack(gsm7.pack(septets, fill), fill, len(septets)) == septets
    gsm7.unpack(octets)


def _check_languages(octets: bytes, how: int) -> None:
    """Whatever identifiers a header names; and what an alphabet encodes it decodes to the same."""
    text = national.decoder(how & 15, how >> 4)(octets)
    text.encode("utf-8")
    alphabet = _LANGUAGES[how % len(_LANGUAGES)]
    septets = alphabet.encode(text)
    if septets is not None:
        assert alphabet.decode(septets) == text


def _check_cut(text: str, mode: str, packed: bool, languages: tuple[gsm7.Alphabet, ...]) -> None:
    try:
        cut = segment.segment(text, mode=mode, packed=packed, national=languages)
    except UsageError:
        assert len(text.encode("utf-16-be")) > 255 * 132
        return
    encoding, count, characters = segment.count_only(text, mode=mode, national=languages)
    assert (encoding, characters) == (cut.encoding, cut.characters)
    assert count <= cut.count
    if encoding == "ucs2":
        assert "".join(part.decode("utf-16-be") for part in cut.parts) == text
    elif not packed:
        header = udh.parse(bytes((len(cut.elements),)) + cut.elements)[0]
        decode = national.decoder(header.locking_shift, header.single_shift)
        assert "".join(map(decode, cut.parts)) == text
    if mode == segment.PAYLOAD:
        return
    frames = segment.frame(cut, 258)
    assert len(frames) == cut.count
    for _, short_message, _ in frames:
        limit = 160 if encoding == "gsm" and not packed else 140
        assert len(short_message) <= limit
