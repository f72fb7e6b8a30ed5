"""What is known of makes of charge points before they are met, as data with its provenance.

Each file in this folder is about one maker. A quirk is where a charge point is *begun* with: which wording is tried
first, how much is asked of it. What is observed outweighs it, and nothing that is proved rests on it. One is only
written down with a source that others can read, and with what was seen there; hearsay is none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from ..conversation import DeviceFacts
from ..profiles import KINDS_OF_CHARGERS, ProfileAbilities, RateUnit

NUMBER = re.compile(r"\d+")


class Quirk(StrEnum):
    """What a make can be known for; each is used by the code."""

    LOWEST_LEVEL_ONLY = "lowest_level_only"
    """It obeys, or takes, charging profiles on stack level 0 only, whatever it says of itself."""
    WATTS_FIRST = "watts_first"
    """It is limited in watts, whatever it says of amps."""
    NEEDED_MEASURANDS_ONLY = "needed_measurands_only"
    """It accepts more measurands than are good for it: it is asked for those only that are needed."""
    ZERO_ENDS_TRANSACTIONS = "zero_ends_transactions"
    """It ends a transaction that is told 0 A instead of pausing."""
    LIMIT_LOST_IN_PAUSE = "limit_lost_in_pause"
    """It takes a limit while it is paused at 0 A and forgets it: the limit is sent again once it goes on."""
    KWH_AS_WH = "kwh_as_wh"
    """It means kWh where it tells its energy register in Wh, or without a unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownQuirk:
    """One quirk of the charge points that a pattern fits."""

    quirk: Quirk
    vendor: str
    """Pattern (`*`, `?`) of what it says as its maker, whatever the case; empty: it says nothing."""
    model: str
    firmware_up_to: str | None
    """The last firmware that has it, as far as is known; None: any, also an unknown one."""
    seen: str
    """What was seen."""
    source: str
    """Where that can be read."""

    def fits(self, device: DeviceFacts) -> bool:
        """Return whether a charge point is one of these."""
        named = ((device.vendor, self.vendor), (device.model, self.model))
        if not all(fnmatchcase((said or "").casefold(), pattern.casefold()) for said, pattern in named):
            return False
        if self.firmware_up_to is None:
            return True
        return device.firmware is not None and _numbers(device.firmware) <= _numbers(self.firmware_up_to)


def _numbers(firmware: str) -> tuple[int, ...]:
    return tuple(int(number) for number in NUMBER.findall(firmware))


@cache
def known_quirks() -> tuple[KnownQuirk, ...]:
    """Return all that is known; reads files at the first call, so call it off the event loop first."""
    folder = Path(__file__).parent
    return tuple(
        known for path in sorted(folder.glob("*.json")) for known in _read(json.loads(path.read_text("utf-8")))
    )


def _read(content: Mapping[str, Any]) -> Iterable[KnownQuirk]:
    for make in content["makes"]:
        for quirk in make["quirks"]:
            yield KnownQuirk(
                quirk=Quirk(quirk["quirk"]),
                vendor=make["vendor"],
                model=make["model"],
                firmware_up_to=quirk.get("firmware_up_to"),
                seen=quirk["seen"],
                source=quirk["source"],
            )


def quirks_of(device: DeviceFacts) -> frozenset[Quirk]:
    """Return what the make of a charge point is known for."""
    return _quirks_of(DeviceFacts(vendor=device.vendor, model=device.model, firmware=device.firmware))


@lru_cache(maxsize=KINDS_OF_CHARGERS)
def _quirks_of(kind: DeviceFacts) -> frozenset[Quirk]:
    return frozenset(known.quirk for known in known_quirks() if known.fits(kind))


def begun_with(abilities: ProfileAbilities, quirks: frozenset[Quirk]) -> ProfileAbilities:
    """Return what a charge point says that it can do, as the quirks of its make have it."""
    if Quirk.LOWEST_LEVEL_ONLY in quirks:
        abilities = replace(abilities, max_level=0)
    if Quirk.WATTS_FIRST in quirks:
        others = tuple(unit for unit in abilities.units if unit is not RateUnit.WATTS)
        abilities = replace(abilities, units=(RateUnit.WATTS, *others))
    return abilities
