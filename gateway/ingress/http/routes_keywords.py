"""The rows of the route table for keywords.

In: handlers, shapes, answers. Out: `KEYWORDS`, which `routes.ROUTES` includes.
"""

from __future__ import annotations

from typing import Final

from gateway.ingress.http import answers_keywords as a
from gateway.ingress.http import keywords
from gateway.ingress.http import shapes_keywords as shapes
from gateway.ingress.http.parameters import OPTOUTS
from gateway.ingress.http.route import Route
from gateway.policy.keyword_rules import MOST_RULES

KEYWORDS: Final[tuple[Route, ...]] = (
    Route(
        method="GET",
        path="/v1/keywords",
        handler=keywords.listing,
        summary="List keywords",
        description="The account's own, by name. STOP, HELP, START and JOIN are not among them: "
        "every account has them.",
        tag="Keywords",
        scope=OPTOUTS,
        responses={200: a.KeywordList},
    ),
    Route(
        method="POST",
        path="/v1/keywords",
        handler=keywords.create,
        summary="Create a keyword",
        description="What is answered to replies, or told of them, beyond STOP, HELP, START and "
        f"JOIN, which come first. At most {MOST_RULES}. A regular expression that takes too long "
        "again and again is disabled; putting it again enables it.",
        tag="Keywords",
        scope=OPTOUTS,
        request=shapes.NewKeywordRequest,
        responses={201: a.KeywordOut},
        takes_body=True,
        conflicts=True,
    ),
    Route(
        method="POST",
        path="/v1/keywords/test",
        handler=keywords.trial,
        summary="Try a reply out",
        description="What a reply would mean and what would be answered. Nothing is done.",
        tag="Keywords",
        scope=OPTOUTS,
        request=shapes.KeywordTrial,
        responses={200: a.KeywordTrialOut},
        takes_body=True,
        reasons=True,
    ),
    Route(
        method="GET",
        path="/v1/keywords/{id}",
        handler=keywords.get,
        summary="Get a keyword",
        tag="Keywords",
        scope=OPTOUTS,
        item="keyword",
        responses={200: a.KeywordOut},
    ),
    Route(
        method="PUT",
        path="/v1/keywords/{id}",
        handler=keywords.put,
        summary="Put a keyword",
        description="Creates it, or replaces the one of this name.",
        tag="Keywords",
        scope=OPTOUTS,
        item="keyword",
        request=shapes.KeywordRequest,
        responses={200: a.KeywordOut},
        takes_body=True,
        conflicts=True,
    ),
    Route(
        method="DELETE",
        path="/v1/keywords/{id}",
        handler=keywords.delete,
        summary="Delete a keyword",
        tag="Keywords",
        scope=OPTOUTS,
        item="keyword",
        responses={204: None},
    ),
)
