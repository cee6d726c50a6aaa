"""Windows, caps and frequency caps that cannot be meant so."""

from __future__ import annotations

import pytest

from config.load import loads
from config.settings import Carrier
from tests.config.test_load import problems

CARRIER = "[[carrier]]\nname = 'a'\nhosts = ['h:1']\nsystem_id = 's'\n"
ACCOUNT = "[[account]]\nname = 'a'\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (CARRIER + "zone = 'Mars/Base'", "a.toml:5: no time zone `Mars/Base`; write Europe/Paris"),
        (
            CARRIER + "[[carrier.send_windows]]\nend = '12:00'\n[[carrier.send_windows]]\n"
            "start = '11:00'\ncategories = ['service']",
            "a.toml:7: it overlaps with the window from 00:00 to 12:00 (mon, tue, wed, thu, fri, "
            "sat, sun; all categories): which hours hold must be said once",
        ),
        (
            CARRIER + "[[carrier.send_windows]]\nstart = '22:00'\nend = '06:00'\ndays = ['sun']\n"
            "[[carrier.send_windows]]\nstart = '05:00'\nend = '07:00'\ndays = ['mon']",
            "a.toml:9: it overlaps with the window from 22:00 to 06:00 (sun; all categories)",
        ),
        (
            CARRIER + "[[carrier.send_windows]]\nstart = '08:00'\nend = '08:00'",
            "a.toml:5: from 08:00 to 08:00 on 7 days is no time at all; a whole day is "
            '"00:00" to "24:00"',
        ),
        (
            CARRIER + "[[carrier.send_windows]]\ndays = []",
            "a.toml:5: from 00:00 to 24:00 on 0 days is no time at all",
        ),
        (
            CARRIER + "[carrier.campaign_caps]\nday = 100",
            "a.toml:5: the carrier has no TLV called `campaign_id` a campaign could be known by; "
            "there are: none",
        ),
        (
            CARRIER + "[carrier.tlvs.campaign_id]\ntag = '0x1500'\n[carrier.campaign_caps]",
            "a.toml:7: it caps nothing; set `day`, or campaigns in `days`",
        ),
        (ACCOUNT + "caps = { zone = 'X' }", "a.toml:3: no time zone `X`; write Europe/Paris"),
        (
            ACCOUNT + "[[account.frequency]]\nmessages = 1\nperiod = '32d'",
            "a.toml:5: 2.7648e+06 s; a period is one second to 31 days",
        ),
        (
            ACCOUNT + "keep_messages = '2d'\n[[account.frequency]]\nmessages = 1\nperiod = '7d'",
            "a.toml:6: 7 days, but messages are kept 2: after a restart nobody would know",
        ),
        (
            ACCOUNT + "[[account.frequency]]\nmessages = 1\nperiod = '1d'\ncategories = []",
            "a.toml:6: a cap for no category stops nothing; name some",
        ),
        (
            ACCOUNT + "frequency = [{ messages = 1, period = '1d' }, "
            "{ messages = 1, period = '1d' }]",
            "a.toml:3: the same cap stands above already",
        ),
    ],
)
def test_complaints_name_line_and_remedy(text: str, expected: str) -> None:
    assert problems(text)[0].startswith(expected)


def test_windows_that_touch_or_are_for_others_are_fine() -> None:
    found = loads(
        CARRIER + "[[carrier.send_windows]]\nend = '12:00'\ncategories = ['service']\n"
        "[[carrier.send_windows]]\nstart = '12:00'\ncategories = ['service']\n"
        "[[carrier.send_windows]]\nstart = '09:00'\nend = '18:00'\ncategories = ['advertising']",
        {},
    )
    assert len(found.carrier[0].send_windows) == 3


def test_the_us_profile_caps_campaigns_at_midnight_pacific() -> None:
    carrier: Carrier = loads(CARRIER + "profile = 'us_10dlc'", {}).carrier[0]
    assert carrier.campaign_caps is not None
    assert (carrier.campaign_caps.day, carrier.campaign_caps.zone) == (2000, "America/Los_Angeles")
    own = "profile = 'us_10dlc'\n[carrier.campaign_caps]\ndays = { C1 = 50000 }"
    carrier = loads(CARRIER + own, {}).carrier[0]
    assert carrier.campaign_caps is not None
    assert (carrier.campaign_caps.day, carrier.campaign_caps.days) == (2000, {"C1": 50000})
