"""What a submission would become, without storing anything of it.

In: the body of a message or of a batch. Out: parts and encodings, and who cannot be served. The
same checks run as for the real thing.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from gateway.draft import Draft, ineligible
from gateway.ingress.http import answers as a
from gateway.ingress.http.asking import ask_for, drafts_of, without_nul
from gateway.ingress.http.batches import FirstNumbers, refuse_too_many
from gateway.ingress.http.call import Answer, Call, answer
from gateway.ingress.http.decode import decoder, has_nul, refuse_nul
from gateway.ingress.http.problem import field_problem
from gateway.ingress.http.shapes import EstimateRequest
from gateway.ingress.http.views import encoding_name, ineligible_out, transliterated

_decode: Final = decoder(EstimateRequest)


async def estimate(call: Call) -> Answer:
    """Run the checks, count, forget."""
    body = await call.body()
    request = _decode(body)
    refuse_nul(body, apart="recipients")
    if (request.to is None) == (request.recipients is None):
        raise field_problem(
            "missing_field", "#/to", "give `to` (a message) or `recipients` (a batch), not both"
        )
    if request.recipients is None:
        drafts = [Draft(request.to or "", request.vars, request.client_ref)]
        seen = None
    else:
        refuse_too_many(request.recipients)
        drafts = drafts_of(request.recipients, 0)
        seen = FirstNumbers()
    ask = ask_for(call, request, request.text, seen)
    ask.dry = True
    passed = await call.service.admission.admit(
        ask, without_nul(drafts) if has_nul(body) else drafts
    )
    forms = Counter((draft.encoding, draft.characters, draft.parts) for draft in passed)
    return answer(
        200,
        a.Estimate(
            len(drafts),
            len(passed),
            sum(draft.parts for draft in passed),
            [
                a.EstimatedTexts(encoding_name(encoding), characters, parts, count)
                for (encoding, characters, parts), count in forms.most_common()
            ],
            [ineligible_out(one) for one in ineligible(drafts)],
            transliterated(passed),
        ),
    )
