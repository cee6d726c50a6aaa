"""The table of command_status, and a carrier's exceptions to it."""

import pytest

from config.settings import StatusRule
from gateway.dispatch.statuses import OK, STATUSES, UNKNOWN_STATUS, Rule, status_table
from gateway.errors import REASONS, ConfigError
from protocol import constants as c


def test_every_reason_in_the_table_is_one_a_customer_can_read() -> None:
    for status, rule in STATUSES.items():
        assert status == c.ESME_ROK or rule.reason in REASONS
    assert UNKNOWN_STATUS.reason in REASONS


def test_success_alone_is_success() -> None:
    assert [status for status, rule in STATUSES.items() if rule is OK] == [c.ESME_ROK]


def test_a_carrier_overrides_by_name_and_by_number() -> None:
    table = status_table(
        "op1",
        {
            "esme_rsyserr": StatusRule(action="throttle"),
            "0x400": StatusRule(action="reject", reason="mass_mailing_refused"),
            "1025": StatusRule(action="retry"),
        },
    )
    assert table[c.ESME_RSYSERR] == Rule("throttle", "throttled_out")
    assert table[0x400] == Rule("reject", "mass_mailing_refused")
    assert table[1025] == Rule("retry", "network_error")
    assert table[c.ESME_RINVDSTADR] == STATUSES[c.ESME_RINVDSTADR]


@pytest.mark.parametrize("key", ["ESME_RNOSUCH", "0", "ESME_ROK", "0x1FFFFFFFF", "-1", ""])
def test_a_status_that_is_no_error_is_refused_by_name(key: str) -> None:
    with pytest.raises(ConfigError, match=r"op1.*neither the name nor the number"):
        status_table("op1", {key: StatusRule(action="retry")})


def test_a_reason_nobody_knows_is_refused() -> None:
    with pytest.raises(ConfigError, match="no_such_reason"):
        status_table("op1", {"0x400": StatusRule(action="fail", reason="no_such_reason")})
