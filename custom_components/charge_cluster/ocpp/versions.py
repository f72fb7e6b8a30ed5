"""The versions of OCPP that we speak, and what differs between them below the vocabularies.

The vocabularies are rooms of their own (`v16`, `v2`). Nothing above the central system asks for a version; it may be
shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class OcppVersion(StrEnum):
    """A version of OCPP over JSON."""

    V16 = "1.6"
    V201 = "2.0.1"
    V21 = "2.1"

    @property
    def subprotocol(self) -> str:
        """Return the name under which it is offered when a charge point dials in."""
        return f"ocpp{self.value}"

    @property
    def is_2(self) -> bool:
        """Return whether it is one of the second generation."""
        return self is not OcppVersion.V16


PREFERRED = (OcppVersion.V21, OcppVersion.V201, OcppVersion.V16)
"""Where a charge point offers several, the first of these is spoken."""

WITHOUT_OFFER = OcppVersion.V16
"""What somebody who offers no version is taken to speak."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreed:
    """What a charge point that dials in is spoken to in."""

    version: OcppVersion
    subprotocol: str | None
    """As it was offered, in its own spelling; None: nothing was offered."""


def agree(offered: Iterable[str], pinned: OcppVersion | None = None) -> Agreed | None:
    """Return the version to speak out of those that are offered; None: there is none.

    Args:
        offered: names of subprotocols.
        pinned: the one that the owner wants spoken, and no other.
    """
    names = tuple(offered)
    if not names:
        return Agreed(version=pinned or WITHOUT_OFFER, subprotocol=None)
    for version in PREFERRED if pinned is None else (pinned,):
        for name in names:
            if name.casefold() == version.subprotocol:
                return Agreed(version=version, subprotocol=name)
    return None
