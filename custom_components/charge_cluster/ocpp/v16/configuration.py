"""A charge point's configuration keys: read once per boot, brought to what we need, read back.

What a key says is a claim: keys may be missing, read-only, or accepted and ignored. So nothing here is a condition for
control; it makes measurements frequent and the wording of limits right at the first try.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from ..frames import JsonObject
from ..rpc import CallRefused, CallTimedOut
from . import requests
from .profiles import ProfileAbilities
from .requests import RateUnit

MAX_KEYS = 500
MAX_VALUE = 500
_SECRET_WORDS = ("authorizationkey", "password", "secret", "passphrase")

SAMPLE_INTERVAL = "MeterValueSampleInterval"
SAMPLED_MEASURANDS = "MeterValuesSampledData"
SAMPLED_MEASURANDS_LENGTH = "MeterValuesSampledDataMaxLength"
HEARTBEAT_INTERVAL = "HeartbeatInterval"
PING_INTERVAL = "WebSocketPingInterval"
RATE_UNITS = "ChargingScheduleAllowedChargingRateUnit"
MAX_STACK_LEVEL = "ChargeProfileMaxStackLevel"
CONNECTORS = "NumberOfConnectors"
AUTHORISATION_KEY = "AuthorizationKey"

KEYS_OF_INTEREST = (
    SAMPLE_INTERVAL,
    SAMPLED_MEASURANDS,
    SAMPLED_MEASURANDS_LENGTH,
    HEARTBEAT_INTERVAL,
    PING_INTERVAL,
    RATE_UNITS,
    MAX_STACK_LEVEL,
    CONNECTORS,
)

MEASURANDS = (
    "Current.Import",
    "Power.Active.Import",
    "Energy.Active.Import.Register",
    "Voltage",
    "SoC",
    "Temperature",
    "Current.Offered",
)
"""Most needed first: where a charger takes only some, these are they."""
NEEDED_MEASURANDS = 4

type Ask = Callable[[str, JsonObject], Awaitable[JsonObject]]
"""Sends a call and returns its answer. Raises CallFailed."""


@dataclass(frozen=True, slots=True)
class Setting:
    """The value of a key as the charger gives it."""

    value: str | None
    read_only: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedSettings:
    """What we want of every charge point."""

    sample_interval_s: int = 10
    heartbeat_interval_s: int = 60
    ping_interval_s: int = 30


@dataclass(slots=True)
class Configuration:
    """The keys of one charge point as they were last read or accepted."""

    settings: dict[str, Setting] = field(default_factory=dict)
    restart_needed: set[str] = field(default_factory=set)
    """Keys whose new value counts only after a restart."""

    def take(self, answer: JsonObject) -> None:
        """Take over what a GetConfiguration answer tells; secrets are not kept."""
        entries = answer.get("configurationKey")
        if not isinstance(entries, list):
            return
        for entry in entries[:MAX_KEYS]:
            if not isinstance(entry, dict):
                continue
            key, value = entry.get("key"), entry.get("value")
            if not isinstance(key, str) or len(self.settings) >= MAX_KEYS:
                continue
            secret = any(word in key.casefold() for word in _SECRET_WORDS)
            text = None if value is None or secret or isinstance(value, dict | list) else str(value)[:MAX_VALUE]
            self.settings[key[:100]] = Setting(text, bool(entry.get("readonly")))

    def text(self, key: str) -> str | None:
        """Return a value as it was given."""
        setting = self.settings.get(key)
        return setting.value if setting is not None else None

    def whole(self, key: str) -> int | None:
        """Return a value as a number, where it is one."""
        try:
            return int(float(self.text(key) or ""))
        except ValueError, OverflowError:
            return None

    @property
    def connectors(self) -> int | None:
        """Return the number of connectors."""
        count = self.whole(CONNECTORS)
        return count if count is not None and count > 0 else None

    @property
    def abilities(self) -> ProfileAbilities:
        """Return what it says it can do with charging profiles."""
        words = {word.strip().casefold() for word in (self.text(RATE_UNITS) or "").replace(";", ",").split(",")}
        units = tuple(
            unit
            for unit, names in ((RateUnit.AMPS, {"current", "a"}), (RateUnit.WATTS, {"power", "w"}))
            if words & names
        )
        level = self.whole(MAX_STACK_LEVEL)
        if level is not None and level < 0:
            level = None
        return ProfileAbilities(units=units or (RateUnit.AMPS, RateUnit.WATTS), max_level=level)


async def set_up(ask: Ask, configuration: Configuration, wanted: WantedSettings) -> None:
    """Read the configuration and bring it to what is wanted.

    Raises:
        CallFailed: the charger stopped answering; refusals of single keys are taken as they are.
    """
    await _read_all(ask, configuration)
    changed: list[str] = []
    if await _set_measurands(ask, configuration):
        changed.append(SAMPLED_MEASURANDS)
    numbers: Mapping[str, int] = {
        SAMPLE_INTERVAL: wanted.sample_interval_s,
        HEARTBEAT_INTERVAL: wanted.heartbeat_interval_s,
        PING_INTERVAL: wanted.ping_interval_s,
    }
    for key, value in numbers.items():
        known = configuration.settings.get(key)
        if (known is None and key == PING_INTERVAL) or (known is not None and known.read_only):
            continue
        if configuration.whole(key) != value and await change(ask, configuration, key, str(value)):
            changed.append(key)
    if changed:
        await _read(ask, configuration, changed)


async def change(ask: Ask, configuration: Configuration, key: str, value: str) -> bool:
    """Set one key and return whether the charger took it. Raises CallFailed other than CallRefused."""
    try:
        answer = await ask("ChangeConfiguration", requests.change_configuration(key, value))
    except CallRefused:
        return False
    status = answer.get("status")
    if status == "RebootRequired":
        configuration.restart_needed.add(key)
    return status in ("Accepted", "RebootRequired")


async def _read_all(ask: Ask, configuration: Configuration) -> None:
    try:
        configuration.take(await ask("GetConfiguration", requests.get_configuration()))
    except CallRefused, CallTimedOut:
        # Some cannot put all their keys into one message.
        await _read(ask, configuration, KEYS_OF_INTEREST)


async def _read(ask: Ask, configuration: Configuration, keys: tuple[str, ...] | list[str]) -> None:
    try:
        configuration.take(await ask("GetConfiguration", requests.get_configuration(keys)))
    except CallRefused:
        return


async def _set_measurands(ask: Ask, configuration: Configuration) -> bool:
    """Ask for all measurands at once, else one by one; return whether anything was changed."""
    known = configuration.settings.get(SAMPLED_MEASURANDS)
    if known is not None and known.read_only:
        return False
    present = _words(known.value if known is not None else None)
    most = configuration.whole(SAMPLED_MEASURANDS_LENGTH) or len(MEASURANDS)
    wanted = MEASURANDS[: max(1, most)]
    if set(wanted[:NEEDED_MEASURANDS]) <= present:
        return False
    if await change(ask, configuration, SAMPLED_MEASURANDS, ",".join(wanted)):
        return True
    taken: list[str] = []
    for measurand in wanted:
        if await change(ask, configuration, SAMPLED_MEASURANDS, ",".join([*taken, measurand])):
            taken.append(measurand)
    return bool(taken)


def _words(text: str | None) -> set[str]:
    return {word.strip() for word in (text or "").split(",") if word.strip()}
