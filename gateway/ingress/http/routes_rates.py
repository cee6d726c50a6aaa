"""The rows of the route table that tell of rates and caps.

In: handlers, answers. Out: `RATES`, which `routes.ROUTES` splices in.
"""

from __future__ import annotations

from typing import Final

from gateway.ingress.http import answers_rates as a
from gateway.ingress.http import rates
from gateway.ingress.http.parameters import ADMIN, READ
from gateway.ingress.http.route import Route

RATES: Final[tuple[Route, ...]] = (
    Route(
        method="GET",
        path="/v1/carriers",
        handler=rates.carriers,
        summary="Carriers now",
        description="Sessions, pace, send windows, and how much of which cap is used.",
        tag="Operation",
        scope=ADMIN,
        responses={200: a.CarrierList},
    ),
    Route(
        method="GET",
        path="/v1/account",
        handler=rates.account,
        summary="The account's limits and their use",
        description="Rate and caps over all carriers, counted in PDUs: a message of three parts "
        "counts three.",
        tag="Operation",
        scope=READ,
        responses={200: a.AccountOut},
    ),
)
