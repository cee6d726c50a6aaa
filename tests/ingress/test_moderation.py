"""Moderation over HTTP: who sees what, who has what, what is decided, and the trail of it."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

import pytest
from msgspec import structs

from config.policies import Moderation
from gateway.ids import encode
from gateway.model import STATUS_NAMES, Status
from gateway.store.messages import Content, NewMessage, Submission, Text
from tests.ingress.client import KEY, Client
from tests.ingress.conftest import CHIEF, MODERATOR, NOW, OTHER, READER, SECOND, Rig

ITEMS = "/v1/moderation/items"
DECISIONS = "/v1/moderation/decisions"
AUDIT = "/v1/moderation/audit"


async def held(
    rig: Rig, count: int = 1, said: str = "Кредит", account: str = "shop", **more: Any
) -> str:
    """Messages that wait for one text; returns its item's id as the API spells it."""
    store, now = rig.store, rig.clock()
    digest = hashlib.blake2b(f"{account}{said}".encode(), digest_size=16).digest()
    text = Text(digest, account, "ACME", "service", said, ("ru/credit: кредит*",), **more)
    (content,) = store.new_ids(1, now)
    messages = [
        NewMessage(one, 79161234567, "main/service", Status.HELD_MODERATION, now, now + 86_400 *
                   SECOND, 1, 0, reason="stop_word", text=0)
        for one in store.new_ids(count, now)
    ]  # fmt: skip
    submission = Submission(
        Content(content, account, "ACME", said, "service"), messages, texts=[text]
    )
    assert await store.accept([submission]) == [None]

    page = await store.items(account, None, 1_000)
    return encode("itm", next(one.id for one in page if one.text.fingerprint == digest))


@pytest.fixture
async def moderator(rig: Rig):
    async with rig.client(MODERATOR) as client:
        yield client


@pytest.fixture
async def chief(rig: Rig):
    async with rig.client(CHIEF) as client:
        yield client


async def test_an_item_as_moderators_see_it(rig: Rig, moderator: Client):
    item = await held(rig, 3, template="loan")
    rig.clock.move(90)
    reply = await moderator.get(f"{ITEMS}/{item}")
    assert reply.json == {
        "id": item, "state": "waiting", "account": "shop", "sender": "ACME", "category": "service",
        "text": "Кредит", "words": ["ru/credit: кредит*"], "template": "loan", "messages": 3,
        "waiting": 3, "created_at": "2026-11-18T11:06:40Z", "first_due_at": "2026-11-18T11:06:40Z",
        "age_seconds": 90.0, "claimed_by": None, "claimed_until": None, "decided_by": None,
        "decided_at": None, "reason": None,
    }  # fmt: skip
    page = await moderator.get(ITEMS)
    assert page.json == {"data": [reply.json], "next_cursor": None}


async def test_pages_and_states(rig: Rig, moderator: Client):
    ids = []
    for n in range(5):
        ids.append(await held(rig, 1, f"text {n}"))
        rig.clock.move(1)
    await moderator.post(f"{ITEMS}/{ids[1]}/approve")
    await moderator.post(f"{ITEMS}/{ids[2]}/reject", {"reason": "no"})

    async def listed(query: str) -> list[str]:
        return [one["id"] for one in (await moderator.get(f"{ITEMS}{query}")).json["data"]]

    assert await listed("") == ids
    assert await listed("?state=waiting") == [ids[0], ids[3], ids[4]]
    assert await listed("?state=approved,rejected") == ids[1:3]
    first = await moderator.get(f"{ITEMS}?state=waiting&limit=2")
    assert [one["id"] for one in first.json["data"]] == [ids[0], ids[3]]
    assert 'rel="next"' in first.headers["Link"]
    cursor = first.json["next_cursor"]
    assert await listed(f"?state=waiting&limit=2&cursor={cursor}") == [ids[4]]
    for query in ("?state=held", "?state=", "?limit=0", "?cursor=x", "?sender=ACME"):
        assert (await moderator.get(f"{ITEMS}{query}")).code == "invalid_parameter"


