"""Whatever text and TLVs come, `parse` returns a Receipt whose every question has an answer, or
None, and never raises; where `brief` answers for all of it, it says what `parse` says; and a
receipt built from what was read reads the same."""

from __future__ import annotations

from protocol import message_id, receipt, tlv
from protocol.errors import PduError

from . import vectors

# An input is a text and, behind the last of these, TLVs.
_TLVS = b"\x00\x00TLV"


def seeds() -> list[bytes]:
    texts = list(vectors.receipts())
    told = receipt.build_tlvs("12ab", receipt.Outcome.DELIVERED, (3, 8))
    payload = ((receipt.MESSAGE_PAYLOAD, texts[0]),)
    return [
        *texts,
        *(text + _TLVS + tlv.write_tlvs(told) for text in texts[::5]),
        _TLVS + tlv.write_tlvs(told),
        _TLVS + tlv.write_tlvs(payload),
        texts[0].decode("latin-1").encode("utf-16-be"),
    ]


def check(data: bytes) -> None:
    text, _, behind = data.rpartition(_TLVS) if _TLVS in data else (data, b"", b"")
    try:
        tlvs = tlv.read_tlvs(behind, 0, len(behind))
    except PduError:
        tlvs = ()
    read = receipt.parse(text, tlvs)
    short = receipt.brief(text, tlvs)
    if read is None:
        assert short is None
        return
    assert repr(read)
    assert read.outcome is None or read.outcome in receipt.OUTCOMES
    assert read.error_code is None or read.error_code != ""
    for at in (read.submitted_at(), read.done_at(), read.done_at(-12 * 3600)):
        assert at is None or isinstance(at, int)
    for id in read.ids:
        assert id
        message_id.canonical(id)
        for form, key in message_id.candidates(id):
            assert key
            assert message_id.normalise(form, id, "receipt") == key
    if short is not None:
        _check_brief(short, read, tlvs)
    _check_built(read)


def _check_brief(
    short: tuple[bytes, bytes, bytes, receipt.Tlvs], read: receipt.Receipt, tlvs: receipt.Tlvs
) -> None:
    id, stat, err, rest = short
    assert rest in (tlvs, tlvs[1:])
    if any(tag in (receipt.RECEIPTED_MESSAGE_ID, receipt.MESSAGE_PAYLOAD) for tag, _ in rest):
        return  # returns.reading asks `parse` then, which target "meaning" holds it to
    assert read.ids == (id.decode("ascii"),)
    assert (read.stat or "") == stat.decode("ascii")
    assert (read.err or "") == err.decode("ascii")


def _check_built(read: receipt.Receipt) -> None:
    outcome = read.outcome
    if outcome is None or not read.ids or not read.ids[0].isalnum() or not read.ids[0].isascii():
        return
    text = receipt.build(
        read.ids[0], outcome, submit_date="2601021504", done_date="2601021505", text=read.text or ""
    )
    for again in (
        receipt.parse(text),
        receipt.parse(b"", receipt.build_tlvs(read.ids[0], outcome)),
    ):
        assert again is not None
        assert again.ids == read.ids[:1]
        assert again.outcome is outcome
