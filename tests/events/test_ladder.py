"""Every verdict there is."""

from __future__ import annotations

import pytest

from gateway.events.ladder import LIFE, RUNGS, judge
from gateway.store.records import DeliveryState

NOW = 1_800_000_000_000_000
"""2027-01-15T08:00:00Z, a Friday"""

PENDING, DEAD, DELIVERED = DeliveryState.PENDING, DeliveryState.DEAD, DeliveryState.DELIVERED


def verdict(status, retry_after=None, attempts=1, age=0.0, jitter=0.0):
    return judge(status, retry_after, attempts, age, NOW, jitter)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_acknowledges(status):
    assert verdict(status).state is DELIVERED


@pytest.mark.parametrize("status", [0, 101, 301, 302, 307, 400, 401, 404, 429, 500, 503, 599])
def test_everything_else_is_tried_again(status):
    told = verdict(status)
    assert (told.state, told.pause, told.asked, told.disable) == (PENDING, 5, None, False)


def test_410_ends_the_delivery_and_the_endpoint():
    told = verdict(410, retry_after="5")
    assert (told.state, told.disable) == (DEAD, True)


def test_the_rungs():
    minutes, hours = 60, 3600
    assert (
        0, 5, 5 * minutes, 30 * minutes, 2 * hours, 5 * hours, 10 * hours, 14 * hours, 20 * hours,
        24 * hours,
    ) == RUNGS  # fmt: skip
    age = 0.0
    for attempts in range(1, 10):
        told = verdict(500, attempts=attempts, age=age)
        assert (told.state, told.pause) == (PENDING, RUNGS[attempts])
        age += told.pause
    assert verdict(500, attempts=10, age=age).state is DEAD


def test_jitter_only_lengthens_by_a_tenth():
    assert verdict(500, attempts=2, jitter=0.5).pause == pytest.approx(315)
    assert verdict(500, attempts=2, jitter=1.0).pause == pytest.approx(330)
    assert verdict(503, "100", jitter=1.0).pause == pytest.approx(110)


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_in_seconds(status):
    told = verdict(status, "120")
    assert (told.pause, told.asked) == (120, 120)
    assert verdict(status, "7", attempts=5).pause == 7  # shorter than its rung: it knows best


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("Fri, 15 Jan 2027 08:02:00 GMT", 120),
        ("Friday, 15-Jan-27 08:02:00 GMT", 120),
        ("Fri Jan 15 08:02:00 2027", 120),
        ("Fri, 15 Jan 2027 07:00:00 GMT", 1),
        ("Fri, 15 Jan 2029 07:00:00 GMT", 86_400),
        ("0", 1),
        ("86401", 86_400),
        ("9" * 400, 86_400),
        (" 30 ", 30),
    ],
)
def test_retry_after_as_a_date_and_its_bounds(header, seconds):
    assert verdict(503, header).pause == seconds


@pytest.mark.parametrize("header", ["", "soon", "-5", "1.5", "٣", "Fri, 99 Jan 2027 08:00:00 GMT"])
def test_what_cannot_be_read_leaves_the_rung(header):
    told = verdict(503, header)
    assert (told.pause, told.asked) == (5, None)


def test_retry_after_means_nothing_with_other_statuses():
    assert verdict(500, "3600").pause == 5


def test_short_retry_afters_do_not_use_up_the_three_days():
    assert verdict(429, "1", attempts=10, age=10.0).state is PENDING
    assert verdict(500, None, attempts=50, age=60.0).pause == 86_400
    assert verdict(429, "1", attempts=10, age=LIFE).state is DEAD


def test_a_replayed_delivery_is_old_but_has_all_its_tries():
    assert verdict(500, attempts=1, age=10 * LIFE).pause == 5
