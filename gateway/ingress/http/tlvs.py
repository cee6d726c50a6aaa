"""TLVs a submission asks for: from what the caller sent to what a content keeps.

In: structs of `shapes`. Out: `contract.Tlv`s, or a `Problem` that names the field. Which tag a name
means, and how its value is written, each carrier's profile says when the message leaves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gateway.ingress.http.problem import Problem, field_problem
from gateway.ingress.http.shapes import TlvRequest
from gateway.store.messages import Tlv
from protocol.tlv import SPOKEN_FOR, TLV_BY_TAG

_NAMES: Final = frozenset(TLV_BY_TAG[tag].name for tag in SPOKEN_FOR)


def tlvs_of(requests: Sequence[TlvRequest]) -> tuple[Tlv, ...]:
    """The TLVs in the caller's order."""
    return tuple([_tlv(one, f"#/tlvs/{place}") for place, one in enumerate(requests)])


def _tlv(one: TlvRequest, pointer: str) -> Tlv:
    if (one.name is None) == (one.tag is None):
        raise _one_of(pointer, "name", "tag", one.name is None)
    if (one.value is None) == (one.hex is None):
        raise _one_of(pointer, "value", "hex", one.value is None)
    asked = one.name or one.tag or ""
    if one.tag is not None and int(one.tag, 16) in SPOKEN_FOR:
        raise _spoken_for(f"{pointer}/tag", TLV_BY_TAG[int(one.tag, 16)].name)
    if asked in _NAMES:
        raise _spoken_for(f"{pointer}/name", asked)
    if one.hex is not None:
        if len(one.hex) % 2:
            raise field_problem(
                "invalid_value", f"{pointer}/hex", f"{len(one.hex)} hex digits are no whole octets"
            )
        return Tlv(asked, one.hex, True)
    return Tlv(asked, one.value or "")


def _one_of(pointer: str, first: str, second: str, none: bool) -> Problem:
    if none:
        return field_problem("missing_field", pointer, f"give `{first}` or `{second}`")
    return field_problem("invalid_value", pointer, f"give `{first}` or `{second}`, not both")


def _spoken_for(pointer: str, name: str) -> Problem:
    return field_problem(
        "invalid_value", pointer, f"`{name}` is the gateway's or the operator's own to set"
    )
