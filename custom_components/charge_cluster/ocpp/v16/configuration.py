"""A charge point's configuration keys: read once per boot, brought to what we need, read back.

What a key says is a claim: keys may be missing, read-only, or accepted and ignored. So nothing here is a condition for
control; it makes measurements frequent and the wording of limits right at the first try.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from ..experience import ABLE, NO_EXPERIENCE, UNABLE, Experience, Topic
from ..frames import JsonObject
from ..measurands import agree_on, words
from ..profiles import KINDS_OF_CHARGERS, ProfileAbilities, units_named
from ..rpc import Ask, CallRefused, CallTimedOut
from ..standing import WantedSettings
from . import requests

MAX_KEYS = 500
MAX_VALUE = 500
_SECRET_WORDS = ("authorizationkey", "password", "secret", "passphrase")

SAMPLE_INTERVAL = "MeterValueSampleInterval"
SAMPLED_MEASURANDS = "MeterValuesSampledData"
SAMPLED_MEASURANDS_LENGTH = "MeterValuesSampledDataMaxLength"
ALIGNED_INTERVAL = "ClockAlignedDataInterval"
ALIGNED_MEASURANDS = "MeterValuesAlignedData"
"""What is told at moments of the clock, also of the meter of the charge point itself."""
HEARTBEAT_INTERVAL = "HeartbeatInterval"
PING_INTERVAL = "WebSocketPingInterval"
RATE_UNITS = "ChargingScheduleAllowedChargingRateUnit"
MAX_STACK_LEVEL = "ChargeProfileMaxStackLevel"
MAX_PERIODS = "ChargingScheduleMaxPeriods"
CONNECTORS = "NumberOfConnectors"
AUTHORISATION_KEY = "AuthorizationKey"

KEYS_OF_INTEREST = (
    SAMPLE_INTERVAL,
    SAMPLED_MEASURANDS,
    SAMPLED_MEASURANDS_LENGTH,
    ALIGNED_INTERVAL,
    ALIGNED_MEASURANDS,
    HEARTBEAT_INTERVAL,
    PING_INTERVAL,
    RATE_UNITS,
    MAX_STACK_LEVEL,
    MAX_PERIODS,
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


@dataclass(frozen=True, slots=True)
class Setting:
    """The value of a key as the charger gives it."""

    value: str | None
    read_only: bool


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
        return _whole(self.text(key))

    @property
    def connectors(self) -> int | None:
        """Return the number of connectors."""
        count = self.whole(CONNECTORS)
        return count if count is not None and count > 0 else None

    @property
    def abilities(self) -> ProfileAbilities:
        """Return what it says it can do with charging profiles."""
        return _abilities(self.text(RATE_UNITS), self.text(MAX_STACK_LEVEL), self.text(MAX_PERIODS))


@lru_cache(maxsize=KINDS_OF_CHARGERS)
def _abilities(units: str | None, level: str | None, periods: str | None) -> ProfileAbilities:
    """Return what follows from these values: a fleet has a few of them, and each limit asks."""
    most = _whole(level)
    return ProfileAbilities(
        units=units_named(units),
        max_level=most if most is not None and most >= 0 else None,
        max_periods=positive(_whole(periods)),
    )


def _whole(text: str | None) -> int | None:
    try:
        return int(float(text or ""))
    except ValueError, OverflowError:
        return None


def positive(count: int | None) -> int | None:
    """Return a number of things that there is one of at least; chargers have been seen to say 0 or -1 for no limit."""
    return count if count is not None and count > 0 else None


async def set_up(
    ask: Ask,
    configuration: Configuration,
    wanted: WantedSettings,
    experience: Experience = NO_EXPERIENCE,
    *,
    few_measurands: bool = False,
    may_try: bool = True,
) -> bool:
    """Read the configuration and bring it to what is wanted; return whether nothing is left to be found out.

    Args:
        experience: what is known of the charger, and is found out here.
        few_measurands: it must not be asked for more measurands than are needed.
        may_try: whether it may be asked for one thing after the other that it may not like: not while somebody charges.

    Raises:
        CallFailed: the charger stopped answering; refusals of single keys are taken as they are.
    """
    await _read_all(ask, configuration, experience)
    changed: list[str] = []
    took = await _set_measurands(ask, configuration, experience, few=few_measurands, may_try=may_try)
    if took:
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
        await read(ask, configuration, changed)
    return took is not None


async def align(ask: Ask, configuration: Configuration, interval_s: int) -> None:
    """Have the meter of the charge point itself told so often.

    Raises:
        CallFailed: the charger stopped answering; refusals of single keys are taken as they are.
    """
    changed: list[str] = []
    measurands = configuration.settings.get(ALIGNED_MEASURANDS)
    wanted = MEASURANDS[:NEEDED_MEASURANDS]
    if not (measurands is not None and measurands.read_only) and not set(wanted) <= words(
        configuration.text(ALIGNED_MEASURANDS)
    ):
        for some in (wanted, wanted[:1]):
            if await change(ask, configuration, ALIGNED_MEASURANDS, ",".join(some)):
                changed.append(ALIGNED_MEASURANDS)
                break
    if configuration.whole(ALIGNED_INTERVAL) != interval_s and await change(
        ask, configuration, ALIGNED_INTERVAL, str(interval_s)
    ):
        changed.append(ALIGNED_INTERVAL)
    if changed:
        await read(ask, configuration, changed)


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


async def _read_all(ask: Ask, configuration: Configuration, experience: Experience) -> None:
    if not experience.worth_asking(Topic.CONFIGURATION):
        await read(ask, configuration, KEYS_OF_INTEREST)
        return
    try:
        configuration.take(await ask("GetConfiguration", requests.get_configuration()))
    except CallRefused, CallTimedOut:
        # Some cannot put all their keys into one message.
        await read(ask, configuration, KEYS_OF_INTEREST)
        # It answers, and not that: a link that is down would not have let this pass.
        experience.learned(Topic.CONFIGURATION, UNABLE)
    else:
        experience.learned(Topic.CONFIGURATION, ABLE)


async def read(ask: Ask, configuration: Configuration, keys: Sequence[str]) -> None:
    """Read keys anew. Raises CallFailed other than CallRefused."""
    try:
        configuration.take(await ask("GetConfiguration", requests.get_configuration(keys)))
    except CallRefused:
        return


async def _set_measurands(
    ask: Ask, configuration: Configuration, experience: Experience, *, few: bool, may_try: bool
) -> bool | None:
    """Ask for all measurands at once, else one by one; return whether anything was changed.

    None: one by one would be next, and may not be tried now.

    Where others of its model took some of them only, it is asked for these first.
    """
    known = configuration.settings.get(SAMPLED_MEASURANDS)
    if known is not None and known.read_only:
        return False
    present = words(known.value if known is not None else None)
    most = configuration.whole(SAMPLED_MEASURANDS_LENGTH) or len(MEASURANDS)
    wanted = MEASURANDS[: max(1, min(most, NEEDED_MEASURANDS) if few else most)]
    if set(wanted[:NEEDED_MEASURANDS]) <= present:
        return False
    return await agree_on(
        wanted, experience, lambda listed: change(ask, configuration, SAMPLED_MEASURANDS, listed), may_try=may_try
    )
