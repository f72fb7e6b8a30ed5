"""The MeterValues that every server is fed: ten sampled values, as a charger with a good meter sends them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import orjson

FIRST_AMPS = 10.0


def meter_values(number: int, transaction_id: int) -> list[Any]:
    """Return a CALL whose content differs from number to number, as real ones do; its id is the number."""
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
        "connectorId": 1,
        "transactionId": transaction_id,
        "meterValue": [{"timestamp": now(), "sampledValue": sampled}],
    }
    return [2, str(number), "MeterValues", payload]


def now() -> str:
    """Return the present time as a charger writes it."""
    seconds = time.time()
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{int(seconds % 1 * 1000):03}Z"


def frames(count: int, transaction_id: int) -> Sequence[str]:
    """Return so many calls as they come over the wire."""
    return [orjson.dumps(meter_values(number, transaction_id)).decode() for number in range(count)]


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
