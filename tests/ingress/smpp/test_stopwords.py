"""Stop-words in what SMPP customers submit: parts are read joined, texts judged one by one."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.policies import Policy
from gateway.admission.judging import Moderation
from gateway.admission.word_lists import WordLists
from gateway.ingress.smpp import split
from gateway.model import Status
from gateway.store.moderation import Decision
from gateway.store.records import MessageFilter
from protocol import constants as c
from protocol.tlv import TLVS
from tests.ingress.smpp.conftest import Rig
from tests.ingress.smpp.esme import submit

WORSE = """
name = "worse"
language = "en"
version = "1"
on_match = "reject"
[[classes]]
name = "any"
entries = ["forbidden"]
"""


@pytest.fixture
async def words(alone: Rig, tmp_path: Path) -> WordLists:
    path = tmp_path / "worse.toml"
    path.write_text(WORSE, "utf-8")
    words = WordLists(alone.store, alone.metrics)
    await words.apply(Policy(stopwords=("ru", "en", str(path))))
    alone.world.moderation = Moderation(words, alone.store)
    return words


async def statuses(rig: Rig) -> dict[str, tuple[int, str | None]]:
    found = await rig.store.search(MessageFilter("shop"), 100)
    return {one.text: (one.status, one.reason) for one in found}


async def test_a_word_over_two_parts_is_found(alone: Rig, words: WordLists) -> None:
    esme = await alone.bound()
    for part, piece in enumerate(("Ваш кре", "дит одобрен"), start=1):
        header = bytes((5, 0, 3, 9, 2, part))
        fields = {"esm_class": c.ESM_CLASS_UDHI, "data_coding": 8}
        octets = header + piece.encode("utf-16-be")
        assert (await esme.ask(submit(octets, **fields))).command_status == c.ESME_ROK
    assert await statuses(alone) == {
        "Ваш кредит одобрен": (Status.HELD_MODERATION, "stop_word")
    }  # fmt: skip
    (item,) = await alone.store.items("shop", None, 10)
    assert item.text.words == ("ru/credit: кредит*",)


@pytest.mark.parametrize("sar", [False, True])
async def test_parts_of_a_word_that_come_too_late_for_each_other_wait(
    alone: Rig, words: WordLists, sar: bool
) -> None:
    """A phone joins them whenever they come."""
    esme = await alone.bound()
    for part, piece in enumerate((b"Our cas", b"ino opens"), start=1):
        if sar:
            names = ("sar_msg_ref_num", "sar_total_segments", "sar_segment_seqnum")
            values = (b"\0\x09", b"\x02", bytes((part,)))
            tlvs = [(TLVS[name].tag, value) for name, value in zip(names, values, strict=True)]
            pdu = submit(piece, tlvs=tuple(tlvs))
        else:
            pdu = submit(bytes((5, 0, 3, 9, 2, part)) + piece, esm_class=c.ESM_CLASS_UDHI)
        assert (await esme.ask(pdu)).command_status == c.ESME_ROK
        alone.clock.move(split.JOIN_WITHIN / 1_000_000 + 1)
        alone.server.intake.tick()
        await alone.server.intake.finished(5.0)
    waits = (Status.HELD_MODERATION, "awaiting_moderation")
    assert await statuses(alone) == {"Our cas": waits, "ino opens": waits}


async def test_texts_of_one_read_are_judged_each_by_itself(alone: Rig, words: WordLists) -> None:
    esme = await alone.bound()
    texts = [b"Play at our casino", b"Hello", b"Join the CASlN0", b"Play at our casino"]
    pdus = [submit(text, f"7916123000{place}") for place, text in enumerate(texts)]
    answers = await esme.ask_all(pdus)
    assert {answer.command_status for answer in answers} == {c.ESME_ROK}
    found = await alone.store.search(MessageFilter("shop"), 100)
    held = Status.HELD_MODERATION
    assert [one.status for one in sorted(found, key=lambda one: one.number)] == [
        held, Status.QUEUED, held, held,
    ]  # fmt: skip
    items = {item.text.text: item for item in await alone.store.items("shop", None, 10)}
    assert set(items) == {"Play at our casino", "Join the CASlN0"}
    one, other = items["Play at our casino"].id, items["Join the CASlN0"].id
    await alone.store.decide(
        None,
        [Decision(one, True, "mod", alone.clock()), Decision(other, False, "mod", alone.clock())],
    )
    answers = await esme.ask_all([submit(texts[0], "79161230009"), submit(texts[2], "79161230008")])
    assert [one.command_status for one in answers] == [c.ESME_ROK, c.ESME_RSUBMITFAIL]


async def test_a_list_that_rejects_is_heard(alone: Rig, words: WordLists) -> None:
    esme = await alone.bound()
    wrong, right = await esme.ask_all(
        [submit(b"f.o.r.b.i.d.d.e.n"), submit(b"allowed", "79161234568")]
    )
    assert (wrong.command_status, right.command_status) == (c.ESME_RSUBMITFAIL, c.ESME_ROK)
