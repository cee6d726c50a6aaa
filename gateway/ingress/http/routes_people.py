"""The rows of the route table that concern people: consents, numbers, what is kept of somebody.

In: handlers, shapes, answers. Out: `PEOPLE`, which `routes.ROUTES` splices in.
"""

from __future__ import annotations

from typing import Final

from gateway.ingress.http import answers_people as a
from gateway.ingress.http import numbers, people, subjects
from gateway.ingress.http.parameters import CURSOR, LIMIT, OPTOUTS, STRING, WRITE
from gateway.ingress.http.route import Parameter, Route
from gateway.ingress.http.shapes_people import MOST, ConsentRequest, ValidateRequest

TAG: Final = "Compliance"

PEOPLE: Final[tuple[Route, ...]] = (
    Route(
        method="POST",
        path="/v1/consents",
        handler=people.record_consents,
        summary="Record consents",
        description=f"One statement, or a list of up to {MOST}. Nothing is overwritten: of a "
        "number's statements to a brand and to `*` the newest holds, by the time it was given. "
        "`denied` stops advertising and informational messages; it is no opt-out and takes none "
        "back, and neither does `granted`. Accounts with `strict_consent` send advertising only "
        "where `granted` holds. Recording a statement twice is no error.",
        tag=TAG,
        scope=OPTOUTS,
        request=ConsentRequest,
        many=MOST,
        responses={200: a.ConsentsRecorded},
        takes_body=True,
    ),
    Route(
        method="GET",
        path="/v1/consents",
        handler=people.consents,
        summary="List consents",
        description="The last recorded first.",
        tag=TAG,
        scope=OPTOUTS,
        responses={200: a.ConsentPage},
        parameters=(
            Parameter("number", "Only this number's, in international form.", STRING),
            LIMIT,
            CURSOR,
        ),
    ),
    Route(
        method="POST",
        path="/v1/numbers/validate",
        handler=numbers.validate,
        summary="Look at numbers",
        description=f"Up to {MOST}, in any customary form: what they are in E.164, of which "
        "country and kind, where, and whether they opted out or are suppressed. Nothing is kept.",
        tag=TAG,
        scope=WRITE,
        request=ValidateRequest,
        responses={200: a.NumberList},
        takes_body=True,
    ),
    Route(
        method="DELETE",
        path="/v1/numbers/{id}/suppression",
        handler=numbers.unsuppress,
        summary="Try a suppressed number again",
        description="Its failures are forgotten. Twice is no error. It is in the audit trail.",
        tag=TAG,
        scope=OPTOUTS,
        item="number",
        responses={200: a.SuppressionLifted},
    ),
    Route(
        method="GET",
        path="/v1/subjects/{id}",
        handler=subjects.export,
        summary="Export what is kept of a number",
        description="One stream, a JSON object a line: the number and its failures, opt-outs, "
        "consents, messages, replies, and where it could not be served. It is in the audit trail.",
        tag=TAG,
        scope=OPTOUTS,
        item="number",
        responses={200: a.SubjectLine},
        plain=subjects.NDJSON,
    ),
    Route(
        method="DELETE",
        path="/v1/subjects/{id}",
        handler=subjects.erase,
        summary="Erase what is kept of a number",
        description="What has not left is cancelled, each with its event. Messages lose number, "
        "text, values, reference and metadata; replies and consents go. Opt-outs stay as keyed "
        "hashes and still stop messages. What has left already is erased when its fate is known. "
        "The event log (and so the deliveries of webhooks that wait) keeps what it told until its "
        "own time is over. It is in the audit trail. Twice is no error.",
        tag=TAG,
        scope=OPTOUTS,
        item="number",
        responses={200: a.SubjectErased},
    ),
)
