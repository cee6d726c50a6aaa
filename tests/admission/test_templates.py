"""Texts that operators must have approved: kept from whom, refused, or become advertising."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from config.settings import Carrier, Route
from gateway.admission import ANSWER, Checks
from gateway.admission.world import World
from gateway.draft import Ask, Draft
from gateway.errors import Refused
from gateway.model import Category
from gateway.policy.senders import RegisteredSender, Senders
from gateway.policy.templates import Approval, RegisteredTemplate, Templates
from gateway.routing import RoutingTable
from gateway.store.messages import RawPart, Tlv
from tests.admission.conftest import NOW, drafts

MakeAsk = Callable[..., Ask]
RU, FR = "+79161234567", "+33612345678"
READY = "Order {{n}} is ready"


def on_record(world: World, **templates: RegisteredTemplate) -> None:
    entries = [("shop", name, doc) for name, doc in templates.items()]
    world.registered.templates = Templates(entries)


def approved(text: str = READY, carrier: str = "op1", **fields: Any) -> RegisteredTemplate:
    more = {name: fields.pop(name) for name in ("operator_id", "tlv") if name in fields}
    return RegisteredTemplate(text, approvals=(Approval(carrier, "approved", **more),), **fields)


@pytest.fixture
def strict(world: World) -> World:
    """RU over op1 (wants templates, else advertising) and op2 (wants them, else nothing);
    FR over op3, which does not care."""
    world.routing = RoutingTable(
        [
            Route(name="ru", carriers=("op1", "op2"), countries=("RU",)),
            Route(name="fr", carriers=("op3", "op2"), countries=("FR",)),
        ],
        [
            Carrier(
                name="op1",
                templates_required=("service", "transactional"),
                template_fallback="advertising",
            ),
            Carrier(name="op2", templates_required=("service", "transactional")),
            Carrier(name="op3"),
        ],
    )
    return world


async def one(world: World, request: Ask, to: str = RU, **values: str) -> Draft:
    draft = Draft(to, values or None)
    draft.notes = []
    await Checks(world).admit(request, [draft])
    return draft


async def test_a_text_goes_by_the_carriers_that_approved_it(strict: World, ask: MakeAsk) -> None:
    on_record(strict, ready=approved())
    request = ask("Order 17 is ready")
    draft = await one(strict, request)
    assert (draft.code, draft.lane) == (None, "ru/service/!op2")
    assert (request.template, request.category) == ("ready", Category.SERVICE)
    on_record(strict, ready=approved(carrier="*"))
    assert (await one(strict, ask("Order 17 is ready"))).lane == "ru/service"


async def test_what_nobody_takes_as_it_is_becomes_advertising(strict: World, ask: MakeAsk) -> None:
    request = ask("Buy now")
    draft = await one(strict, request)
    assert (draft.code, draft.lane, request.category) == (None, "ru/bulk/!op2", "advertising")
    assert draft.notes is not None
    assert any(note.source == "carrier.template_fallback" for note in draft.notes)


async def test_it_is_judged_as_advertising_from_then_on(strict: World, ask: MakeAsk) -> None:
    request = ask("Buy now", account={"strict_consent": True})
    assert (await one(strict, request)).code == "no_consent"


async def test_a_template_may_refuse_the_way_out(strict: World, ask: MakeAsk) -> None:
    on_record(strict, ready=approved(carrier="op9", fallback="reject"))
    draft = await one(strict, ask("Order 17 is ready"))
    assert draft.code == "template_mismatch"
    assert "op1, op2" in draft.detail


async def test_where_some_carrier_does_not_care_the_category_stays(
    strict: World, ask: MakeAsk
) -> None:
    request = ask("Buy now")
    draft = await one(strict, request, FR)
    assert (draft.lane, request.category) == ("fr/service/!op2", "service")


async def test_other_categories_need_no_template(strict: World, ask: MakeAsk) -> None:
    draft = await one(strict, ask("Buy now", category=Category.ADVERTISING))
    assert (draft.lane, dict(draft.without)) == ("ru/bulk", {})


async def test_a_submission_becomes_advertising_whole_or_not_at_all(
    strict: World, ask: MakeAsk
) -> None:
    request, given = ask("Buy now"), drafts(RU, FR, "nobody")
    passed = await Checks(strict).admit(request, given)
    assert [draft.to for draft in passed] == [FR]
    assert request.category == "service"
    assert [draft.code for draft in given] == ["template_mismatch", None, "invalid_number"]
    assert "submit these apart" in given[0].detail
    request, given = ask("Buy now"), drafts(RU, "+79161234568", "nobody")
    assert len(await Checks(strict).admit(request, given)) == 2
    assert request.category == "advertising"


async def test_an_upload_cannot_change_what_is_stored(strict: World, ask: MakeAsk) -> None:
    draft = await one(strict, ask("Buy now", batch=5))
    assert draft.code == "template_mismatch"


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("Order {{n}} is ready", "service"),
        ("Buy now", "advertising"),
        ("{{text}}", "advertising"),
    ],
)
async def test_a_batch_without_recipients_is_judged_by_all_routes(
    strict: World, ask: MakeAsk, text: str, category: str
) -> None:
    strict.routing = RoutingTable(
        [Route(name="ru", carriers=("op1",))],
        [Carrier(name="op1", templates_required=("service",), template_fallback="advertising")],
    )
    on_record(strict, ready=approved())
    request = ask(text)
    assert await Checks(strict).admit(request, []) == []
    assert request.category == category
    strict.routing = RoutingTable(
        [Route(name="ru", carriers=("op1",)), Route(name="fr", carriers=("op3",))],
        [Carrier(name="op1", templates_required=("service",), template_fallback="advertising")],
    )
    request = ask(text)
    await Checks(strict).admit(request, [])
    assert request.category == "service"


async def test_every_recipients_own_text_is_compared(strict: World, ask: MakeAsk) -> None:
    on_record(strict, ready=approved(carrier="*"))
    request = ask("Order {{number}} is ready")
    given = [
        Draft(RU, {"number": "17"}),
        Draft("+79161234568", {"number": "1" * 31}),
        Draft("+79161234569", {}),
    ]
    passed = await Checks(strict).admit(request, given)
    assert [draft.code for draft in given] == [None, "template_mismatch", "missing_variable"]
    assert (passed[0].lane, request.template) == ("ru/service", None)
    assert "slot `n` of template `ready` has 31 characters; at most 30" in given[1].detail
    assert given[1].pointer == "#/vars"


async def test_a_template_gives_text_category_and_limits(world: World, ask: MakeAsk) -> None:
    on_record(
        world,
        code=RegisteredTemplate(
            "Code {{c}}", "transactional", {"c": 6}, (Approval("*", "approved"),)
        ),
    )
    request = ask("", template="code")
    draft = await one(world, request, c="4711")
    assert (draft.text, draft.lane) == ("Code 4711", "main/otp")
    assert (request.text, request.category) == ("Code {{c}}", "transactional")
    long = await one(world, ask("", template="code"), c="1234567")
    assert (long.code, long.pointer) == ("template_mismatch", "#/vars")
    assert "7 characters; at most 6" in long.detail
    other = await one(world, ask("Kode 4711", template="code"))
    assert (other.code, other.pointer) == ("template_mismatch", "#/text")
    assert (await one(world, ask("Code 4711", template="code"))).code is None


@pytest.mark.parametrize(
    ("doc", "options", "said"),
    [
        (None, {}, "no template"),
        (RegisteredTemplate("x"), {}, "no operator has approved"),
        (approved("x", valid_to=NOW), {}, "dates"),
        (approved("x"), {"category": Category.TRANSACTIONAL}, "approved for `service`"),
    ],
)
async def test_templates_that_cannot_be_named(
    world: World, ask: MakeAsk, doc: RegisteredTemplate | None, options: Any, said: str
) -> None:
    if doc is not None:
        on_record(world, t=doc)
    with pytest.raises(Refused, match=said) as refused:
        await Checks(world).admit(ask("x", template="t", **options), drafts(RU))
    assert (refused.value.reason.code, refused.value.pointer) == ("template_mismatch", "#/template")


async def test_the_operators_id_travels_with_the_text(world: World, ask: MakeAsk) -> None:
    on_record(world, ready=approved(operator_id="1107", tlv="dlt_template_id"))
    request = ask("Order 17 is ready")
    await one(world, request)
    assert request.tlvs == (Tlv("dlt_template_id", "1107"),)
    mine = (Tlv("dlt_template_id", "9"),)
    request = ask("Order 17 is ready", tlvs=mine)
    await one(world, request)
    assert request.tlvs == mine


async def test_several_templates_that_fit_are_none_in_particular(
    world: World, ask: MakeAsk
) -> None:
    on_record(world, a=approved(), b=approved("Order {{n}} is {{how}}"))
    request = ask("Order 17 is ready")
    await one(world, request)
    assert request.template is None
    # One nobody has approved is the customer's word only.
    on_record(world, a=approved(), b=RegisteredTemplate("Order {{n}} is {{how}}"))
    request = ask("Order 17 is ready")
    await one(world, request)
    assert request.template == "a"


async def test_what_an_earlier_list_was_made_from_says_nothing_of_the_next(
    world: World, ask: MakeAsk
) -> None:
    on_record(world, ready=approved())
    request = ask("{{text}}", batch=5)
    assert (await one(world, request, text="Order 17 is ready")).code is None
    assert request.template == "ready"
    assert (await one(world, request, text="Buy now")).code is None
    assert request.template is None


async def test_sender_and_template_together_may_leave_nobody(world: World, ask: MakeAsk) -> None:
    world.routing = RoutingTable(
        [Route(name="main", carriers=("op1", "op2"))],
        [
            Carrier(name="op1", senders_registered=True),
            Carrier(name="op2", templates_required=("service",)),
        ],
    )
    draft = await one(world, ask())
    assert draft.code == "template_mismatch"
    world.registered.senders = Senders([("shop", RegisteredSender("ACME", "op1", "approved"))])
    assert (await one(world, ask())).lane == "main/service/!op2"


async def test_a_customers_own_parts_are_judged_by_what_they_say(
    strict: World, ask: MakeAsk
) -> None:
    on_record(strict, ready=approved(carrier="*"))
    raw = (RawPart(0, 0, 0, 0, b"..."),)
    assert (await one(strict, ask("Order 17 is ready", raw=raw))).lane == "ru/service"
    request = ask("", raw=raw)
    assert (await one(strict, request)).lane == "ru/bulk/!op2"
    assert request.category == "advertising"


async def test_without_templates_nothing_is_looked_at(world: World, ask: MakeAsk) -> None:
    assert not Checks(world).apart("shop")
    on_record(world, ready=approved())
    assert Checks(world).apart("shop") and not Checks(world).apart("other")


def test_only_accounts_whose_messages_may_meet_a_demand_are_looked_at() -> None:
    routes = [
        Route(name="strict", carriers=("op1",), accounts=("shop",)),
        Route(name="other", carriers=("op2",)),
    ]
    demanding = Carrier(name="op1", templates_required=("service",))
    table = RoutingTable(routes, [demanding, Carrier(name="op2")])
    assert table.wants_templates("shop") and not table.wants_templates("other")
    assert not RoutingTable(routes, [Carrier(name="op2")]).wants_templates("shop")


async def test_an_answer_to_a_keyword_is_kept_from_carriers_like_any_text(
    strict: World, ask: MakeAsk
) -> None:
    (draft,) = given = drafts(RU)
    request = ask("You will get no more texts.", sender="2020", answer=True)
    await Checks(strict, ANSWER).admit(request, given)
    assert draft.lane == "ru/bulk/!op2"
    on_record(strict, stop=approved("You will get no more texts.", carrier="*"))
    (draft,) = given = drafts(RU)
    request = ask("You will get no more texts.", sender="2020", answer=True)
    await Checks(strict, ANSWER).admit(request, given)
    assert draft.lane == "ru/service"
