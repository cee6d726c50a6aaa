"""The rows of the route table that concern opt-outs.

In: handlers, shapes, answers. Out: `OPT_OUTS`, which `routes.ROUTES` splices in.
"""

from __future__ import annotations

from typing import Final

from gateway.ingress.http import answers_optouts as a
from gateway.ingress.http import optouts, optouts_import
from gateway.ingress.http.parameters import CURSOR, LIMIT, STRING
from gateway.ingress.http.parameters import OPTOUTS as SCOPE
from gateway.ingress.http.route import Parameter, Route
from gateway.ingress.http.shapes_optouts import OptOutRemoval, OptOutRequest

TAG: Final = "Compliance"
LEDGER: Final = Parameter(
    "account",
    "`*`: the refusals that hold for every account, instead of the own account's; needs the scope "
    "`admin` as well.",
    {"const": "*"},
)

OPT_OUTS: Final[tuple[Route, ...]] = (
    Route(
        method="GET",
        path="/v1/optouts",
        handler=optouts.entries,
        summary="List or export opt-outs",
        description="In order of their last change, so that whoever keeps a copy asks with the "
        "last `position` it has seen as `since`, and `removed=true`. With `Accept: "
        "application/x-ndjson` or `text/csv` all of them as one stream (`limit` does not apply).",
        tag=TAG,
        scope=SCOPE,
        responses={200: a.OptOutPage},
        lines=(a.OptOutEntry,),
        csv=True,
        parameters=(
            Parameter("since", "The `position` of an entry: only changes after it.", STRING),
            Parameter("number", "Only this number's, in international form.", STRING),
            Parameter(
                "removed",
                "`true`: also those that were taken back.",
                {"type": "string", "enum": ["true", "false"]},
            ),
            LEDGER,
            LIMIT,
            CURSOR,
        ),
    ),
    Route(
        method="POST",
        path="/v1/optouts",
        handler=optouts.record,
        summary="Record an opt-out",
        description="Waiting messages it concerns are cancelled, scheduled and held ones too. "
        "Recording it twice is no error: the first one, and its proof, stands.",
        tag=TAG,
        scope=SCOPE,
        request=OptOutRequest,
        responses={200: a.OptOutOut},
        parameters=(LEDGER,),
        takes_body=True,
    ),
    Route(
        method="DELETE",
        path="/v1/optouts",
        handler=optouts.remove,
        summary="Take an opt-out back",
        description="Which one stands in the body: numbers do not belong into addresses. All of "
        "the number's refusals that `sender` and `category` cover; without them, all it has. "
        "Twice is no error. Only for whom the recipient has asked to be written to again.",
        tag=TAG,
        scope=SCOPE,
        request=OptOutRemoval,
        responses={200: a.OptOutRemoved},
        parameters=(LEDGER,),
        takes_body=True,
    ),
    Route(
        method="POST",
        path="/v1/optouts/import",
        handler=optouts_import.import_entries,
        summary="Import opt-outs",
        description="A stream of any length: NDJSON (one opt-out a line) or CSV in UTF-8 with a "
        "header row (`number`, optionally the other columns of an export; comma, semicolon or "
        f"tab). Recorded in lists of {optouts_import.LIST:,} while it comes, from when on nothing "
        "leaves for them; at its end waiting messages are cancelled. A broken line is reported by "
        "its number and the rest goes on. An import that broke off can simply be sent again. "
        "Instead of an event each, `optout.imported` tells how many were recorded.",
        tag=TAG,
        scope=SCOPE,
        media=tuple(optouts_import.READERS),
        request_line=OptOutRequest,
        responses={200: a.OptOutImport},
        parameters=(LEDGER,),
        takes_body=True,
        conflicts=True,
    ),
)
