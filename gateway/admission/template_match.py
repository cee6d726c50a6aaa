"""Template and text: is what the recipients read made from a template, and who demands that it is?

A carrier with `templates_required` for the category takes a text only if it matches a template that
is approved with it. For a recipient whose route has carriers that take the text as it is, the
others are passed over (`draft.without`). Where none does, but one takes it as advertising
(`template_fallback`), the submission becomes advertising - before hours, consent and opt-outs are
looked at, so that advertising is what it is judged as. It does so whole: a submission some of whose
recipients can have it as it is keeps its category, and the others are refused by name. So are
uploads to a batch, whose category is stored already.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gateway.admission.route import route_names
from gateway.admission.world import World, standing
from gateway.draft import Ask, Draft
from gateway.model import Category
from gateway.policy.templates import Template
from gateway.routing import Fallback
from gateway.store.messages import Tlv
from gateway.template import compile_template

MARK = "\N{OBJECT REPLACEMENT CHARACTER}"
"""Stands for the values of a batch that has no recipients yet."""


class Verdict(NamedTuple):
    """What one text comes to."""

    template: Template | None
    """The one it is made from; None if there is none, or several."""
    matches: bool
    barred: Mapping[str, Fallback]
    """Carriers that demand a template it does not match, and what it is to them instead."""


def check(ask: Ask, drafts: list[Draft], world: World) -> list[Draft]:
    """Write `ask.template` and `draft.without`; change the category, or refuse what no carrier
    takes."""
    if not ask.named:
        ask.template = None  # what was found of an earlier list of an upload is none of this one's
        account = ask.account.name
        if not world.routing.wants_templates(account) and not (
            world.registered.templates.concern(account)
        ):
            return drafts
    judging = _Judging(ask, world)
    if not drafts:
        _foresee(ask, world, judging)
        return drafts
    verdicts = judging.all(drafts)
    if ask.named:
        for draft, text, verdict in verdicts:
            if not verdict.matches:
                detail = judging.why(text) or f"the text is not made from template `{ask.template}`"
                draft.refuse("template_mismatch", detail, _pointer(ask))
                draft.note(detail, "template")
    _remember(ask, verdicts)
    passing = [each for each in verdicts if each[0].code is None]
    held = [each for each in passing if each[2].barred]
    if held:
        _part(ask, world, judging, held, len(passing))
    return standing(drafts)


class _Judging:
    """The verdicts of one submission, each text's once."""

    def __init__(self, ask: Ask, world: World) -> None:
        self._ask = ask
        self._world = world
        self._known: dict[tuple[str, tuple[Template, ...]], Verdict] = {}

    def all(self, drafts: Sequence[Draft]) -> list[tuple[Draft, str, Verdict]]:
        """Draft, text and verdict; drafts that lack a value are `render`'s to refuse."""
        ask = self._ask
        if ask.raw or "{{" not in ask.text:
            verdict = self.of(ask.text)
            return [(draft, ask.text, verdict) for draft in drafts]
        render = compile_template(ask.text).render
        found = []
        for draft in drafts:
            try:
                text = render(draft.vars or {})
            except KeyError:
                continue
            found.append((draft, text, self.of(text)))
        return found

    def of(self, text: str) -> Verdict:
        """What a text comes to in the category the submission has now."""
        ask = self._ask
        matching = self._world.registered.templates.matching(ask.account.name, text)
        # Texts differ for every recipient, what they are made from does not.
        key = (ask.category.value, matching)
        verdict = self._known.get(key)
        if verdict is None:
            verdict = self._known[key] = self._judge(*key)
        return verdict

    def why(self, text: str) -> str:
        """Which value is too long, if that is what is wrong with it."""
        ask = self._ask
        found = self._world.registered.templates.nearly(ask.account.name, text, ask.category.value)
        if found is None:
            return ""
        template, over = found
        return (
            f"slot `{over.slot}` of template `{template.name}` has {over.characters} characters; "
            f"at most {over.most} are approved"
        )

    def _judge(self, category: str, matching: Sequence[Template]) -> Verdict:
        ask, world = self._ask, self._world
        found = [
            each for each in matching if each.doc.category == category and each.usable(ask.now)
        ]
        if ask.named:
            # The name chooses among several that look alike.
            found = [each for each in found if each.name == ask.template]
        needing = world.routing.templates_required.get(category, {})
        # What a template of the text says of its fallback outweighs what the carrier says.
        said = next((each.doc.fallback for each in found if each.doc.fallback), None)
        barred: dict[str, Fallback] = {
            carrier: said or fallback
            for carrier, fallback in needing.items()
            if not any(each.approved(carrier) for each in found)
        }
        return Verdict(found[0] if len(found) == 1 else None, bool(found), barred)


