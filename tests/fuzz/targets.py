"""The targets by name, and each one's share of the inputs of a long run."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from . import decode, dump, meaning, receipt, session, text, times, tlvs, udh


class Target(NamedTuple):
    """`check` raises when the invariant does not stand; `share` is relative to the others'.

    `longest` bounds an input in octets: what costs per octet is better tried more often.
    """

    name: str
    invariant: str
    seeds: Callable[[], list[bytes]]
    check: Callable[[bytes], None]
    share: int
    longest: int


# What reads whatever comes first gets most; a session costs fifty times a header. Ten million
# inputs took 26 minutes on two cores that others used too.
_SHARES = (
    (decode, 22, 2_048),
    (session, 1, 512),
    (receipt, 22, 1_024),
    (meaning, 8, 1_024),
    (tlvs, 16, 1_024),
    (udh, 12, 300),
    (text, 3, 1_024),
    (times, 14, 64),
    (dump, 2, 2_048),
)

TARGETS = {
    name: Target(name, module.__doc__ or "", module.seeds, module.check, share, longest)
    for module, share, longest in _SHARES
    for name in (module.__name__.rpartition(".")[2],)
}
