"""Number: any customary form -> E.164 and country; of several candidates the first mobile."""

from __future__ import annotations

from gateway.admission.world import World, standing
from gateway.draft import Ask, Draft

MAX_CANDIDATES = 10
"""Numbers of one person: home, work, two mobiles ... beyond ten it is a list of people."""


def check(ask: Ask, drafts: list[Draft], world: World) -> list[Draft]:
    """Write `number` and `country`; refuse what no SMS can reach."""
    look = world.numbering.look
    region = ask.default_region
    mobile_only = ask.account.mobile_only
    for draft in drafts:
        to = draft.to
        if isinstance(to, str):
            number, country, code, detail = look(to, region)
            if code is None or (code == "not_mobile" and not mobile_only):
                draft.number, draft.country = number, country
            else:
                draft.refuse(code, detail)
            if draft.notes is not None:
                _explain(draft, code, region, mobile_only)
        else:
            _choose(draft, to[:MAX_CANDIDATES], world, ask)
    return standing(drafts)


def _explain(draft: Draft, code: str | None, region: str | None, mobile_only: bool) -> None:
    where = f"national numbers are read as {region}'s" if region else "no region for national ones"
    draft.note(f"{code or 'valid'}; {where}", "numbering plans of libphonenumber; default_region")
    if code == "not_mobile":
        word = "refused" if mobile_only else "let through"
        draft.note(f"numbers that cannot be mobile are {word}", "account.mobile_only")


def _choose(draft: Draft, candidates: object, world: World, ask: Ask) -> None:
    fallback = None
    code, detail = "invalid_number", "no candidate given"
    for candidate in candidates:  # type: ignore[attr-defined]
        number, country, reason, why = world.numbering.look(candidate, ask.default_region)
        if reason is None:
            draft.number, draft.country = number, country
            return
        if reason == "not_mobile" and fallback is None:
            fallback = (number, country)
        if code != "not_mobile":
            code, detail = reason, why
    if fallback is not None and not ask.account.mobile_only:
        draft.number, draft.country = fallback
    else:
        draft.refuse(code, f"none of the candidates: {detail}")
