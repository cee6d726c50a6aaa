"""The one route table.

In: handlers, shapes, answers. Out: `ROUTES`, which drives serving, `/openapi.json`, scopes,
metrics labels and the tests' checks of every answer they see.
"""

from __future__ import annotations

from typing import Any, Final

from gateway.ingress.http import (
    answers as a,
)
from gateway.ingress.http import (
    batches,
    docs,
    estimate,
    exports,
    messages,
    openapi,
    operate,
    recipients,
    shapes,
    uploads,
    webhooks,
)
from gateway.ingress.http.parameters import ADMIN, CURSOR, LIMIT, READ, STRING, WRITE
from gateway.ingress.http.route import Parameter, Route
from gateway.ingress.http.routes_explain import EXPLAIN
from gateway.ingress.http.routes_keywords import KEYWORDS
from gateway.ingress.http.routes_moderation import MODERATION_ROUTES
from gateway.ingress.http.routes_optouts import OPT_OUTS
from gateway.ingress.http.routes_people import PEOPLE
from gateway.ingress.http.routes_rates import RATES
from gateway.ingress.http.routes_registries import REGISTRIES
from gateway.ingress.http.routes_stopwords import STOPWORDS
from gateway.model import STATUS_NAMES

_TIME: Final[dict[str, Any]] = {"type": "string", "format": "date-time"}

STATUS: Final = Parameter(
    "status", f"One or several with commas: {', '.join(STATUS_NAMES)}.", STRING
)