async def test_who_sees_what(rig: Rig, moderator: Client, chief: Client):
    own, other = await held(rig), await held(rig, account="other")
    assert [one["id"] for one in (await moderator.get(ITEMS)).json["data"]] == [own]
    assert {one["id"] for one in (await chief.get(ITEMS)).json["data"]} == {own, other}
    page = await chief.get(f"{ITEMS}?account=other")
    assert [one["id"] for one in page.json["data"]] == [other]
    assert (await moderator.get(f"{ITEMS}?account=shop")).status == 200
    for path in (ITEMS, AUDIT):
        assert (await moderator.get(f"{path}?account=other")).code == "missing_scope"
    for call in (
        moderator.get(f"{ITEMS}/{other}"),
        moderator.post(f"{ITEMS}/{other}/claim"),
        moderator.post(f"{ITEMS}/{other}/release"),
        moderator.post(f"{ITEMS}/{other}/approve"),
        moderator.post(f"{ITEMS}/{other}/reject", {"reason": "no"}),
        moderator.get(f"{ITEMS}/{encode('itm', 4711)}"),
        moderator.get(f"{ITEMS}/msg_0000000000001"),
    ):
        assert (await call).code == "not_found"
    bulk = await moderator.post(DECISIONS, {"decisions": [{"id": other, "decision": "approve"}]})
    assert bulk.json["data"][0]["outcome"] == "unknown"
    assert (await chief.post(f"{ITEMS}/{other}/approve")).status == 200
    for key in (KEY, READER):
        async with rig.client(key) as client:
            assert (await client.get(ITEMS)).code == "missing_scope"
            assert (await client.post(f"{ITEMS}/{own}/approve")).code == "missing_scope"


async def test_a_claim_is_one_moderators_until_it_is_over(rig: Rig, moderator: Client):
    item = await held(rig)
    ann, bob = {"moderator": "ann"}, {"moderator": "bob"}
    claimed = await moderator.post(f"{ITEMS}/{item}/claim", ann)
    assert claimed.json["claimed_by"].endswith("/ann")
    assert claimed.json["claimed_until"] == "2026-11-18T11:16:40Z"
    for verb, body in (("claim", bob), ("release", bob), ("approve", bob),
                       ("reject", {**bob, "reason": "no"}), ("claim", {})):  # fmt: skip
        refused = await moderator.post(f"{ITEMS}/{item}/{verb}", body)
        assert (refused.status, refused.code) == (409, "item_taken")
        assert refused.json["detail"].endswith("/ann has it until 11:16:40 UTC")
    released = await moderator.post(f"{ITEMS}/{item}/release", ann)
    assert (released.json["claimed_by"], released.json["claimed_until"]) == (None, None)
    assert (await moderator.post(f"{ITEMS}/{item}/claim", bob)).status == 200
    rig.clock.move(600)  # `claim_timeout`
    assert (await moderator.get(f"{ITEMS}/{item}")).json["claimed_by"] is None
    decided = await moderator.post(f"{ITEMS}/{item}/reject", {**ann, "reason": "no licence"})
    assert decided.json["state"] == "rejected"
    assert decided.json["reason"] == "no licence"
    assert decided.json["decided_by"].endswith("/ann")
    assert decided.json["age_seconds"] == 600
    for verb, body in (("claim", ann), ("release", ann), ("approve", ann),
                       ("reject", {"reason": "no"})):  # fmt: skip
        refused = await moderator.post(f"{ITEMS}/{item}/{verb}", body)
        assert (refused.status, refused.code) == (409, "item_decided")
        assert refused.json["detail"].endswith("/ann has rejected it")


async def test_two_moderators_at_once(rig: Rig, moderator: Client, chief: Client):
    ids = [await held(rig, 2, f"text {n}") for n in range(15)]
    for item in ids:
        replies = await asyncio.gather(
            moderator.post(f"{ITEMS}/{item}/claim", {"moderator": "ann"}),
            chief.post(f"{ITEMS}/{item}/claim"),
        )
        assert sorted(reply.status for reply in replies) == [200, 409]
        winner, loser = (moderator, chief) if replies[0].status == 200 else (chief, moderator)
        body = {"moderator": "ann"} if winner is moderator else {}
        late, won = await asyncio.gather(
            loser.post(f"{ITEMS}/{item}/reject", {"reason": "no"}),
            winner.post(f"{ITEMS}/{item}/approve", body),
        )
        assert (won.status, late.status) == (200, 409)
        assert late.code in ("item_taken", "item_decided")
    # Without claims: one decision stands, and its messages have one fate.
    item = await held(rig, 4, "unclaimed")
    replies = await asyncio.gather(
        *(moderator.post(f"{ITEMS}/{item}/approve", {"moderator": f"m{n}"}) for n in range(4)),
        *(chief.post(f"{ITEMS}/{item}/reject", {"reason": "no"}) for _ in range(4)),
    )
    assert sorted(reply.status for reply in replies) == [200] + [409] * 7
    (first,) = [reply for reply in replies if reply.status == 200]
    while await rig.store.carry_out(rig.clock()):
        pass
    fate = "queued" if first.json["state"] == "approved" else "rejected"
    trail = (await chief.get(f"{AUDIT}?item={item}")).json["data"]
    assert [one["action"] for one in trail] == [
        "moderation.approve" if fate == "queued" else "moderation.reject"
    ]


