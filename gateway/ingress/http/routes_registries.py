"""The rows of the route table for senders and templates.

In: handlers, shapes, answers. Out: `REGISTRIES`, which `routes.ROUTES` includes.
"""

from __future__ import annotations

from typing import Final

from gateway.ingress.http import answers_registries as a
from gateway.ingress.http import senders
from gateway.ingress.http import shapes_registries as shapes
from gateway.ingress.http.parameters import READ, STRING, WRITE
from gateway.ingress.http.route import Parameter, Route

_ACCOUNT: Final = Parameter(
    "account",
    "Whose, for keys with the scope `admin`; `*` for what holds for all accounts.",
    STRING,
)
_STATUS: Final = Parameter(
    "status", "Only those in this state.", {"type": "string", "enum": list(senders.STATUSES)}
)

REGISTRIES: Final[tuple[Route, ...]] = (
    Route(
        method="GET",
        path="/v1/senders",
        handler=senders.listing,
        summary="List registered senders",
        description="The account's and those for all accounts; with the scope `admin` and without "
        "`account`, everybody's.",
        tag="Registries",
        scope=READ,
        admin=True,
        responses={200: a.SenderList},
        parameters=(
            _ACCOUNT,
            Parameter("sender", "The sender, whole.", STRING),
            Parameter("carrier", "The carrier it is registered with.", STRING),
            _STATUS,
        ),
    ),
    Route(
        method="GET",
        path="/v1/senders/{id}",
        handler=senders.get,
        summary="Get a registered sender",
        tag="Registries",
        scope=READ,
        admin=True,
        item="sender",
        responses={200: a.SenderOut},
        parameters=(_ACCOUNT,),
    ),
    Route(
        method="PUT",
        path="/v1/senders/{id}",
        handler=senders.put,
        summary="Register a sender",
        description="The name is yours to choose: one entry for each operator a sender is "
        "registered with. Without the scope `admin` it is a request (`pending`); with it, the "
        "operator's decision. An entry that was decided changes with the scope `admin` only.",
        tag="Registries",
        scope=WRITE,
        admin=True,
        item="sender",
        request=shapes.SenderRequest,
        responses={200: a.SenderOut},
        parameters=(_ACCOUNT,),
        takes_body=True,
        conflicts=True,
    ),
    Route(
        method="DELETE",
        path="/v1/senders/{id}",
        handler=senders.delete,
        summary="Delete a registered sender",
        tag="Registries",
        scope=WRITE,
        admin=True,
        item="sender",
        responses={204: None},
        parameters=(_ACCOUNT,),
        conflicts=True,
    ),
)
