"""kill -9 at any moment: nothing acknowledged is missing, every message has exactly one place."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from workbench import SECOND, Bench

from gateway.ids import decode
from gateway.model import FINAL, STATUS_BY_NAME, Status

pytestmark = pytest.mark.slow

ROUNDS = 4


def run_until_killed(directory: Path, seed: int) -> dict[str, set[int]]:
    """Let the child work, kill it after some acknowledgements; what it had been told by then."""
    child = subprocess.Popen(
        [
            sys.executable,
            str(Path(__file__).with_name("crash_child.py")),
            str(directory),
            str(seed),
        ],
        stdout=subprocess.PIPE,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join((str(Path(__file__).parent), os.getcwd())),
        },
    )
    assert child.stdout is not None
    told: dict[str, set[int]] = defaultdict(set)
    left = random.Random(seed).randint(5, 400)
    for line in child.stdout:
        if not line.endswith(b"\n"):
            break  # it died saying so
        kind, ids = json.loads(line)
        told[kind].update(ids)
        left -= 1
        if left == 0:
            child.send_signal(signal.SIGKILL)  # lines told until it dies are read as well
    assert child.wait() == -signal.SIGKILL
    return told


async def test_nothing_acknowledged_is_lost_and_nothing_is_in_two_places(tmp_path: Path):
    accepted: set[int] = set()
    outcomes: dict[int, Status] = {}
    kept: set[int] = set()
    joined: set[int] = set()
    for seed in range(1, ROUNDS + 1):
        told = run_until_killed(tmp_path, seed)
        assert told["accepted"], "the child never got to work"
        accepted |= told["accepted"]
        bench = Bench(tmp_path)
        bench.now += seed * 60 * SECOND + 30 * SECOND
        statuses = {
            identifier: Status(status)
            for identifier, status in bench.sql("SELECT id, status FROM messages")
        }
        # Accepted means on disk, as a whole: a key is there with its messages or not at all.
        assert accepted <= statuses.keys()
        # A customer's part was told an id: it waits, or its message is there; never both or
        # neither, and what had its message keeps it.
        waiting = {row[0] for row in bench.sql("SELECT id FROM waiting_parts")}
        messages = dict(bench.sql("SELECT id, message FROM told_ids"))
        assert set(told["found"]) == kept - joined
        kept |= told["kept"]
        joined |= told["joined"]
        assert kept <= waiting | messages.keys()
        assert not waiting & messages.keys()
        assert joined <= messages.keys()
        assert set(messages.values()) <= statuses.keys()
        # What was on its way to disk when the child died may be there without having been told.
        kept |= waiting | messages.keys()
        joined |= messages.keys()
        # What was settled or told by the operator stands, also through the crashes after it.
        for kind, status in (("rejected", Status.REJECTED), ("delivered", Status.DELIVERED)):
            outcomes.update(dict.fromkeys(told[kind], status))
        assert {i: statuses[i] for i in outcomes} == outcomes
        for identifier in told["sent"]:
            assert statuses[identifier] in (Status.SENT, Status.DELIVERED)
        # Intent before wire: whatever may have been on its way is known to be so.
        sequences = dict(bench.sql("SELECT id, sequence FROM messages"))
        assert all(sequences[identifier] >= 1 for identifier in told["leased"])
        in_doubt = {i for i, status in statuses.items() if status is Status.SENDING}

        recovered = await bench.open()
        assert recovered.resent + recovered.unknown == len(in_doubt)
        bench.check()
        check_events(bench, in_doubt)
        assert bench.sql("SELECT count(*) FROM messages WHERE status = 5") == [(0,)]
        receipts = [bench.receipt(i) for i, s in statuses.items() if s is Status.SENT]
        fates = await bench.receive(*receipts)  # also those sent before the crash are found
        assert [fate.matched for fate in fates] == [0] * len(receipts)
        outcomes.update(dict.fromkeys(
            (i for i, s in statuses.items() if s is Status.SENT), Status.DELIVERED
        ))  # fmt: skip
        bench.check()
        await bench.store.close()


def check_events(bench: Bench, in_doubt: set[int]) -> None:
    """Every change is an event, once: their last agrees with the message, and they are in order."""
    last: dict[int, tuple[int, str]] = {}
    finals: dict[int, int] = defaultdict(int)
    for event in bench.events():
        identifier = decode("msg", event["message"])
        assert identifier is not None
        assert event["sequence"] > last.get(identifier, (0, ""))[0]
        last[identifier] = (event["sequence"], event["status"])
        finals[identifier] += STATUS_BY_NAME[event["status"]] in FINAL
    assert max(finals.values(), default=0) <= 1
    for identifier, status, sequence in bench.sql("SELECT id, status, sequence FROM messages"):
        if status == Status.QUEUED:
            # New, retried in silence, or in doubt and queued again: told in the last case.
            if identifier in in_doubt:
                assert last[identifier] == (sequence, "queued")
        else:
            assert last[identifier] == (sequence, Status(status).public)
    keys = {row[0] for row in bench.sql("SELECT key FROM idempotency")}
    contents = bench.sql("SELECT count(*) FROM contents")[0][0]
    assert len(keys) == contents  # one submission, one key: neither without the other
