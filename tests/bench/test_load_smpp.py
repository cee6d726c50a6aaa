"""The SMPP scenarios against a whole gateway, small: what they promise must hold at any size."""

import pytest

from bench.load import idle, smpp, storm
from bench.load.site import SiteSettings

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("templated", [False, True])
async def test_every_submit_is_answered_and_every_id_gets_its_receipt(templated: bool) -> None:
    figures = await smpp.run(SiteSettings(), count=3_000, templated=templated, window=500)
    assert figures["complete"]
    assert figures["receipts"] == {"DELIVRD": 3_000}
    assert figures["messages_per_second"] > 0
    assert figures["response_ms"]["p50"] <= figures["receipt_ms"]["p50"]


async def test_many_binds_are_served_alike_and_hear_of_their_own_accounts_messages() -> None:
    figures = await smpp.run(
        SiteSettings(), count=6_000, templated=True, binds=12, logins=6, accounts=3, window=50
    )
    assert figures["complete"]
    assert figures["least_served"] > 0


async def test_ten_thousand_silent_binds_are_kept_and_cost_little() -> None:
    figures = await idle.run(SiteSettings(), binds=10_000, rate=200.0, seconds=5.0)
    assert figures["bound"] == 10_000
    assert figures["connections_lost"] == 0
    assert figures["enquiries"] == figures["enquiries_answered"] > 0
    assert figures["asked_by_gateway"] >= 10_000
    assert figures["octets_per_bind"] < 30_000
    assert figures["complete"]


async def test_a_good_bind_gets_through_a_storm() -> None:
    figures = await storm.run(SiteSettings(), visits=200.0, rate=200.0, seconds=2.0)
    assert figures["complete"]
    assert figures["visits"] == figures["visits_ended"] == 400
    assert (figures["visits_bound"], figures["visits_refused"]) == (100, 0)
    assert figures["connections_left"] == 0
