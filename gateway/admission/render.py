"""Render: placeholders -> what the recipient reads."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from gateway.admission.world import World, standing
from gateway.draft import Ask, Draft
from gateway.errors import Refused
from gateway.template import compile_template

_NONE: Mapping[str, str] = MappingProxyType({})


def check(ask: Ask, drafts: list[Draft], world: World) -> list[Draft]:
    """Write `text`; refuse recipients without a value for a placeholder."""
    if ask.raw:  # sent as it came: nothing in it stands for anything else
        for draft in drafts:
            draft.text = ask.text
        return drafts
    for draft in drafts:
        if draft.notes is None:
            break
        names = compile_template(ask.text).names
        draft.note(f"placeholders: {', '.join(names) or 'none'}", "the submission's text")
    if not ask.text or ask.text.isspace():
        raise Refused("empty_text", "the text is empty", "#/text")
    template = compile_template(ask.text)
    if not template.names:
        for draft in drafts:
            draft.text = ask.text
        return drafts
    render = template.render
    for draft in drafts:
        values = draft.vars or _NONE
        try:
            draft.text = render(values)
        except KeyError:
            missing = ", ".join(template.missing(values))
            draft.refuse("missing_variable", f"no value for {missing}", "#/vars")
    return standing(drafts)
