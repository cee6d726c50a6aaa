"""The scenarios against a whole gateway, small: what they promise must hold at any size."""

import pytest

from bench.load import backlog, batch, kill, messages, otp, single
from bench.load.site import SiteSettings

pytestmark = pytest.mark.slow

TEMPLATED = messages.TEXTS["templated", "ucs2"]


async def test_a_campaign_ends_completely_with_signed_webhooks() -> None:
    figures = await batch.run(
        SiteSettings(check_every=1),
        count=2_000,
        recipients=500,
        connections=2,
        text=messages.TEXTS["long", "gsm"],
    )
    assert figures["complete"]
    assert figures["submits"] == figures["receipts_acknowledged"] == 6_000
    assert figures["statuses"] == {"sent": 2_000, "delivered": 2_000}
    assert figures["signatures_checked"] == figures["webhook_posts"]
    assert figures["signatures_bad"] == figures["contradicted"] == 0
    assert figures["post_to_submit_ms"]["p50"] > 0


async def test_single_messages_all_end() -> None:
    figures = await single.run(
        SiteSettings(audit_suffix=""), seconds=0.5, connections=8, text=TEMPLATED.replace("{{", "")
    )
    assert figures["complete"]
    assert figures["contradicted"] == 0


async def test_codes_overtake_a_campaign() -> None:
    figures = await otp.run(
        SiteSettings(audit_suffix="", rate=500.0, window=50),
        bulk=5_000,
        codes=10,
        per_second=20.0,
        text=TEMPLATED,
    )
    assert figures["codes_submitted"] == 10
    assert figures["bulk_left_at_the_end"] > 0
    assert figures["post_to_submit_ms"]["max"] < 1_000  # behind the campaign it would be ten


async def test_a_backlog_survives_a_kill_and_drains() -> None:
    figures = await backlog.run(
        SiteSettings(smsc_at_once=False), count=2_000, connections=2, text=TEMPLATED, drain=20.0
    )
    assert figures["ended"] == 2_000


async def test_nothing_acknowledged_is_lost_by_kills() -> None:
    figures = await kill.run(
        SiteSettings(audit_suffix="", smsc=("--latency=0.02",)),
        kills=3,
        connections=2,
        text=TEMPLATED,
        seed=3,
        between=(0.3, 0.8),
    )
    assert figures["acknowledged"] > 0
    assert figures["lost"] == 0
    assert figures["passed"]
