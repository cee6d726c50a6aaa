from __future__ import annotations

import pytest

from gateway.errors import REASONS
from gateway.model import FINAL, Status
from gateway.returns.meaning import MAP_ERRORS, MEANING, meaning
from protocol.receipt import Outcome, Receipt, parse


def test_every_outcome_has_a_meaning() -> None:
    assert set(MEANING) == set(Outcome)
    for status, reason in MEANING.values():
        assert status in FINAL or status is Status.SENT
        assert reason is None or reason in REASONS
    assert set(MAP_ERRORS.values()) <= set(REASONS)


@pytest.mark.parametrize(
    ("text", "tlvs", "expected"),
    [
        (b"id:1 stat:DELIVRD err:000", (), (Status.DELIVERED, None)),
        (b"id:1 stat:ENROUTE", (), (Status.SENT, None)),
        (b"id:1 stat:UNDELIV err:001", (), (Status.UNDELIVERED, "network_error")),
        (
            b"id:1 stat:UNDELIV err:001",
            ((0x0423, b"\x03\x00\x01"),),
            (Status.UNDELIVERED, "unknown_subscriber"),
        ),
        (
            b"id:1 stat:UNDELIV",
            ((0x0423, b"\x01\x00\x01"),),
            (Status.UNDELIVERED, "network_error"),
        ),
        (b"id:1 stat:DELIVRD", ((0x0423, b"\x03\x00\x01"),), (Status.DELIVERED, None)),
        (b"", ((0x001E, b"1\0"), (0x0427, b"\x08")), (Status.REJECTED, "operator_blocked")),
    ],
)
def test_meanings(
    text: bytes, tlvs: tuple[tuple[int, bytes], ...], expected: tuple[Status, str | None]
) -> None:
    receipt = parse(text, tlvs)
    assert receipt is not None
    assert meaning(receipt) == expected


def test_no_outcome_means_nothing() -> None:
    assert meaning(Receipt(id="1", stat="BADSTAT")) is None
