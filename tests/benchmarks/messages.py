"""The MeterValues that every server is fed: ten sampled values, as a charger with a good meter sends them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import orjson

FIRST_AMPS = 10.0


def meter_values(
    number: int, transaction_id: int, at: float, *, amps: float | None = None, connector: int = 1
) -> list[Any]:
    """Return a CALL about the time `at`, different from number to number as real ones are; its id is the number."""
    if amps is None:
        amps = FIRST_AMPS + number % 60 / 10
    sampled = [
        *(_value("Current.Import", f"{amps:.1f}", "A", phase=phase) for phase in ("L1", "L2", "L3")),
        *(_value("Voltage", f"{229 + number % 5}.0", "V", phase=f"{phase}-N") for phase in ("L1", "L2", "L3")),
        _value("Power.Active.Import", f"{amps * 690:.1f}", "W"),
        _value("Energy.Active.Import.Register", str(1_000_000 + number), "Wh"),
        _value("SoC", str(20 + number % 60), "Percent"),
        _value("Temperature", f"{30 + number % 9}.5", "Celsius"),
    ]
    payload = {
        "connectorId": connector,
        "transactionId": transaction_id,
        "meterValue": [{"timestamp": stamp(at), "sampledValue": sampled}],
    }
    return [2, str(number), "MeterValues", payload]


def stamp(at: float) -> str:
    """Return a UTC POSIX time as a charger writes it."""
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(at))}.{int(at % 1 * 1000):03}Z"


def frames(count: int, transaction_id: int, spacing_s: float) -> Sequence[str]:
    """Return so many calls as they come over the wire, from now on one every `spacing_s`."""
    now = time.time()
    calls = (meter_values(number, transaction_id, now + number * spacing_s) for number in range(count))
    return [orjson.dumps(call).decode() for call in calls]


def _value(measurand: str, value: str, unit: str, **phase: str) -> dict[str, str]:
    return {
        "value": value,
        "context": "Sample.Periodic",
        "format": "Raw",
        "measurand": measurand,
        "location": "Outlet",
        "unit": unit,
        **phase,
    }
