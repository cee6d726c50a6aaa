"""How carriers share a route."""

from collections import Counter

from config.settings import Route, RouteCarrier
from gateway.dispatch.lanes import Routes
from gateway.dispatch.shares import Shares, Taker
from gateway.store.messages import Leased

LANES = ("main/bulk",)


def shares(**weights: int) -> Shares:
    carriers = tuple(RouteCarrier(name=name, weight=weight) for name, weight in weights.items())
    return Shares(Routes([Route(name="main", carriers=carriers)]))


def messages(count: int) -> list[Leased]:
    return [
        Leased(n, 1, 46700000000 + n, 1, 0, 1, 0, "main/bulk", "acme", None, None, None, 0)
        for n in range(count)
    ]


def run(plan: Shares, takers: list[Taker], arriving: int, turns: int) -> Counter[str]:
    """`arriving` messages per turn; everybody could take more than that."""
    taken: Counter[str] = Counter()
    for _ in range(turns):
        waiting = arriving
        for index, parts in plan.plan(takers, {"main/bulk": waiting}):
            count = min(parts, waiting)
            waiting -= count
            taken[takers[index].carrier] += count
            plan.served(takers[index].carrier, messages(count))
    return taken


def test_scarce_messages_are_shared_by_weight() -> None:
    takers = [Taker("op1", 1000, LANES), Taker("op2", 1000, LANES)]
    taken = run(shares(op1=3, op2=1), takers, arriving=400, turns=50)
    assert taken.total() == 20_000
    assert 14_700 <= taken["op1"] <= 15_300


def test_single_messages_are_shared_by_weight_too() -> None:
    takers = [Taker("op1", 1000, LANES), Taker("op2", 1000, LANES), Taker("op3", 9, LANES)]
    taken = run(shares(op1=2, op2=1, op3=1), takers, arriving=1, turns=4000)
    assert 1950 <= taken["op1"] <= 2050
    assert 950 <= taken["op2"] <= 1050


def test_plenty_is_for_whoever_can_take_it() -> None:
    takers = [Taker("op1", 10, LANES), Taker("op2", 1000, LANES)]
    plan = shares(op1=9, op2=1).plan(takers, {"main/bulk": 1_000_000})
    assert sorted(plan) == [(0, 10), (1, 1000)]


def test_who_is_alone_asks_for_all_it_can_take() -> None:
    assert shares(op1=1, op2=9).plan([Taker("op1", 50, LANES)], {"main/bulk": 60}) == [(0, 50)]


def test_a_carrier_that_could_not_take_its_share_has_no_claim_on_hours_to_come() -> None:
    plan = shares(op1=1, op2=1)
    plan.served("op1", messages(100_000))
    takers = [Taker("op1", 1000, LANES), Taker("op2", 1000, LANES)]
    taken = run(plan, takers, arriving=1, turns=1000)
    assert taken["op1"] >= 400