def _remember(ask: Ask, verdicts: Sequence[tuple[Draft, str, Verdict]]) -> None:
    """Note the template all texts are made from, and what the operators call it."""
    found = {verdict.template for draft, _, verdict in verdicts if draft.code is None}
    if len(found) != 1:
        return
    template = found.pop()
    if template is None:
        return
    ask.template = template.name
    if template.tlvs:
        given = {one.tag for one in ask.tlvs}
        ask.tlvs += tuple([Tlv(*pair) for pair in template.tlvs if pair[0] not in given])
    for draft, _, _ in verdicts:
        draft.note(f"the text is made from template `{template.name}`", "/v1/templates")


def _part(
    ask: Ask,
    world: World,
    judging: _Judging,
    held: Sequence[tuple[Draft, str, Verdict]],
    total: int,
) -> None:
    """Part those some carrier takes as they are, those one takes as advertising, and the rest."""
    falling: list[tuple[Draft, str]] = []
    lost = 0
    routes = route_names(ask, [draft for draft, _, _ in held], world)
    for (draft, text, verdict), route in zip(held, routes, strict=True):
        carriers = () if route is None else world.routing.carriers_of(route)
        able = [carrier for carrier in carriers if carrier not in draft.without]
        if not able:
            continue  # `route` tells why
        if any(carrier not in verdict.barred for carrier in able):
            _bar(draft, verdict.barred)
        elif any(verdict.barred[carrier] == "advertising" for carrier in able):
            falling.append((draft, text))
        else:
            lost += 1
            why = judging.why(text) or f"the text matches no template approved with {_list(able)}"
            draft.refuse("template_mismatch", f"{why} (GET /v1/templates)", _pointer(ask))
            draft.note(why, "carrier.templates_required")
    if not falling:
        return
    if len(falling) + lost == total and ask.batch is None:
        _become_advertising(ask, judging, falling)
        return
    for draft, text in falling:
        why = judging.why(text) or "the text matches no template approved with its carriers"
        draft.refuse(
            "template_mismatch",
            f"{why}; they take it as advertising only, and other recipients of the submission have "
            f"it as `{ask.category}`: submit these apart, with category `advertising`",
            _pointer(ask),
        )
        draft.note(why, "carrier.template_fallback")


def _become_advertising(ask: Ask, judging: _Judging, falling: Sequence[tuple[Draft, str]]) -> None:
    before = {text: judging.of(text) for _, text in falling}
    was, ask.category, ask.named = ask.category, Category.ADVERTISING, False
    for draft, text in falling:
        # Not to carriers that refuse it as what it was meant to be, nor to those that want a
        # template of advertising, too.
        barred = {
            carrier: word for carrier, word in before[text].barred.items() if word == "reject"
        }
        _bar(draft, {**barred, **judging.of(text).barred})
        draft.note(
            f"the text matches no template for `{was}`: it is advertising",
            "carrier.template_fallback",
        )


def _foresee(ask: Ask, world: World, judging: _Judging) -> None:
    """A batch that has no recipients yet: its category is stored now, so it is decided by all
    routes that may lead to them, values standing as one character each."""
    text = ask.text
    if "{{" in text and not ask.raw:
        template = compile_template(text)
        text = template.render(dict.fromkeys(template.names, MARK))
    verdict = judging.of(text)
    if verdict.template is not None:
        _remember(ask, [(Draft(""), text, verdict)])
    carriers = {
        carrier
        for route in world.routing.routes_of(ask.account.name)
        for carrier in world.routing.carriers_of(route)
    }
    words = {verdict.barred.get(carrier) for carrier in carriers}
    if "advertising" in words and None not in words:
        ask.category, ask.named = Category.ADVERTISING, False


def _bar(draft: Draft, barred: Mapping[str, Fallback]) -> None:
    if barred:
        draft.without = {**draft.without, **dict.fromkeys(barred, "template_mismatch")}
        draft.note(
            f"the text matches no template approved with {_list(list(barred))}",
            "carrier.templates_required",
        )


def _list(names: Sequence[str]) -> str:
    return ", ".join(sorted(names))


def _pointer(ask: Ask) -> str:
    return "#/vars" if "{{" in ask.text else "#/text"
