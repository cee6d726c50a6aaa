"""The rows of the route table for moderators.

In: handlers, shapes, answers. Out: `MODERATION_ROUTES`, which `routes.ROUTES` splices in.
"""

from __future__ import annotations

from typing import Final

from gateway.ingress.http import answers_moderation as a
from gateway.ingress.http import moderation
from gateway.ingress.http.parameters import CURSOR, LIMIT, MODERATION, STRING
from gateway.ingress.http.route import Parameter, Route
from gateway.ingress.http.shapes_moderation import (
    MOST,
    ApproveRequest,
    DecisionsRequest,
    ModeratorRequest,
    RejectRequest,
)
from gateway.store.moderation import ItemState

TAG: Final = "Moderation"

ACCOUNT: Final = Parameter(
    "account",
    "Only this account's. A key sees its own account's; with the scope `admin` besides, all.",
    STRING,
)

MODERATION_ROUTES: Final[tuple[Route, ...]] = (
    Route(
        method="GET",
        path="/v1/moderation/items",
        handler=moderation.items,
        summary="List texts that wait for a moderator, or did",
        description="Oldest first. A text is one item, however many messages say it. Looking is "
        "in the trail.",
        tag=TAG,
        scope=MODERATION,
        responses={200: a.ItemPage},
        parameters=(
            Parameter("state", f"One or several with commas: {', '.join(ItemState)}.", STRING),
            ACCOUNT,
            LIMIT,
            CURSOR,
        ),
    ),
    Route(
        method="GET",
        path="/v1/moderation/items/{id}",
        handler=moderation.item,
        summary="Get a text",
        description="Looking is in the trail.",
        tag=TAG,
        scope=MODERATION,
        item=moderation.PREFIX,
        responses={200: a.ItemOut},
    ),
    *(
        Route(
            method="POST",
            path=f"/v1/moderation/items/{{id}}/{verb}",
            handler=handler,
            summary=summary,
            description=description,
            tag=TAG,
            scope=MODERATION,
            item=moderation.PREFIX,
            request=request,
            body_optional=request is not RejectRequest,
            responses={200: a.ItemOut},
            takes_body=True,
            conflicts=True,
        )
        for verb, handler, request, summary, description in (
            (
                "claim",
                moderation.claim,
                ModeratorRequest,
                "Claim a text",
                "Until `claim_timeout` has passed no other moderator can claim or decide it. "
                "Claiming it again renews the claim.",
            ),
            (
                "release",
                moderation.release,
                ModeratorRequest,
                "Give a claim up",
                "Done twice it is no error.",
            ),
            (
                "approve",
                moderation.approve,
                ApproveRequest,
                "Approve a text",
                "Its messages leave at once or when they are due, later ones with this text are "
                "not held. A claim is not needed.",
            ),
            (
                "reject",
                moderation.reject,
                RejectRequest,
                "Reject a text",
                "Its messages end as `rejected` (`moderation_rejected`), later ones with this "
                "text are refused.",
            ),
        )
    ),
    Route(
        method="POST",
        path="/v1/moderation/decisions",
        handler=moderation.decisions,
        summary="Decide many texts",
        description=f"Up to {MOST}. The answer has the outcome of each, in their order.",
        tag=TAG,
        scope=MODERATION,
        request=DecisionsRequest,
        responses={200: a.Outcomes},
        takes_body=True,
    ),
    Route(
        method="GET",
        path="/v1/moderation/audit",
        handler=moderation.trail,
        summary="Who looked at, claimed and decided what",
        description="Newest first; kept for `keep_audit`.",
        tag=TAG,
        scope=MODERATION,
        responses={200: a.AuditPage},
        parameters=(
            Parameter("action", f"One of {', '.join(moderation.ACTIONS)}.", STRING),
            Parameter("item", "Only what was done to this item.", STRING),
            ACCOUNT,
            LIMIT,
            CURSOR,
        ),
    ),
)
