"""What the fates of a message's parts amount to."""

from typing import Any

import pytest

from config.settings import Carrier, Route
from gateway.dispatch.lanes import Routes
from gateway.dispatch.outgoing import Outgoing
from gateway.dispatch.profile import Profile
from gateway.dispatch.verdict import judge
from gateway.model import Status
from gateway.store.messages import Leased, Outcome, Settled
from protocol import constants as c

AT = 1_700_000_000_000_000
ALONE = Routes([Route(name="main", carriers=("op1",))])
TWO = Routes([Route(name="main", carriers=("op1", "op2"))])


def outgoing(parts: int = 2, attempts: int = 0, category: str = "service") -> Outgoing:
    message = Leased(
        7, 1, 46700000001, parts, attempts, 1, AT, "main/bulk", "acme", None, None, None, AT
    )
    return Outgoing(message, category, ((b"",),) * parts, parts)


def verdict(
    message: Outgoing,
    routes: Routes = ALONE,
    pause: float = 0.0,
    link_up: bool = True,
    **settings: Any,
) -> Settled | None:
    profile = Profile(Carrier(name="op1", hosts=("h:1",), **settings))
    return judge(message, profile, routes, AT, 0.0, pause, link_up)


def test_all_parts_taken_is_sent() -> None:
    message = outgoing()
    message.ids = ["a", "b"]
    result = verdict(message, receipts=False)
    assert result is not None
    assert (result.outcome, result.status) == (Outcome.SENT, Status.SENT)
    assert (result.operator_ids, result.receipts) == (("a", "b"), False)


@pytest.mark.parametrize(
    ("action", "status"), [("reject", Status.REJECTED), ("fail", Status.FAILED)]
)
def test_a_final_refusal_outweighs_everything(action: str, status: Status) -> None:
    message = outgoing(4)
    message.ids = ["a", None, None, None]
    message.unknown = 1
    message.again.append(2)
    message.bad = (c.ESME_RINVDSTADR, action, "unknown_subscriber")
    result = verdict(message, TWO)
    assert result is not None
    assert (result.status, result.reason) == (status, "unknown_subscriber")
    assert result.carrier_code == "ESME_RINVDSTADR"


def test_not_knowing_outweighs_a_failure_for_now() -> None:
    message = outgoing(3)
    message.ids = ["a", None, None]
    message.unknown = 1
    message.bad = (c.ESME_RSYSERR, "retry", "network_error")
    result = verdict(message)
    assert result is not None
    assert (result.outcome, result.status, result.attempts) == (Outcome.UNKNOWN, Status.QUEUED, 1)
    assert result.operator_ids == ("a", "", ""), "what was confirmed is kept"


def test_an_unknown_outcome_counts_as_an_attempt() -> None:
    message = outgoing(1, attempts=2)
    message.unknown = 1
    alone, two = verdict(message), verdict(message, TWO)
    assert alone is not None
    assert two is not None
    assert alone.status == Status.UNKNOWN
    assert (two.status, two.lane, two.attempts) == (Status.QUEUED, "main/bulk/op1", 0)


def test_retries_wait_longer_and_end_at_the_next_carrier_or_nowhere() -> None:
    message = outgoing(1)
    message.bad = (c.ESME_RSYSERR, "retry", "network_error")
    result = verdict(message)
    assert result is not None
    assert (result.outcome, result.attempts, result.due) == (Outcome.RETRY, 1, AT + 5_000_000)
    message.message.attempts = 1
    result = verdict(message)
    assert result is not None
    assert (result.attempts, result.due) == (2, AT + 10_000_000)
    message.message.attempts = 2
    moved, failed = verdict(message, TWO), verdict(message)
    assert moved is not None
    assert failed is not None
    assert (moved.lane, moved.attempts, moved.due) == ("main/bulk/op1", 0, AT)
    assert (failed.status, failed.reason) == (Status.FAILED, "network_error")


def test_a_misfit_moves_on_at_once_or_fails_with_its_reason() -> None:
    message = outgoing(1)
    message.bad = (c.ESME_RINVDCS, "next_carrier", "invalid_text")
    moved, failed = verdict(message, TWO), verdict(message)
    assert moved is not None
    assert failed is not None
    assert (moved.outcome, moved.lane, moved.reason) == (
        Outcome.RETRY, "main/bulk/op1", "invalid_text",
    )  # fmt: skip
    assert (failed.status, failed.reason) == (Status.FAILED, "invalid_text")


def test_a_throttled_message_waits_at_its_link_for_a_moment_only() -> None:
    message = outgoing()
    message.again.extend([0, 1])
    assert verdict(message, pause=1.0) is None
    back = verdict(message, pause=4.0)
    assert back is not None
    assert (back.outcome, back.attempts, back.due) == (Outcome.RETRY, 0, AT + 4_000_000)
    assert (back.lane, back.reason) == ("main/bulk", None)


def test_a_throttled_part_stays_with_one_that_was_taken_however_long_it_takes() -> None:
    message = outgoing()
    message.ids = ["a", None]
    message.again.append(1)
    assert verdict(message, pause=30.0) is None
    # the link is gone: only the whole message can go again
    again = verdict(message, link_up=False)
    assert again is not None
    assert (again.outcome, again.attempts) == (Outcome.RETRY, 1)


def test_what_was_never_written_is_no_attempt() -> None:
    message = outgoing(1, attempts=1)
    message.again.append(0)
    back = verdict(message, link_up=False)
    assert back is not None
    assert (back.outcome, back.attempts, back.due) == (Outcome.RETRY, 1, AT)