async def test_a_decision_moves_messages(rig: Rig, client: Client, moderator: Client):
    good, bad = await held(rig, 2, "good"), await held(rig, 1, "bad")
    await moderator.post(f"{ITEMS}/{good}/approve", {"reason": "seen the licence"})
    await moderator.post(f"{ITEMS}/{bad}/reject", {"reason": "no"})
    while await rig.store.carry_out(rig.clock()):
        pass
    found = (await client.get("/v1/messages?to=%2B79161234567")).json["data"]
    assert sorted((one["text"], one["status"]) for one in found) == [
        ("bad", STATUS_NAMES[Status.REJECTED]),
        ("good", STATUS_NAMES[Status.QUEUED]), ("good", STATUS_NAMES[Status.QUEUED]),
    ]  # fmt: skip
    reasons = {one["text"]: one["reason"] and one["reason"]["code"] for one in found}
    assert reasons == {"good": None, "bad": "moderation_rejected"}
    assert (await moderator.get(f"{ITEMS}/{good}")).json["waiting"] == 0


async def test_many_decisions_at_once(rig: Rig, moderator: Client):
    ids = [await held(rig, 1, f"text {n}") for n in range(4)]
    await moderator.post(f"{ITEMS}/{ids[2]}/claim", {"moderator": "bob"})
    await moderator.post(f"{ITEMS}/{ids[3]}/approve", {"moderator": "bob"})
    words = [
        {"id": ids[0], "decision": "approve"},
        {"id": ids[1], "decision": "reject", "reason": "no"},
        {"id": ids[2], "decision": "approve"},
        {"id": ids[3], "decision": "reject", "reason": "no"},
        {"id": encode("itm", 4711), "decision": "approve"},
        {"id": "nonsense", "decision": "approve"},
        {"id": ids[0], "decision": "reject", "reason": "twice"},
    ]
    reply = await moderator.post(DECISIONS, {"moderator": "ann", "decisions": words})
    assert [(one["outcome"], one["state"]) for one in reply.json["data"]] == [
        ("done", "approved"), ("done", "rejected"), ("taken", "waiting"), ("decided", "approved"),
        ("unknown", None), ("unknown", None), ("decided", "approved"),
    ]  # fmt: skip
    assert [one["id"] for one in reply.json["data"]] == [one["id"] for one in words]
    assert reply.json["data"][2]["claimed_by"].endswith("/bob")
    assert reply.json["data"][3]["decided_by"].endswith("/bob")


async def test_what_a_decision_must_say(rig: Rig, moderator: Client):
    item = await held(rig)
    for path, body, code, pointer in (
        (f"{ITEMS}/{item}/reject", {}, "missing_field", "#/reason"),
        (f"{ITEMS}/{item}/reject", None, "missing_field", "#/reason"),
        (f"{ITEMS}/{item}/reject", {"reason": ""}, "invalid_value", "#/reason"),
        (f"{ITEMS}/{item}/approve", {"reason": "x" * 501}, "invalid_value", "#/reason"),
        (f"{ITEMS}/{item}/claim", {"moderator": "x" * 101}, "invalid_value", "#/moderator"),
        (f"{ITEMS}/{item}/claim", {"moderator": "a\0b"}, "invalid_text", "#/moderator"),
        (f"{ITEMS}/{item}/claim", {"who": "ann"}, "unknown_field", "#/who"),
        (DECISIONS, {"decisions": []}, "invalid_value", "#/decisions"),
        (DECISIONS, {"decisions": [{"id": item, "decision": "reject"}]}, "missing_field",
         "#/decisions/0/reason"),
        (DECISIONS, {"decisions": [{"id": item, "decision": "maybe"}]}, "invalid_value",
         "#/decisions/0/decision"),
        (DECISIONS, {"decisions": [{"id": item, "decision": "approve"}] * 1_001}, "invalid_value",
         "#/decisions"),
    ):  # fmt: skip
        reply = await moderator.post(path, body)
        assert (reply.status, reply.code) == (422, code)
        assert reply.json["errors"][0]["pointer"] == pointer
    assert (await moderator.post(DECISIONS)).code == "missing_field"
    assert (await moderator.get(f"{ITEMS}/{item}")).json["state"] == "waiting"


