"""What the forms of a site and of a cluster ask alike: a circuit as it is, beyond its rating, and what protects it.

All of it is optional: most know no more than a rating, and nothing is assumed where nothing was told.
"""

from collections.abc import Mapping
from typing import Any

import voluptuous as vol
from homeassistant.const import UnitOfApparentPower, UnitOfPower, UnitOfTime
from homeassistant.helpers.selector import BooleanSelector, NumberSelector, NumberSelectorConfig, NumberSelectorMode

from ..const import Key
from ..engine.exposure import LARGEST_DEVICE_A, DeviceKind
from ..site.proof import DEMAND_WINDOWS_MIN
from . import FormFaults, advanced, amps, choice

LARGEST_POWER_K = 10_000.0
"""In kVA or kW."""

LONGEST_DELAY_S = 60.0
LARGEST_PICKUP = 20.0

FIGURES = (
    Key.NEUTRAL,
    Key.UNBALANCE,
    Key.POWER,
    Key.DEMAND,
    Key.DEMAND_WINDOW,
    Key.GENERATION,
    Key.GENERATION_CREDIT,
)
DEVICE = (
    Key.DEVICE_KIND,
    Key.DEVICE_RATED,
    Key.LONG_DELAY,
    Key.SHORT_PICKUP,
    Key.SHORT_DELAY,
    Key.INSTANTANEOUS,
)

STORED = (*FIGURES, *DEVICE)
"""Keys under which the answers are stored."""


def figures() -> dict[vol.Marker, Any]:
    """Return the fields of the folded part that say what a circuit carries beside its rating per phase."""
    return {
        vol.Optional(Key.NEUTRAL): amps(least=1),
        vol.Optional(Key.UNBALANCE): amps(least=0.1),
        vol.Optional(Key.POWER): _box(
            least=0.1, most=LARGEST_POWER_K, step=0.1, unit=UnitOfApparentPower.KILO_VOLT_AMPERE
        ),
        vol.Optional(Key.DEMAND): _box(least=0.1, most=LARGEST_POWER_K, step=0.1, unit=UnitOfPower.KILO_WATT),
        vol.Optional(Key.DEMAND_WINDOW): choice("demand_window", map(str, DEMAND_WINDOWS_MIN)),
        vol.Optional(Key.GENERATION): amps(),
        vol.Optional(Key.GENERATION_CREDIT, default=False): BooleanSelector(),
    }


def protection() -> dict[vol.Marker, Any]:
    """Return the folded part of a form that asks for the protective device of a circuit."""
    fields: Mapping[vol.Marker, Any] = {
        vol.Optional(Key.DEVICE_KIND): choice("device_kind", DeviceKind),
        vol.Optional(Key.DEVICE_RATED): amps(least=0.5, most=LARGEST_DEVICE_A, step=0.5),
        vol.Optional(Key.LONG_DELAY): _seconds(least=0.1),
        vol.Optional(Key.SHORT_PICKUP): _multiple(),
        vol.Optional(Key.SHORT_DELAY): _seconds(least=0),
        vol.Optional(Key.INSTANTANEOUS): _multiple(),
    }
    return {vol.Optional(Key.PROTECTION): advanced(fields)}


def add_device_faults(fields: Mapping[str, Any], faults: FormFaults) -> None:
    """Add what keeps the answers about the protective device from being one."""
    if Key.DEVICE_KIND in fields and Key.DEVICE_RATED not in fields:
        faults.add("device_rating_missing")
    elif Key.DEVICE_KIND not in fields and any(key in fields for key in DEVICE):
        faults.add("device_kind_missing")


def as_stored(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is stored of the answers; half a device is none."""
    whole = Key.DEVICE_KIND in fields and Key.DEVICE_RATED in fields
    return {key.value: fields[key] for key in (STORED if whole else FIGURES) if key in fields}


def _box(*, least: float, most: float, step: float, unit: str) -> NumberSelector:
    return NumberSelector(
        NumberSelectorConfig(min=least, max=most, step=step, mode=NumberSelectorMode.BOX, unit_of_measurement=unit)
    )


def _seconds(*, least: float) -> NumberSelector:
    return _box(least=least, most=LONGEST_DELAY_S, step=0.01, unit=UnitOfTime.SECONDS)


def _multiple() -> NumberSelector:
    return _box(least=1, most=LARGEST_PICKUP, step=0.1, unit="× Ir")
