"""The rows of the route table for senders and templates.

In: handlers, shapes, answers. Out: `REGISTRIES`, which `routes.ROUTES` includes.
"""

from __future__ import annotations

from typing import Final

from gateway.ingress.http import answers_registries as a
from gateway.ingress.http import senders, templates
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
    Route(
        method="GET",
        path="/v1/templates",
        handler=templates.listing,
        summary="List templates",
        description="The account's and those for all accounts; with the scope `admin` and without "
        "`account`, everybody's.",
        tag="Registries",
        scope=READ,
        admin=True,
        responses={200: a.TemplateList},
        parameters=(
            _ACCOUNT,
            Parameter("category", "Only those for this category.", STRING),
            Parameter("carrier", "Only those this carrier has said something of.", STRING),
            Parameter(
                "status",
                "Only those some carrier (or `carrier`) has said this of.",
                {"type": "string", "enum": list(senders.STATUSES)},
            ),
        ),
    ),
    Route(
        method="GET",
        path="/v1/templates/{id}",
        handler=templates.get,
        summary="Get a template",
        tag="Registries",
        scope=READ,
        admin=True,
        item="template",
        responses={200: a.TemplateOut},
        parameters=(_ACCOUNT,),
    ),
    Route(
        method="PUT",
        path="/v1/templates/{id}",
        handler=templates.put,
        summary="Put a template on record",
        description="Messages name it as `template`. Without the scope `admin` it is a request "
        "(`pending`) and cannot be used yet; with it, the operators' decisions. One that was "
        "decided changes with the scope `admin` only.",
        tag="Registries",
        scope=WRITE,
        admin=True,
        item="template",
        request=shapes.TemplateRequest,
        responses={200: a.TemplateOut},
        parameters=(_ACCOUNT,),
        takes_body=True,
        conflicts=True,
    ),
    Route(
        method="DELETE",
        path="/v1/templates/{id}",
        handler=templates.delete,
        summary="Delete a template",
        description="Messages that were accepted stay as they are.",
        tag="Registries",
        scope=WRITE,
        admin=True,
        item="template",
        responses={204: None},
        parameters=(_ACCOUNT,),
        conflicts=True,
    ),
)
