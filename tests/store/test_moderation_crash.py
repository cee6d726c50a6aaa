"""kill -9 while texts are held, decided and carried out: every message follows its text's word."""

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
from held import carry_out
from workbench import SECOND, Bench

from gateway.ids import decode
from gateway.model import STATUS_BY_NAME, Status

pytestmark = pytest.mark.slow

ROUNDS = 3


def run_until_killed(directory: Path, seed: int) -> dict[str, set[int]]:
    """What the child was told before it was killed."""
    here = Path(__file__)
    path = os.pathsep.join((str(here.parent), os.getcwd()))
    child = subprocess.Popen(
        [sys.executable, str(here.with_name("moderation_child.py")), str(directory), str(seed)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert child.stdout is not None
    told: dict[str, set[int]] = defaultdict(set)
    left = random.Random(seed).randint(50, 300)
    for line in child.stdout:
        if not line.endswith(b"\n"):
            break
        kind, ids = json.loads(line)
        told[kind].update(ids)
        left -= 1
        if left == 0:
            child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    return told


def check_held(bench: Bench) -> None:
    """A message is in `held` exactly as long as it is held, and memory counts what the file has."""
    rows = {row[0] for row in bench.sql("SELECT message FROM held")}
    assert rows == {row[0] for row in bench.sql("SELECT id FROM messages WHERE status = 2")}
    undecided = "FROM held JOIN items ON items.id = item WHERE state = 'waiting'"
    waiting = bench.store.items_waiting().get("shop")
    counted = (waiting.messages, waiting.items) if waiting else (0, 0)
    assert [counted] == bench.sql(f"SELECT count(*), count(DISTINCT item) {undecided}")


async def test_every_message_follows_the_word_on_its_text(tmp_path: Path):
    accepted: set[int] = set()
    sent: set[int] = set()
    canceled: set[int] = set()
    words: dict[int, str] = {}
    broken_off = 0
    for seed in range(1, ROUNDS + 1):
        told = run_until_killed(tmp_path, seed)
        assert told["accepted"]
        assert told["approved"]
        accepted |= told["accepted"]
        sent |= told["sent"]
        canceled |= told["canceled"]
        for state in ("approved", "rejected"):
            words.update(dict.fromkeys(told[state], state))
        bench = Bench(tmp_path)
        bench.now += seed * 60 * SECOND + 30 * SECOND
        # What was answered is on disk: messages, decisions, each with its event and the trail.
        item_of = dict(bench.sql("SELECT message, item FROM held"))
        assert accepted <= {row[0] for row in bench.sql("SELECT id FROM messages")}
        states = dict(bench.sql("SELECT id, state FROM items"))
        assert words.items() <= states.items()
        broken_off += len([item for item in item_of.values() if states[item] != "waiting"])
        decided = {decode("itm", e["item"]): e["decision"] for e in
                   bench.events("moderation.decided")}  # fmt: skip
        assert decided == {item: s for item, s in states.items() if s != "waiting"}
        trail = bench.sql("SELECT count(*), count(DISTINCT subject) FROM audit")
        assert trail == [(len(decided), len(decided))]

        await bench.open()
        check_held(bench)
        await carry_out(bench)
        check_held(bench)
        bench.check()
        fates = dict(bench.sql("SELECT id, status FROM messages"))
        for message, item in item_of.items():
            assert (
                fates[message]
                == {
                    "waiting": Status.HELD_MODERATION,
                    "approved": Status.QUEUED,
                    "rejected": Status.REJECTED,
                }[states[item]]
            )
        assert {fates[one] for one in canceled} <= {Status.CANCELED}
        assert {fates[one] for one in sent} <= {Status.SENT}
        check_story(bench)
        await bench.store.close()
    assert broken_off, "no crash came between a decision and its end; the test shows nothing"


def check_story(bench: Bench) -> None:
    """No message is released or rejected twice, and none skips the moderator."""
    stories: dict[int, list[str]] = defaultdict(list)
    for event in bench.events():
        identifier = decode("msg", event["message"])
        assert identifier is not None
        stories[identifier].append(event["status"])
    ways = {tuple(story) for story in stories.values()}
    released = ("held_moderation", "queued")
    assert ways <= {
        released[:1],
        ("held_moderation", "canceled"),
        ("held_moderation", "rejected"),
        released,
        (*released, "canceled"),
        (*released, "sent"),
        (*released, "queued"),  # leased when it was killed: in doubt, queued again
        (*released, "queued", "sent"),
    }
    last = {one: STATUS_BY_NAME[story[-1]] for one, story in stories.items()}
    assert last == dict(bench.sql("SELECT id, status FROM messages"))
