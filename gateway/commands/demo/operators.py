"""The two operators the demonstration sends to, each with manners of its own.

In: nothing. Out: behaviours of `bench.smsc`. What they grant stands beside what
`config/gateway.toml` was told they grant.
"""

from __future__ import annotations

from typing import Final

from bench.smsc import Behaviour
from protocol.constants import ESME_RINVDSTADR, ESME_RSYSERR

CREDENTIALS: Final = {"aldis": "secret"}

NORTH: Final = Behaviour(
    credentials=CREDENTIALS,
    latency=0.015,
    jitter=0.010,
    rate=400,
    window=50,
    # The classic: Appendix B text, an id in hexadecimal here and in decimal there.
    receipt_format="text",
    id_form="resp_hex_receipt_dec",
    receipt_delay=0.4,
    receipt_jitter=1.0,
    receipts={"DELIVRD": 0.97, "UNDELIV": 0.02, "EXPIRED": 0.01},
)
"""Quick and dependable."""

SOUTH: Final = Behaviour(
    credentials=CREDENTIALS,
    latency=0.040,
    jitter=0.020,
    rate=150,
    window=10,
    # TLVs and nothing to read; ids that come back longer than they were given out.
    receipt_format="tlv",
    id_form="receipt_padded",
    receipt_route="any",
    receipt_delay=0.5,
    receipt_jitter=1.5,
    receipts={"DELIVRD": 0.92, "UNDELIV": 0.05, "EXPIRED": 0.02, "REJECTD": 0.01},
    errors={ESME_RSYSERR: 0.01, ESME_RINVDSTADR: 0.01},
)
"""Slow, narrow, and now and then out of order."""

OPERATORS: Final = {"north": NORTH, "south": SOUTH}
