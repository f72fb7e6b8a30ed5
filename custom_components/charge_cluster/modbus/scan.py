"""Finding out what answers at an address: SunSpec by its marker, an Eastron meter by plausible voltages. Reads only."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from .link import HOLDING, ILLEGAL_ADDRESS, ILLEGAL_FUNCTION, DeviceFault, LinkFault, ModbusLink
from .profile import (
    EASTRON_SDM630,
    SUNSPEC,
    SUNSPEC_PROFILES,
    MeterProfile,
    MeterValues,
    MissingPhase,
    profiles,
    read_values,
)
from .values import text

MARKER = [0x5375, 0x6E53]
""""SunS"."""

MARKER_ADDRESSES = (40000, 0, 50000)
COMMON_MODEL = 1
END_OF_CHAIN = 0xFFFF
LONGEST_CHAIN = 60
LAST_HEADER = 0xFFFE
"""Where the two registers that begin a model can be at most."""

SUNSPEC_UNITS = (1, 2, 3, 71, 126, 200, 201, 202, 203, 204, 240)
"""In the order in which evcc tries them."""

PLAUSIBLE_VOLTS = (50.0, 300.0)
PATIENCE_S = 30.0


class NoMeterFound(Exception):
    """Something answers, but it is no meter that is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundMeter:
    """A meter that was identified, and what it reads now."""

    profile: str
    """What to configure: "sunspec" or the key of a device profile."""
    unit: int
    manufacturer: str | None
    model: str | None
    serial: str | None
    values: MeterValues


@dataclass(frozen=True, slots=True, kw_only=True)
class SunSpecMap:
    """Where a SunSpec device has its meter model."""

    profile: MeterProfile
    base: int
    manufacturer: str | None
    model: str | None
    serial: str | None


async def identify(host: str, port: int, unit: int | None = None) -> FoundMeter:
    """Find the meter at an address; without a unit the usual ones are tried.

    Raises:
        LinkFault: nothing answers.
        NoMeterFound: what answers is no meter that is known.
    """
    await asyncio.to_thread(profiles)
    link = ModbusLink(host, port)
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await _identify(link, SUNSPEC_UNITS if unit is None else (unit,))
    except TimeoutError as error:
        raise NoMeterFound(f"{host}:{port} answers too slowly to be identified") from error
    finally:
        await link.close()


async def _identify(link: ModbusLink, units: Sequence[int]) -> FoundMeter:
    silent: LinkFault | None = None
    for unit in units:
        try:
            found = await _identify_unit(link, unit)
        except LinkFault as fault:
            if fault.key == "unreachable":
                raise
            silent = fault
            continue
        if found is not None:
            return found
    if silent is not None and len(units) == 1:
        raise silent
    raise NoMeterFound(f"no known meter answers at {link.host}:{link.port}")


async def _identify_unit(link: ModbusLink, unit: int) -> FoundMeter | None:
    try:
        sunspec = await find_sunspec(link, unit)
        if sunspec is not None:
            values = await read_values(link, unit, sunspec.profile, sunspec.base)
            return FoundMeter(
                profile=SUNSPEC,
                unit=unit,
                manufacturer=sunspec.manufacturer,
                model=sunspec.model,
                serial=sunspec.serial,
                values=values,
            )
        eastron = profiles()[EASTRON_SDM630]
        values = await read_values(link, unit, eastron)
    except DeviceFault, MissingPhase:
        return None
    volts = values.voltage_v
    if volts is None or not all(PLAUSIBLE_VOLTS[0] <= volt <= PLAUSIBLE_VOLTS[1] for volt in volts):
        return None
    return FoundMeter(
        profile=EASTRON_SDM630, unit=unit, manufacturer="Eastron", model="SDM630", serial=None, values=values
    )


async def find_sunspec(link: ModbusLink, unit: int) -> SunSpecMap | None:
    """Return where a SunSpec meter model is; None: there is none.

    Raises:
        LinkFault: nothing answers.
        DeviceFault: it answers, but not with registers now (a gateway whose meter is silent, a busy device).
    """
    for address in MARKER_ADDRESSES:
        try:
            if await link.read(HOLDING, address, 2, unit) == MARKER:
                return await _walk(link, unit, address + 2)
        except DeviceFault as fault:
            if fault.code not in {ILLEGAL_ADDRESS, ILLEGAL_FUNCTION}:
                raise
    return None


async def _walk(link: ModbusLink, unit: int, address: int) -> SunSpecMap | None:
    """Follow the chain of models to the first meter."""
    names: dict[str, str] = {}
    for _ in range(LONGEST_CHAIN):
        model, length = await link.read(HOLDING, address, 2, unit)
        if model == END_OF_CHAIN or length == 0:
            return None
        if model == COMMON_MODEL:
            common = await link.read(HOLDING, address + 2, min(length, 65), unit)
            names = {"manufacturer": text(common[0:16]), "model": text(common[16:32]), "serial": text(common[48:64])}
        for key in SUNSPEC_PROFILES:
            profile = profiles()[key]
            if model in profile.models:
                return SunSpecMap(
                    profile=profile,
                    base=address,
                    manufacturer=names.get("manufacturer") or None,
                    model=names.get("model") or None,
                    serial=names.get("serial") or None,
                )
        address += length + 2
        if address > LAST_HEADER:
            return None
    return None
