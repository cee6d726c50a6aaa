"""Who pulls from which lane."""

from config.settings import Route, RouteCarrier
from gateway.dispatch.lanes import Routes

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
