"""Texts over SMPP, where operators must have approved them."""

from __future__ import annotations

from typing import Any

from config.settings import Carrier, Route
from gateway.policy.templates import Approval, RegisteredTemplate, Templates
from gateway.routing import RoutingTable
from gateway.store.records import MessageFilter
from protocol import constants as c
from protocol.pdu import ReplaceSm
from tests.ingress.smpp.conftest import Rig
from tests.ingress.smpp.esme import submit


def demand(rig: Rig, fallback: Any, *names: str) -> None:
    carriers = [
        Carrier(name="op", templates_required=("service",), template_fallback=fallback),
        Carrier(name="other"),
    ]
    rig.world.routing = RoutingTable([Route(name="main", carriers=names or ("op",))], carriers)
    doc = RegisteredTemplate("Order {{n}} is ready", approvals=(Approval("op", "approved"),))
    rig.world.registered.templates = Templates([("shop", "ready", doc)])


async def test_each_text_of_a_read_is_what_it_is(alone: Rig) -> None:
    """Submits of one shape share a submission elsewhere; here one may be service and the next
    advertising."""
    demand(alone, "advertising")
    esme = await alone.bound()
    texts = [b"Order %d is ready" % n if n % 2 else b"Buy {{%d}}" % n for n in range(6)]
    responses = await esme.ask_all(
        [submit(text, f"7916{n:07d}") for n, text in enumerate([*texts, b"Buy", b"Buy"])]
    )
    assert {response.command_status for response in responses} == {c.ESME_ROK}
    found = await alone.store.search(MessageFilter("shop"), 20)
    assert {(view.text[:3] if not view.vars else "Buy", view.category) for view in found} == {
        ("Ord", "service"),
        ("Buy", "advertising"),
    }
    assert len(found) == 8


async def test_what_matches_nothing_is_refused_alone(alone: Rig) -> None:
    demand(alone, "reject")
    esme = await alone.bound()
    good, bad, empty = await esme.ask_all(
        [
            submit(b"Order 17 is ready"),
            submit(b"Buy", "79160000001"),
            submit(b"{{ }}", "79160000002"),
        ]
    )
    assert good.command_status == c.ESME_ROK
    assert bad.command_status == empty.command_status == c.ESME_RSUBMITFAIL
    assert alone.metric("aldis_messages_ineligible_total", 'reason="template_mismatch"') == 2


async def test_a_waiting_message_is_not_replaced_by_what_may_not_go_its_way(alone: Rig) -> None:
    demand(alone, "reject", "op", "other")
    esme = await alone.bound()
    told = await esme.ask(submit(b"Order 17 is ready"))
    values = {"message_id": told.message_id, "source_addr": "ACME"}
    refused = await esme.ask(ReplaceSm(**values, short_message=b"Buy"))
    assert refused.command_status != c.ESME_ROK
    taken = await esme.ask(ReplaceSm(**values, short_message=b"Order 18 is ready"))
    assert taken.command_status == c.ESME_ROK
    [view] = await alone.store.search(MessageFilter("shop"), 20)
    assert view.text == "Order 18 is ready"
