"""Explanations: each check in order, what it decided and by which rule."""

from __future__ import annotations

import asyncio

from click.testing import CliRunner

from gateway.admission import ORDER
from gateway.cli import main
from gateway.store.messages import OptOut
from tests.ingress.client import KEY, Client
from tests.ingress.conftest import OTHER, Rig, carrier

CHECKS = [check.__module__.rpartition(".")[2] for check in ORDER]
MESSAGE = {"from": "ACME", "to": "+79161234567", "text": "Заказ готов", "category": "service"}


def step(answer: dict, name: str) -> dict:
    (found,) = [one for one in answer["steps"] if one["check"] == name]
    return found


async def test_every_check_tells_what_it_did_in_order(client: Client, rig: Rig):
    answer = await client.post("/v1/messages/explain", MESSAGE)
    told = answer.json
    assert answer.status == 200
    assert [one["check"] for one in told["steps"]] == CHECKS
    assert told["verdict"] == "It would leave now, over op."
    assert (told["status"], told["reason"], told["route"]) == ("queued", None, "main")
    assert step(told, "number")["changes"] == {"number": "+7916****567", "country": "RU"}
    assert step(told, "number")["rules"][0]["source"]
    assert all(one["rules"][0]["rule"] for one in told["steps"])
    assert step(told, "encode")["changes"] == {
        "characters": "11", "parts": "1", "encoding": "ucs2",
    }  # fmt: skip
    assert told["carriers"][0]["takes"] is True
    assert b"79161234567" not in answer.body
    assert rig.store.waiting("shop") == 0


async def test_a_refusal_ends_it_and_the_rest_is_not_reached(client: Client, rig: Rig):
    await rig.store.opt_out([OptOut("shop", 79161234567, "*", "*", rig.clock(), "api")])
    told = (await client.post("/v1/messages/explain", MESSAGE)).json
    assert told["verdict"].startswith("It would be refused by `opt_out`: ")
    assert (told["status"], told["reason"]["code"]) == (None, "opted_out")
    refusing = CHECKS.index("opt_out")
    assert told["steps"][refusing]["decision"] == "refuses"
    assert {one["decision"] for one in told["steps"][refusing + 1 :]} == {"not reached"}
    assert told["carriers"] == []


async def test_what_concerns_the_whole_submission_is_a_step_too(client: Client, rig: Rig):
    told = (await client.post("/v1/messages/explain", MESSAGE | {"from": "Ä"})).json
    assert step(told, "sender")["reason"]["code"] == "sender_not_allowed"
    told = (await client.post("/v1/messages/explain", MESSAGE | {"text": "  "})).json
    assert step(told, "render")["reason"]["code"] == "empty_text"


async def test_when_no_carrier_takes_messages_it_says_why(client: Client, rig: Rig):
    rig.carriers = [carrier("op", 0, 2, "bind refused: ESME_RINVPASWD")]
    told = (await client.post("/v1/messages/explain", MESSAGE)).json
    assert told["verdict"] == "It would wait: no carrier of its route takes messages now."
    assert "ESME_RINVPASWD" in told["carriers"][0]["why"]


async def test_a_message_is_explained_by_its_id(client: Client, rig: Rig):
    sent = (await client.post("/v1/messages", MESSAGE)).json
    told = (await client.post("/v1/messages/explain", {"id": sent["id"]})).json
    assert told["verdict"] == "It is queued. It would leave now, over op."
    assert told["message"]["id"] == sent["id"]
    other = await client.post("/v1/messages/explain", {"id": sent["id"]}, key=OTHER)
    assert other.json["errors"][0]["pointer"] == "#/id"


async def test_what_is_no_question_is_refused(client: Client, rig: Rig):
    for wrong, pointer in (
        ({}, "#/to"), ({"to": "+79161234567"}, "#/text"), ({"id": "msg_1", "to": "+1"}, "#/id"),
    ):  # fmt: skip
        answer = await client.post("/v1/messages/explain", wrong)
        assert answer.status in (400, 422)
        assert answer.json["errors"][0]["pointer"] == pointer
    assert (await client.post("/v1/messages/explain", {"id": "msg_x"})).status == 422


async def test_the_command_prints_the_steps(client: Client, rig: Rig):
    def run(*arguments: str, key: str = KEY):
        command = ["explain", "--http", f"http://127.0.0.1:{rig.api.port}", "--key", key]
        return CliRunner().invoke(main, [*command, *arguments])

    message = ["--to", "+79161234567", "--from", "ACME", "--text", "hello"]
    result = await asyncio.to_thread(run, *message)
    assert result.exit_code == 0, result.output
    assert result.output.startswith("It would leave now, over op.")
    for name in CHECKS:
        assert f"  {name}" in result.output
    assert "because" in result.output
    assert (await asyncio.to_thread(run, *message, "--json")).output.startswith("{")
    wrong = await asyncio.to_thread(run, *message, key="ak_wrong")
    assert wrong.exit_code == 1
    assert "key" in wrong.output
    assert (await asyncio.to_thread(run)).exit_code == 2
