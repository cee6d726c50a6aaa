"""The row of the route table that explains messages.

In: handler, shape, answer. Out: `EXPLAIN`, which `routes.ROUTES` splices in.
"""

from __future__ import annotations

from typing import Final

from gateway.ingress.http import answers_explain as x
from gateway.ingress.http import explain
from gateway.ingress.http.parameters import READ
from gateway.ingress.http.route import Route
from gateway.ingress.http.shapes_explain import ExplainRequest

EXPLAIN: Final[tuple[Route, ...]] = (
    Route(
        method="POST",
        path="/v1/messages/explain",
        handler=explain.explain,
        summary="Explain a message",
        description='The body of a message, or `{"id": "msg_..."}` of one that was submitted: '
        "what each check does with it, in order, with the rule and where the rule stands, and "
        "which carriers could take it now. Nothing is stored.",
        tag="Messages",
        scope=READ,
        request=ExplainRequest,
        responses={200: x.Explanation},
        takes_body=True,
        conflicts=True,
        reasons=True,
    ),
)
