"""Who pulls from which lane."""

import pytest

from config.settings import Route, RouteCarrier
from gateway.dispatch.lanes import Routes
from gateway.model import Lane

NONE: frozenset[str] = frozenset()
UP = frozenset({"op1", "op2", "op3"})


def names(routes: Routes, lane: str, up: frozenset[str] = UP) -> list[str]:
    return [place.carrier for place in routes.takers(lane, up)]


def test_one_time_codes_of_every_route_come_first() -> None:
    routes = Routes([Route(name="a", carriers=("op1",)), Route(name="b", carriers=("op1",))])
    assert routes.lanes("op1", UP, NONE) == (
        "a/otp", "b/otp", "a/service", "b/service", "a/bulk", "b/bulk",
    )  # fmt: skip


def test_a_carrier_pulls_what_others_have_failed_and_not_what_it_has() -> None:
    routes = Routes([Route(name="a", carriers=("op1", "op2"))])
    waiting = frozenset({"a/bulk/op1", "a/bulk/op2", "a/bulk"})
    assert routes.lanes("op1", UP, waiting) == ("a/otp", "a/service", "a/bulk/op2", "a/bulk")
    assert routes.lanes("op2", UP, waiting) == ("a/otp", "a/service", "a/bulk/op1", "a/bulk")


def test_a_higher_rank_takes_over_only_while_no_lower_one_is_up() -> None:
    routes = Routes(
        [
            Route(
                name="a",
                carriers=(
                    RouteCarrier(name="op1", rank=0),
                    RouteCarrier(name="op2", rank=1),
                    RouteCarrier(name="op3", rank=1),
                ),
            )
        ]
    )
    assert names(routes, "a/bulk") == ["op1"]
    assert names(routes, "a/bulk", frozenset({"op2", "op3"})) == ["op2", "op3"]
    # op1 has failed these: for them the next rank is the lowest there is
    assert names(routes, "a/bulk/op1") == ["op2", "op3"]
    assert routes.lanes("op2", UP, frozenset({"a/otp/op1"})) == ("a/otp/op1",)


def test_another_carrier_is_one_that_has_not_failed_the_message() -> None:
    routes = Routes([Route(name="a", carriers=("op1", "op2")), Route(name="b", carriers=("op1",))])
    assert routes.another("a/bulk", "op1")
    assert not routes.another("a/bulk/op2", "op1")
    assert not routes.another("b/bulk", "op1")
    assert not routes.another("gone/bulk", "op1")


def test_a_lane_a_reload_has_left_to_nobody_is_open_to_all_of_its_route() -> None:
    routes = Routes([Route(name="a", carriers=("op1",))])
    assert names(routes, "a/bulk/op1") == ["op1"]
    assert routes.lanes("op1", UP, frozenset({"a/bulk/op1"}))[2] == "a/bulk/op1"


def test_routes_that_are_not_configured_are_named() -> None:
    routes = Routes([Route(name="a", carriers=("op1",))])
    assert routes.unknown(["a/bulk", "old/bulk", "old/otp/op1"]) == {"old"}
    assert names(routes, "old/bulk") == []


def test_a_carrier_that_must_not_have_a_message_is_no_last_resort() -> None:
    both = Routes([Route(name="a", carriers=("op1", "op2"))])
    assert names(both, "a/bulk/!op1") == ["op2"]
    assert names(both, "a/bulk/!op1+op2") == ["op2"]  # failed before, and still the only one
    assert not both.another("a/bulk/!op1", "op2")
    assert str(Lane.parse("a/bulk/!op1").excluding("op2")) == "a/bulk/!op1+op2"
    reloaded = Routes([Route(name="a", carriers=("op1",))])
    assert names(reloaded, "a/bulk/!op1") == []
    assert "a/bulk/!op1" not in reloaded.lanes("op1", UP, frozenset({"a/bulk/!op1"}))
    assert reloaded.forsaken(["a/bulk/!op1", "a/bulk", "a/bulk/op1"]) == {"a/bulk/!op1"}
    assert both.forsaken(["a/bulk/!op1"]) == set()


def test_lanes_with_and_without_a_barred_carrier_go_first_in_turns() -> None:
    routes = Routes([Route(name="a", carriers=("op1", "op2"))])
    waiting = frozenset({"a/bulk", "a/bulk/!op1", "a/bulk/op1"})
    orders = [routes.lanes("op2", UP, waiting, turn)[2:] for turn in range(3)]
    assert orders[0] == ("a/bulk/op1", "a/bulk", "a/bulk/!op1")
    assert orders[1] == ("a/bulk/op1", "a/bulk/!op1", "a/bulk")
    assert orders[2] == orders[0]
    assert routes.lanes("op1", UP, waiting, 1) == ("a/otp", "a/service", "a/bulk")


@pytest.mark.parametrize("name", ["a/bulk", "a/otp/op1", "a/bulk/!op1", "a/bulk/!op1+!op2+op3"])
def test_a_lane_reads_as_it_is_written(name: str) -> None:
    assert str(Lane.parse(name)) == name
