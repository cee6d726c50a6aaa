"""What every table of the configuration is made of.

In: nothing. Out: quantities with units, names, the base of all sections.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class Duration(float):
    """Seconds. Written `"250ms"`, `"30s"`, `"5m"`, `"4h"`, `"7d"`; a bare number is refused."""


class Size(int):
    """Octets. Written `"64KiB"`, `"16MiB"`, `"1GiB"`; a bare number is octets."""


class Section(
    msgspec.Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=False, frozen=True
):
    """A table of the configuration; unknown keys are refused by name."""


Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]
"""Names stand in ids, metric labels and lane keys, so they keep to a safe alphabet."""

Port = Annotated[int, Meta(ge=0, le=65535)]
Positive = Annotated[int, Meta(ge=1)]
Scope = Literal["messages:write", "messages:read", "moderation", "optouts", "admin"]

CategoryName = Literal["transactional", "service", "informational", "advertising"]