ROUTES: Final[tuple[Route, ...]] = (
    Route(
        method="POST",
        path="/v1/messages",
        handler=messages.create,
        summary="Submit one message",
        description="202 means the message is on disk. `to` may list candidate numbers of one "
        "person; the first mobile is taken.",
        tag="Messages",
        scope=WRITE,
        request=shapes.MessageRequest,
        responses={202: a.MessageAccepted},
        takes_body=True,
        idempotent=True,
        reasons=True,
    ),
    Route(
        method="GET",
        path="/v1/messages",
        handler=messages.search,
        summary="Find messages",
        description="Newest first.",
        tag="Messages",
        scope=READ,
        responses={200: a.MessagePage},
        parameters=(
            Parameter("client_ref", "The caller's reference, whole.", STRING),
            Parameter("to", "A number in international form.", STRING),
            Parameter("batch", "A batch's id.", STRING),
            STATUS,
            Parameter("from_time", "Created at or after.", _TIME),
            Parameter("to_time", "Created before.", _TIME),
            LIMIT,
            CURSOR,
        ),
    ),
    Route(
        method="POST",
        path="/v1/messages/estimate",
        handler=estimate.estimate,
        summary="Estimate a message or a batch",
        description="The body of a message (`to`) or of a batch (`recipients`). The same checks "
        "run; nothing is stored.",
        tag="Messages",
        scope=WRITE,
        request=shapes.EstimateRequest,
        responses={200: a.Estimate},
        takes_body=True,
        reasons=True,
    ),
    *EXPLAIN,
    Route(
        method="GET",
        path="/v1/messages/{id}",
        handler=messages.get,
        summary="Get a message",
        tag="Messages",
        scope=READ,
        item="msg",
        responses={200: a.MessageOut},
    ),
    Route(
        method="POST",
        path="/v1/messages/{id}/cancel",
        handler=messages.cancel,
        summary="Cancel a message that has not left",
        description="Cancelling twice is no error; 409 once it has left or has ended otherwise.",
        tag="Messages",
        scope=WRITE,
        item="msg",
        responses={200: a.MessageOut},
        conflicts=True,
    ),
    Route(
        method="POST",
        path="/v1/batches",
        handler=batches.create,
        summary="Create a batch",
        description=f"Up to {shapes.MAX_RECIPIENTS} recipients. Starts at once unless `start` is "
        "false or there are no recipients yet: then it is a draft, to be filled through "
        "`/recipients` and started. A recipient that cannot be served is listed in `ineligible` "
        "and never fails the batch; an unknown sender or an empty text does.",
        tag="Batches",
        scope=WRITE,
        request=shapes.BatchRequest,
        responses={202: a.BatchAccepted},
        takes_body=True,
        idempotent=True,
        reasons=True,
    ),
    Route(
        method="GET",
        path="/v1/batches",
        handler=batches.page,
        summary="List batches",
        description="Newest first.",
        tag="Batches",
        scope=READ,
        responses={200: a.BatchPage},
        parameters=(LIMIT, CURSOR),
    ),
    Route(
        method="GET",
        path="/v1/batches/{id}",
        handler=batches.get,
        summary="Get a batch",
        tag="Batches",
        scope=READ,
        item="bat",
        responses={200: a.BatchOut},
    ),
    Route(
        method="GET",
        path="/v1/batches/{id}/stats",
        handler=batches.stats,
        summary="A batch in figures",
        tag="Batches",
        scope=READ,
        item="bat",
        responses={200: a.BatchStats},
    ),
    Route(
        method="GET",
        path="/v1/batches/{id}/recipients",
        handler=exports.recipients,
        summary="List or export the recipients of a batch",
        description="Messages in order of acceptance; with `status=ineligible`, the recipients "
        "that were excluded. With `Accept: application/x-ndjson` all of them as one stream, one "
        "JSON object a line (`limit` does not apply).",
        tag="Batches",
        scope=READ,
        item="bat",
        responses={200: (a.RecipientPage, a.IneligiblePage)},
        lines=(a.MessageOut, a.IneligibleOut),
        parameters=(
            Parameter("status", f"{STATUS.description} Or `ineligible`, alone.", STRING),
            LIMIT,
            CURSOR,
        ),
    ),
    Route(
        method="POST",
        path="/v1/batches/{id}/recipients",
        handler=uploads.upload,
        summary="Upload recipients",
        description="A stream of any length: NDJSON (one recipient a line, as in a batch's "
        "`recipients`) or CSV with a header row (`to`, optionally `client_ref`; every other "
        "column is a variable; comma, semicolon or tab). Stored in lists of "
        f"{uploads.LIST} while it comes. A broken line is reported by its number and the rest "
        "goes on. Numbers the batch has already are duplicates, so an upload that broke off can "
        "simply be sent again. The Idempotency-Key is written with the last list: a repeated "
        "complete upload gets the first answer.",
        tag="Batches",
        scope=WRITE,
        item="bat",
        media=tuple(recipients.READERS),
        request_line=shapes.Recipient,
        responses={200: a.UploadResult},
        takes_body=True,
        idempotent=True,
        conflicts=True,
        reasons=True,
    ),
    *(
        Route(
            method="POST",
            path=f"/v1/batches/{{id}}/{verb}",
            handler=handler,
            summary=f"{verb.capitalize()} a batch",
            description=f"{sentence} Done twice it is no error.",
            tag="Batches",
            scope=WRITE,
            item="bat",
            responses={200: a.BatchOut},
            conflicts=True,
        )
        for verb, handler, sentence in (
            ("start", batches.start, "A draft begins to send."),
            ("pause", batches.pause, "Nothing more of it leaves until it is resumed."),
            ("resume", batches.resume, "A paused batch goes on."),
            ("cancel", batches.cancel, "What has not left is cancelled."),
        )
    ),
    Route(
        method="POST",
        path="/v1/webhooks",
        handler=webhooks.create,
        summary="Create an endpoint",
        description="Events are posted to it as Standard Webhooks. The answer shows the secret; "
        "later ones mask it.",
        tag="Webhooks",
        scope=WRITE,
        request=shapes.WebhookRequest,
        responses={201: a.WebhookOut},
        takes_body=True,
    ),
    Route(
        method="GET",
        path="/v1/webhooks",
        handler=webhooks.listing,
        summary="List endpoints",
        tag="Webhooks",
        scope=READ,
        responses={200: a.WebhookList},
    ),
    Route(
        method="GET",
        path="/v1/webhooks/{id}",
        handler=webhooks.get,
        summary="Get an endpoint",
        tag="Webhooks",
        scope=READ,
        item="whk",
        responses={200: a.WebhookOut},
    ),
    Route(
        method="PATCH",
        path="/v1/webhooks/{id}",
        handler=webhooks.patch,
        summary="Change an endpoint",
        tag="Webhooks",
        scope=WRITE,
        item="whk",
        request=shapes.WebhookPatch,
        responses={200: a.WebhookOut},
        takes_body=True,
        conflicts=True,
    ),
    Route(
        method="DELETE",
        path="/v1/webhooks/{id}",
        handler=webhooks.delete,
        summary="Delete an endpoint",
        tag="Webhooks",
        scope=WRITE,
        item="whk",
        responses={204: None},
        conflicts=True,
    ),
    Route(
        method="POST",
        path="/v1/webhooks/{id}/test",
        handler=webhooks.test,
        summary="Post a test event now",
        tag="Webhooks",
        scope=WRITE,
        item="whk",
        responses={200: a.TestOut},
    ),
    Route(
        method="POST",
        path="/v1/webhooks/{id}/rotate-secret",
        handler=webhooks.rotate,
        summary="Replace the secret",
        description="For a day deliveries carry both signatures.",
        tag="Webhooks",
        scope=WRITE,
        item="whk",
        responses={200: a.WebhookOut},
        conflicts=True,
    ),
    Route(
        method="GET",
        path="/v1/webhooks/{id}/deliveries",
        handler=webhooks.deliveries,
        summary="List deliveries",
        description="Newest first.",
        tag="Webhooks",
        scope=READ,
        item="whk",
        responses={200: a.DeliveryPage},
        parameters=(
            Parameter(
                "state",
                "Only those in this state.",
                {"type": "string", "enum": ["pending", "delivered", "dead"]},
            ),
            LIMIT,
            CURSOR,
        ),
    ),
    Route(
        method="POST",
        path="/v1/webhooks/{id}/replay",
        handler=webhooks.replay,
        summary="Repeat deliveries",
        description="Some by id, or all dead ones since a time.",
        tag="Webhooks",
        scope=WRITE,
        item="whk",
        request=shapes.ReplayRequest,
        responses={202: a.Replayed},
        takes_body=True,
    ),
    Route(
        method="GET",
        path="/v1/inbound",
        handler=operate.inbound,
        summary="List replies",
        description="Newest first.",
        tag="Inbound",
        scope=READ,
        responses={200: a.InboundPage},
        parameters=(LIMIT, CURSOR),
    ),
    *OPT_OUTS,
    *PEOPLE,
    *MODERATION_ROUTES,
    *KEYWORDS,
    *REGISTRIES,
    *STOPWORDS,
    *RATES,
    Route(
        method="GET",
        path="/v1/keys",
        handler=operate.keys,
        summary="List API keys",
        tag="Operation",
        scope=ADMIN,
        responses={200: a.KeyList},
        parameters=(Parameter("account", "Only this account's.", STRING),),
    ),
    Route(
        method="POST",
        path="/v1/keys",
        handler=operate.create_key,
        summary="Make an API key",
        description="The answer shows the key; it cannot be shown again.",
        tag="Operation",
        scope=ADMIN,
        request=shapes.KeyRequest,
        responses={201: a.KeyCreated},
        takes_body=True,
    ),
    Route(
        method="DELETE",
        path="/v1/keys/{id}",
        handler=operate.revoke_key,
        summary="Revoke an API key",
        description="At once on this node, within ten seconds on others. Twice is no error.",
        tag="Operation",
        scope=ADMIN,
        item="key",
        responses={200: a.KeyOut},
    ),
    Route(
        method="GET",
        path="/openapi.json",
        handler=openapi.get,
        summary="This description",
        tag="About",
        scope=None,
        responses={200: dict},
    ),
    Route(
        method="GET",
        path="/docs",
        handler=docs.get,
        summary="This description, to read",
        tag="About",
        scope=None,
        responses={200: str},
        plain="text/html",
    ),
)
