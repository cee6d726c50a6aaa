"""Messages leave and their answers come back."""

from gateway.model import Status
from protocol.message_id import canonical
from tests.dispatch.conftest import Smsc, Start, carrier, settings


async def test_every_message_is_sent_once_and_settled_with_its_operator_id(
    smsc: Smsc, start: Start
) -> None:
    operator = await smsc()
    world = await start(settings(carrier("op1", operator)))
    numbers = list(range(46700000000, 46700000500))
    await world.store.put(numbers, "Hej på dig")
    await world.store.sent(500)
    assert sorted(int(s.destination) for s in operator.submits) == numbers
    assert {s.text for s in operator.submits} == {"Hej på dig"}
    by_number = {int(s.destination): canonical(s.message_id) for s in operator.submits}
    for result in world.store.results:
        assert result.operator_ids == (by_number[result.message.number],)
        assert result.status == Status.SENT
        assert result.receipts
        assert result.carrier == "op1"
