"""Any string is a time in µs, None when empty, or raises PduError with the status asked for; what
is read is written and read back the same to a tenth of a second; a relative time is never before
now; and a receipt's date is a moment or None."""

from __future__ import annotations

from protocol import times
from protocol.constants import ESME_RINVEXPIRY
from protocol.errors import PduError, UsageError

NOW = 1_767_225_600_000_000 + 30 * 86_400_000_000  # 31 January 2026: the next month is shorter

_TENTH = 100_000


def seeds() -> list[bytes]:
    return [
        b"", b"260131120000000+", b"260131120000548-", b"691231235959900+", b"000000010000000R",
        b"990100000000000R", b"000131235959000R", b"020610233429000R", b"260229000000000+",
        b"240229000000000+", b"260131120000", b"260131120000000", b"261332256161999+",
        b"2601311200", b"20260131120000", b"202601311200", b"201012312359", b"1012312359",
        "２６０１３１１２００００".encode(), "٢٦٠١٣١١٢٠٠٠٠".encode(), b"+260131120000000",
        b" 2601311200\x00",
    ]  # fmt: skip


def check(data: bytes) -> None:
    for value in {data.decode("latin-1"), data.decode("utf-8", "replace")}:
        _check_time(value)
        for offset in (0, 5 * 3600 + 1800, -12 * 3600):
            at = times.receipt_date(value, offset)
            assert at is None or isinstance(at, int)


def _check_time(value: str) -> None:
    try:
        at = times.parse(value, NOW, ESME_RINVEXPIRY)
    except PduError as error:
        assert error.command_status == ESME_RINVEXPIRY
        assert str(error)
        return
    if at is None:
        assert value == ""
        return
    if value.endswith("R"):
        assert at >= NOW
        seconds = (at - NOW) // 1_000_000
        if seconds < 31 * 86_400:
            assert times.parse(times.format_relative(seconds), NOW) == NOW + seconds * 1_000_000
    for quarters in (0, 48, -48, 23):
        try:
            written = times.format_absolute(at, quarters)
        except UsageError:
            # Relative times reach beyond the years that two digits tell; absolute ones only by
            # their zone.
            assert value.endswith("R") or value[:2] in ("68", "69")
            continue
        assert times.parse(written, 0) == at // _TENTH * _TENTH