async def test_every_look_and_word_is_in_the_trail(rig: Rig, moderator: Client, chief: Client):
    one, two = await held(rig, 2, "one"), await held(rig, 1, "two", "other")
    assert (await moderator.get(f"{ITEMS}?state=rejected")).json["data"] == []  # nothing was shown
    await moderator.get(ITEMS)
    await moderator.get(f"{ITEMS}/{one}")
    await moderator.post(f"{ITEMS}/{one}/claim", {"moderator": "ann"})
    await moderator.post(f"{ITEMS}/{one}/release", {"moderator": "ann"})
    await moderator.post(f"{ITEMS}/{one}/approve", {"moderator": "ann", "reason": "fine"})
    await moderator.post(f"{ITEMS}/{one}/approve")  # comes too late
    await chief.get(ITEMS)
    await chief.post(f"{ITEMS}/{two}/reject", {"reason": "no"})
    trail = (await moderator.get(AUDIT)).json["data"]
    assert [(entry["action"], entry["item"], entry["detail"]) for entry in trail] == [
        ("moderation.approve", one, {"messages": 2, "reason": "fine"}),
        ("moderation.release", one, {}),
        ("moderation.claim", one, {}),
        ("moderation.view", one, {}),
        ("moderation.list", None, {"items": 1, "first": one, "last": one}),
    ]
    assert [entry["actor"].partition("/")[2] for entry in trail] == ["ann"] * 3 + [""] * 2
    everything = (await chief.get(AUDIT)).json["data"]
    assert [entry["account"] for entry in everything[:2]] == ["other", "*"]
    assert len(everything) == 7
    views = await moderator.get(f"{AUDIT}?action=view&item={one}")
    assert [entry["item"] for entry in views.json["data"]] == [one]
    page = await chief.get(f"{AUDIT}?limit=3")
    rest = await chief.get(f"{AUDIT}?limit=1000&cursor={page.json['next_cursor']}")
    assert page.json["data"] + rest.json["data"] == everything
    assert (await chief.get(f"{AUDIT}?action=optout")).code == "invalid_parameter"
    assert NOW // SECOND == 1_795_000_000
    assert everything[0]["at"] == "2026-11-18T11:06:40Z"


async def test_endpoints_may_want_decisions_only(rig: Rig, client: Client):
    body = {"url": "https://c.example/hook", "types": ["moderation.decided"]}
    assert (await client.post("/v1/webhooks", body)).json["types"] == ["moderation.decided"]


async def test_a_full_queue_takes_no_new_texts_and_all_else(rig: Rig):
    rig.store.set_moderation(lambda account: True, 2)
    shop, other = rig.settings.account
    manual = structs.replace(shop, moderation=Moderation(mode="manual"))
    rig.api.configure(structs.replace(rig.settings, account=(manual, other)))

    def message(text: str) -> dict[str, str]:
        return {"from": "ACME", "to": "+79161234567", "text": text}

    async with rig.client() as judged, rig.client(OTHER) as plain:
        assert (await judged.post("/v1/messages", message("one"))).json["status"] == (
            "held_moderation"
        )
        held, code = await asyncio.gather(
            judged.post("/v1/messages", message("two")), plain.post("/v1/messages", message("12"))
        )
        assert (held.status, held.code, held.headers["Retry-After"]) == (503, "overloaded", "60")
        assert (code.status, code.json["status"]) == (202, "queued")
        assert (await judged.post("/v1/messages", message("one"))).status == 202
