"""How hard an endpoint is tried."""

from __future__ import annotations

from gateway.events.health import LONGEST_PAUSE, MOST_RETRYING, Health

SECOND = 1_000_000


def test_one_post_at_a_time_while_failing():
    health = Health()
    assert (health.failing, health.slots(4), health.may_probe(0)) == (False, 4, True)
    assert health.failed(1, 0, None) is True
    assert (health.failing, health.slots(4)) == (True, 1)
    assert health.failed(2, 0, None) is False
    assert health.succeeded(2) is True
    assert (health.failing, health.slots(4)) == (False, 4)
    assert health.succeeded(3) is False


def test_probes_become_rare_and_stay_possible():
    health = Health()
    now, pauses = 0, []
    for delivery in range(40):
        health.failed(delivery, now, None)
        assert not health.may_probe(health.probe_at - 1)
        assert health.may_probe(health.probe_at)
        pauses.append((health.probe_at - now) // SECOND)
        now = health.probe_at
    assert pauses[:10] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]
    assert pauses[-1] == LONGEST_PAUSE // SECOND


def test_so_much_may_wait_for_a_retry():
    health = Health()
    for delivery in range(MOST_RETRYING - 1):
        health.failed(delivery, 0, None)
    health.failed(0, 0, None)  # once more, the same
    assert not health.crowded
    health.failed(MOST_RETRYING, 0, None)
    assert health.crowded
    health.gave_up(0, 0)
    assert not health.crowded


def test_an_endpoint_that_asks_is_left_alone_until_it_is_forgiven():
    health = Health()
    health.failed(1, 0, 60.0)
    health.failed(2, 0, 10.0)
    assert health.hold_until == 60 * SECOND
    health.forgive()
    assert (health.hold_until, health.may_probe(0), health.failing) == (0, True, True)
