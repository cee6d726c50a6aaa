"""Template: the one a submission names gives it its text and its category."""

from __future__ import annotations

from typing import Final

from gateway.admission.world import World
from gateway.draft import Ask, Draft
from gateway.errors import Refused
from gateway.model import Category

POINTER: Final = "#/template"


def check(ask: Ask, drafts: list[Draft], world: World) -> list[Draft]:
    """Look up the template that is named; refuse the submission if it cannot be used. Whether the
    texts are made from it is `template_match`'s to see, once they are known."""
    if not ask.named or ask.template is None:
        return drafts
    template = world.registered.templates.named(ask.account.name, ask.template)
    if template is None:
        raise Refused("template_mismatch", "there is no template of this name", POINTER)
    if not template.usable(ask.now):
        raise Refused(
            "template_mismatch",
            "no operator has approved the template, or its dates do not include now "
            "(GET /v1/templates)",
            POINTER,
        )
    if not ask.text and not ask.raw:
        ask.text = template.doc.text
    category = template.doc.category
    if not ask.categorised:
        ask.category = Category(category)
    elif ask.category.value != category and ask.batch is None:
        raise Refused(
            "template_mismatch",
            f"the template is approved for `{category}`, not for `{ask.category}`",
            POINTER,
        )
    return drafts
