"""Pauses between attempts."""

import pytest

from gateway.dispatch.backoff import reconnect_pause, retry_pause


def test_pauses_double_and_stop_growing() -> None:
    pauses = [reconnect_pause(n, 1, 1.0, 60.0, jitter=1.0) for n in range(1, 9)]
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]
    assert reconnect_pause(10_000, 1, 1.0, 60.0, jitter=1.0) == 60


def test_every_host_has_its_turn_before_the_pause_grows() -> None:
    assert [reconnect_pause(n, 2, 1.0, 60.0, jitter=1.0) for n in range(1, 6)] == [1, 1, 2, 2, 4]


def test_jitter_spreads_over_the_upper_half() -> None:
    assert reconnect_pause(3, 1, 1.0, 60.0, jitter=0.0) == 2.0
    assert reconnect_pause(3, 1, 1.0, 60.0, jitter=0.5) == 3.0


def test_a_retried_message_waits_longer_each_time() -> None:
    assert [retry_pause(n, 5.0, 0.0) for n in (1, 2, 3)] == [5.0, 10.0, 20.0]
    assert retry_pause(1, 5.0, 1.0) == pytest.approx(6.25)
