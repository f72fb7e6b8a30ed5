"""What is known of a kind of meter, as data: which registers hold what.

The files in `profiles/` name where each fact comes from. Scale factors are read in the same request as the values that
they belong to, because some devices change them at run time.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from .link import ModbusLink
from .values import NoValue, RegisterType, WordOrder, decode

type Phases = tuple[float, float, float]

SUNSPEC = "sunspec"
EASTRON_SDM630 = "eastron_sdm630"
SUNSPEC_PROFILES = ("sunspec_201_204", "sunspec_211_214")

MOST_SCALE = 10
"""SunSpec scale factors are powers of ten from −10 to 10."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterValue:
    """Where one value is."""

    address: int
    kind: RegisterType
    scale: float = 1.0
    scale_at: int | None = None
    """Address of the power of ten that it is multiplied with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterProfile:
    """Where the values of a kind of meter are; addresses count from where the device's map begins."""

    key: str
    name: str
    function: int
    word_order: WordOrder
    blocks: tuple[tuple[int, int], ...]
    """(address, count) of each request."""
    values: Mapping[str, RegisterValue]
    models: tuple[int, ...] = ()
    """SunSpec model numbers that it is for."""
    current_has_sign: bool = False
    """Whether currents are negative on export; otherwise they take the sign of the phase power."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterValues:
    """What a meter said in one round of requests; None where it has no value."""

    amps: Phases
    """Import positive."""
    power_w: float | None
    voltage_v: Phases | None
    energy_import_wh: float | None
    energy_export_wh: float | None


class MissingPhase(Exception):
    """A phase current has no value, so that nothing can be guarded."""


@cache
def profiles() -> dict[str, MeterProfile]:
    """Return all profiles; reads files at the first call, so call it off the event loop first."""
    folder = Path(__file__).parent / "profiles"
    return {
        path.stem: _profile(path.stem, json.loads(path.read_text("utf-8"))) for path in sorted(folder.glob("*.json"))
    }


def _profile(key: str, content: Mapping[str, Any]) -> MeterProfile:
    return MeterProfile(
        key=key,
        name=content["name"],
        function=content["function"],
        word_order=WordOrder(content["word_order"]),
        blocks=tuple((block[0], block[1]) for block in content["blocks"]),
        values={
            name: RegisterValue(
                address=value["address"],
                kind=RegisterType(value["type"]),
                scale=float(value.get("scale", 1.0)),
                scale_at=value.get("scale_at"),
            )
            for name, value in content["values"].items()
        },
        models=tuple(content.get("models", ())),
        current_has_sign=content["current_has_sign"],
    )


async def read_values(link: ModbusLink, unit: int, profile: MeterProfile, base: int = 0) -> MeterValues:
    """Read a meter once. Raises LinkFault, DeviceFault, MissingPhase."""
    registers: dict[int, int] = {}
    for address, count in profile.blocks:
        for offset, register in enumerate(await link.read(profile.function, base + address, count, unit)):
            registers[address + offset] = register
    return interpret(registers, profile)


def interpret(registers: Mapping[int, int], profile: MeterProfile) -> MeterValues:
    """Return what registers (by address) say. Raises MissingPhase."""
    found = {name: _value(registers, value, profile.word_order) for name, value in profile.values.items()}
    amps: list[float] = []
    for phase in ("l1", "l2", "l3"):
        current = found[f"current_{phase}"]
        power = found.get(f"power_{phase}")
        if current is None:
            raise MissingPhase(f"current {phase.upper()} has no value")
        if not profile.current_has_sign and power:
            current = math.copysign(current, power)
        amps.append(current)
    volts = [found.get(f"voltage_{phase}") for phase in ("l1", "l2", "l3")]
    known = [volt for volt in volts if volt is not None]
    return MeterValues(
        amps=(amps[0], amps[1], amps[2]),
        power_w=found.get("power_total"),
        voltage_v=(known[0], known[1], known[2]) if len(known) == len(volts) else None,
        energy_import_wh=found.get("energy_import"),
        energy_export_wh=found.get("energy_export"),
    )


def _value(registers: Mapping[int, int], value: RegisterValue, order: WordOrder) -> float | None:
    try:
        raw = decode([registers[value.address + i] for i in range(value.kind.registers)], value.kind, order)
        if value.scale_at is None:
            return raw * value.scale
        exponent = decode([registers[value.scale_at]], RegisterType.INT16)
    except NoValue:
        return None
    if abs(exponent) > MOST_SCALE:
        return None
    return float(raw * value.scale * 10.0**exponent)
