"""A short run of every target, and proof that each one sees a fault and the long run keeps it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from protocol import pdu as pdus
from protocol import receipt, segment, times, tlv, udh, words
from protocol.connection import Connection
from protocol.window import Window

from .mutate import mutated
from .targets import TARGETS, Target
from .worker import Run

INPUTS = 2_000


def short_run(target: Target) -> None:
    random = Random(1)
    seeds = target.seeds()
    for data in seeds:
        target.check(data)
    for _ in range(INPUTS):
        data = mutated(seeds, random)
        try:
            target.check(data)
        except Exception as error:
            error.add_note(f"{target.name}: {data.hex()}")
            raise


@pytest.mark.parametrize("name", TARGETS)
def test_the_invariant_stands(name: str) -> None:
    short_run(TARGETS[name])


def concat_unchecked(self: udh.Header, reference: int, bits: int, total: int, seq: int) -> None:
    self.concat = udh.Concat(reference, bits, total, seq)


def cut_anywhere(text: str, data: bytes, limit: int, *rest: Any) -> list[bytes]:
    return [data[at : at + limit] for at in range(0, len(data), limit)]


def any_date(year: int, rest: str, utc_offset: int) -> int:
    return times.date(year, int(rest[:2]), int(rest[2:4])).toordinal()


def lost_silently(self: Window, discarded: bool) -> list[Any]:
    self.outstanding.clear()
    return []


def too_long_a_tail(self: Connection, data: bytes, pos: int, events: list[Any]) -> None:
    self._needed = 0
    self._tail += memoryview(data)[pos:]


times_read = times.receipt_date

# One mistake that somebody might make in each module a target watches.
FAULTS: list[tuple[str, Any, str, Any]] = [
    ("decode", pdus, "_read", lambda pdu, octets: None),
    ("session", Window, "end", lost_silently),
    ("session", Connection, "_keep_alive", lambda self, now: None),
    ("session", Connection, "_keep_tail", too_long_a_tail),
    ("receipt", times, "receipt_date", lambda raw, utc_offset=0: int(raw or 0)),
    ("receipt", receipt, "_brief", lambda text: receipt.re.match(b"(.*)(.*)(.*)", text)),
    ("tlvs", tlv, "_repeated", lambda data: ()),
    ("udh", udh.Header, "_concat", concat_unchecked),
    ("text", segment, "_cut_text", cut_anywhere),
    ("times", times, "_date", any_date),
]


@pytest.mark.parametrize(("name", "owner", "attribute", "fault"), FAULTS)
def test_a_fault_is_found_in_the_short_run(
    name: str, owner: Any, attribute: str, fault: Callable[..., Any], monkeypatch: Any
) -> None:
    monkeypatch.setattr(owner, attribute, fault)
    times_read.cache_clear()  # or dates would be remembered from the runs before
    with pytest.raises(Exception):  # noqa: B017  (whichever way it shows)
        short_run(TARGETS[name])


def test_a_value_without_a_meaning_is_found_in_the_short_run(monkeypatch: Any) -> None:
    monkeypatch.setitem(words._WORDS, "interface_version", {0x34: "SMPP 3.4"}.__getitem__)
    with pytest.raises(KeyError):
        short_run(TARGETS["dump"])


def test_a_failing_input_is_kept_once_for_each_kind_and_can_be_tried_again(tmp_path: Path) -> None:
    run = Run("udh", 10**9, 1, tmp_path)

    def check(data: bytes) -> None:
        assert data != b"bad" and data != b"worse", "as planted"

    run.target = run.target._replace(check=check)
    for data in (b"good", b"bad", b"worse", b"bad"):
        run.one(data)
    run.write()
    told = json.loads(run.tally.read_text())
    assert (told["inputs"], told["failures"], len(told["kinds"])) == (4, 3, 1)
    (kept,) = run.failures.iterdir()
    assert kept.read_bytes() == b"bad"
    again = fuzz("--replay", str(kept))
    assert again.returncode == 0, again.stderr  # the target itself has nothing against it
    assert again.stdout.endswith("The invariant stands.\n")


@pytest.mark.slow
def test_the_long_run_counts_its_inputs_and_keeps_its_corpus(tmp_path: Path) -> None:
    arguments = ["--inputs", "6000", "--target", "udh", "--target", "times", "--cores", "1"]
    ran = fuzz(*arguments, "--directory", str(tmp_path))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.splitlines()[-1].startswith("6,000 inputs, ")
    assert ran.stdout.splitlines()[-1].endswith(" seconds, 0 failures")
    assert len(list((tmp_path / "corpus" / "udh").iterdir())) >= len(TARGETS["udh"].seeds())


@pytest.mark.slow
def test_a_worker_that_dies_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "failures").write_text("not a directory")
    arguments = ["--inputs", "100", "--target", "times", "--cores", "1"]
    ran = fuzz(*arguments, "--directory", str(tmp_path))
    assert ran.returncode == 1
    assert ran.stdout.splitlines()[-1].endswith(" 1 failures")


def fuzz(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.fuzz", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
