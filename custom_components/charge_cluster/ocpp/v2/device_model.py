"""A charge point's device model in OCPP 2.x: asked for once per boot, brought to what we need, read back.

What a variable says is a claim: variables may be missing, read-only, or accepted and ignored. So nothing here is a
condition for control; it makes measurements frequent and the wording of limits right at the first try. What we need is
asked for by name. A whole report is asked for besides, because it alone tells how many EVSEs there are; its parts are
taken whenever they come, however late or few, and nothing waits for them. What is found out on the way is remembered
for the model (`ocpp.experience`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..experience import NO_EXPERIENCE, UNABLE, Experience, Topic
from ..frames import JsonObject
from ..measurands import agree_on, likely, words
from ..reading import inner, objects, text, whole
from ..rpc import Ask, CallRefused, CallTimedOut
from ..standing import WantedSettings
from . import requests
from .profiles import ENABLED, SMART_CHARGING, VARIABLES
from .requests import Place, ReportBase

MAX_VARIABLES = 400
"""A full report has been seen with more than a thousand; we keep those of a few components."""
MAX_VALUE = 500
MOST_PHASES = 3
MOST_OF_A_REPORT = 2000
ITEMS_AT_ONCE = 10
"""Chargers say how many they take in one message, in a variable; so few are taken by all that were seen."""

BASIC_AUTH_PASSWORD = Place("SecurityCtrlr", "BasicAuthPassword")
HEARTBEAT_INTERVAL = Place("OCPPCommCtrlr", "HeartbeatInterval")
PING_INTERVAL = Place("OCPPCommCtrlr", "WebSocketPingInterval")
EVENT_ATTEMPTS = Place("OCPPCommCtrlr", "MessageAttempts", "TransactionEvent")
UPDATED_INTERVAL = Place("SampledDataCtrlr", "TxUpdatedInterval")
UPDATED_MEASURANDS = Place("SampledDataCtrlr", "TxUpdatedMeasurands")
STARTED_MEASURANDS = Place("SampledDataCtrlr", "TxStartedMeasurands")
ENDED_MEASURANDS = Place("SampledDataCtrlr", "TxEndedMeasurands")
ENDED_INTERVAL = Place("SampledDataCtrlr", "TxEndedInterval")
ALIGNED_INTERVAL = Place("AlignedDataCtrlr", "Interval")
ALIGNED_MEASURANDS = Place("AlignedDataCtrlr", "Measurands")
"""What is told at moments of the clock, also of the meter of the charge point itself."""
SMART_CHARGING_ENABLED = Place(SMART_CHARGING, ENABLED)
SMART_CHARGING_AVAILABLE = Place(SMART_CHARGING, "Available")

ENERGY = "Energy.Active.Import.Register"
MEASURANDS = (
    "Current.Import",
    "Power.Active.Import",
    ENERGY,
    "Voltage",
    "SoC",
    "Current.Offered",
)
"""Most needed first: where a charger takes only some, these are they."""
NEEDED_MEASURANDS = 4
ATTEMPTS = 5
"""To deliver what happened in a transaction, before a charger may give it up."""

OF_INTEREST = (
    HEARTBEAT_INTERVAL,
    PING_INTERVAL,
    EVENT_ATTEMPTS,
    UPDATED_INTERVAL,
    UPDATED_MEASURANDS,
    STARTED_MEASURANDS,
    ENDED_MEASURANDS,
    ENDED_INTERVAL,
    ALIGNED_INTERVAL,
    ALIGNED_MEASURANDS,
    SMART_CHARGING_AVAILABLE,
    *(Place(SMART_CHARGING, variable) for variable in VARIABLES),
)

_KEPT = frozenset(
    {
        "AlignedDataCtrlr",
        "AuthCtrlr",
        "ChargingStation",
        "Connector",
        "EVSE",
        "LocalAuthListCtrlr",
        "OCPPCommCtrlr",
        "ReservationCtrlr",
        "SampledDataCtrlr",
        "SmartChargingCtrlr",
        "TxCtrlr",
    }
)
_SECRET_WORDS = ("password", "key", "secret")


@dataclass(frozen=True, slots=True)
class Variable:
    """The actual value of a variable, as the charger gives it."""

    value: str | None
    read_only: bool = False


class DeviceModel:
    """The variables of one charge point as they were last read or accepted."""

    def __init__(self) -> None:
        """Know nothing."""
        self._variables: dict[Place, Variable] = {}
        self._evses: set[int] = set()
        self.restart_needed: set[Place] = set()
        """Variables whose new value counts only after a restart."""

    def __len__(self) -> int:
        """Return how many variables are kept."""
        return len(self._variables)

    def take_report(self, payload: JsonObject) -> None:
        """Take over a part of a report."""
        for entry in objects(payload.get("reportData"), MOST_OF_A_REPORT):
            place = _place(entry)
            if place is None:
                continue
            if place.component == "EVSE" and place.evse is not None:
                self._evses.add(place.evse)
            actual = _actual(objects(entry.get("variableAttribute"), 4))
            if place.component in _KEPT and actual is not None:
                self._keep(place, _value(actual.get("value")), read_only=actual.get("mutability") == "ReadOnly")

    def take_values(self, answer: JsonObject) -> None:
        """Take over the answer to GetVariables."""
        for entry in objects(answer.get("getVariableResult"), MOST_OF_A_REPORT):
            place = _place(entry)
            if place is None or entry.get("attributeType", "Actual") != "Actual":
                continue
            if entry.get("attributeStatus") == "Accepted":
                known = self._variables.get(place)
                self._keep(place, _value(entry.get("attributeValue")), read_only=known is not None and known.read_only)

    def _keep(self, place: Place, value: str | None, *, read_only: bool) -> None:
        secret = any(word in place.variable.casefold() for word in _SECRET_WORDS)
        if not secret and (place in self._variables or len(self._variables) < MAX_VARIABLES):
            self._variables[place] = Variable(value, read_only)

    def variable(self, place: Place) -> Variable | None:
        """Return a variable; None: it was not told."""
        return self._variables.get(place)

    def text(self, place: Place) -> str | None:
        """Return a value as it was given."""
        variable = self._variables.get(place)
        return None if variable is None else variable.value

    def number(self, place: Place) -> int | None:
        """Return a value as a whole number, where it is one."""
        try:
            return int(float(self.text(place) or ""))
        except ValueError, OverflowError:
            return None

    def truth(self, place: Place) -> bool | None:
        """Return a value as yes or no; None: it was not told."""
        told = (self.text(place) or "").strip().casefold()
        return {"true": True, "1": True, "false": False, "0": False}.get(told)

    def smart_charging(self, variable: str, evse: int | None) -> str | None:
        """Return a variable of the smart charging controller, of the station or of one EVSE."""
        return self.text(Place(SMART_CHARGING, variable, None, evse))

    def supply_phases(self, evse: int) -> int | None:
        """Return on how many phases an EVSE is fed; None: it was not told, or it is no alternating current."""
        told = self.number(Place("EVSE", "SupplyPhases", None, evse))
        return told if told is not None and 1 <= told <= MOST_PHASES else None

    @property
    def evse_numbers(self) -> frozenset[int]:
        """Return the EVSEs that a report told of."""
        return frozenset(self._evses)

    @property
    def evses(self) -> int | None:
        """Return the number of EVSEs; None: it was not told."""
        return len(self._evses) or None


async def set_up(
    ask: Ask,
    model: DeviceModel,
    wanted: WantedSettings,
    request_id: int,
    experience: Experience = NO_EXPERIENCE,
    *,
    few_measurands: bool = False,
    may_try: bool = True,
) -> bool:
    """Read the device model and bring it to what is wanted; return whether nothing is left to be found out.

    Args:
        request_id: the number of the report that is asked for.
        experience: what is known of the charger, and is found out here.
        few_measurands: it must not be asked for more measurands than are needed.
        may_try: whether it may be asked for one thing after the other that it may not like: not while somebody charges.

    Raises:
        CallFailed: the charger stopped answering; refusals of single variables are taken as they are.
    """
    await read(ask, model, OF_INTEREST)
    took = await _set_measurands(ask, model, experience, few=few_measurands, may_try=may_try)
    changed: list[Place] = []
    if took:
        changed.append(UPDATED_MEASURANDS)
    values: Mapping[Place, str] = {
        UPDATED_INTERVAL: str(wanted.sample_interval_s),
        HEARTBEAT_INTERVAL: str(wanted.heartbeat_interval_s),
        PING_INTERVAL: str(wanted.ping_interval_s),
        ALIGNED_INTERVAL: "0",
        ENDED_INTERVAL: "0",
    }
    for place, value in values.items():
        if model.text(place) != value and await change_known(ask, model, place, value):
            changed.append(place)
    changed += [
        place
        for place in (STARTED_MEASURANDS, ENDED_MEASURANDS)
        if ENERGY not in words(model.text(place)) and await change_known(ask, model, place, ENERGY)
    ]
    attempts = model.number(EVENT_ATTEMPTS)
    if attempts is not None and attempts < ATTEMPTS and await change_known(ask, model, EVENT_ATTEMPTS, str(ATTEMPTS)):
        changed.append(EVENT_ATTEMPTS)
    switched_off = model.truth(SMART_CHARGING_ENABLED) is False and model.truth(SMART_CHARGING_AVAILABLE) is not False
    if switched_off and await change_known(ask, model, SMART_CHARGING_ENABLED, "true"):
        changed.append(SMART_CHARGING_ENABLED)
    if changed:
        await read(ask, model, changed)
    await _ask_for_report(ask, request_id, experience)
    return took is not None


async def align(ask: Ask, model: DeviceModel, interval_s: int) -> None:
    """Have the meter of the charge point itself told so often.

    Raises:
        CallFailed: the charger stopped answering; refusals of single variables are taken as they are.
    """
    wanted = MEASURANDS[:NEEDED_MEASURANDS]
    if not set(wanted) <= words(model.text(ALIGNED_MEASURANDS)):
        await change_known(ask, model, ALIGNED_MEASURANDS, ",".join(wanted))
    await change_known(ask, model, ALIGNED_INTERVAL, str(interval_s))
    await read(ask, model, (ALIGNED_MEASURANDS, ALIGNED_INTERVAL))


async def change(ask: Ask, model: DeviceModel, place: Place, value: str) -> bool:
    """Set one variable and return whether the charger took it. Raises CallFailed other than CallRefused."""
    try:
        answer = await ask("SetVariables", requests.set_variables([(place, value)]))
    except CallRefused:
        return False
    results = objects(answer.get("setVariableResult"), 1)
    status = results[0].get("attributeStatus") if results else None
    if status == "RebootRequired":
        model.restart_needed.add(place)
    return status in ("Accepted", "RebootRequired")


async def change_known(ask: Ask, model: DeviceModel, place: Place, value: str) -> bool:
    """Set a variable that the charger has and that can be set."""
    known = model.variable(place)
    return known is not None and not known.read_only and await change(ask, model, place, value)


async def read(ask: Ask, model: DeviceModel, places: Iterable[Place]) -> None:
    """Read variables, a few at a time; where even those are too many, one at a time."""
    waiting = list(places)
    at_once = ITEMS_AT_ONCE
    while waiting:
        try:
            model.take_values(await ask("GetVariables", requests.get_variables(waiting[:at_once])))
        except CallRefused:
            if at_once == 1:
                return
            at_once = 1
            continue
        del waiting[:at_once]


async def _ask_for_report(ask: Ask, request_id: int, experience: Experience) -> None:
    """Ask for everything, else for what can be configured; some have neither, or too much to say."""
    if not experience.worth_asking(Topic.REPORT):
        return
    remembered = experience.known(Topic.REPORT).finding
    overtaxed = False
    for base in sorted((ReportBase.FULL, ReportBase.CONFIGURATION), key=lambda base: base.value != remembered):
        try:
            answer = await ask("GetBaseReport", requests.get_base_report(request_id, base))
        except CallRefused:
            continue
        except CallTimedOut:
            overtaxed = True
            continue
        if answer.get("status") == "Accepted":
            experience.learned(Topic.REPORT, base.value)
            return
        # What is told now may be told at another time.
        overtaxed = overtaxed or answer.get("status") not in ("NotSupported", "EmptyResultSet")
    if not overtaxed:
        experience.learned(Topic.REPORT, UNABLE)


async def _set_measurands(
    ask: Ask, model: DeviceModel, experience: Experience, *, few: bool, may_try: bool
) -> bool | None:
    """Ask for all measurands at once, else one by one; return whether anything was changed.

    None: one by one would be next, and may not be tried now.

    Where others of its model took some of them only, it is asked for these first.
    """
    known = model.variable(UPDATED_MEASURANDS)
    wanted = MEASURANDS[:NEEDED_MEASURANDS] if few else MEASURANDS
    if known is None or known.read_only or set(MEASURANDS[:NEEDED_MEASURANDS]) <= words(known.value):
        return False
    some = likely(wanted, experience)
    if some and set(some) <= words(known.value):
        return False
    return await agree_on(
        wanted, experience, lambda listed: change(ask, model, UPDATED_MEASURANDS, listed), may_try=may_try
    )


def _place(entry: JsonObject) -> Place | None:
    component, variable = inner(entry, "component"), inner(entry, "variable")
    name, variable_name = text(component, "name"), text(variable, "name")
    if name is None or variable_name is None:
        return None
    return Place(name, variable_name, text(variable, "instance"), whole(inner(component, "evse"), "id"))


def _actual(attributes: tuple[JsonObject, ...]) -> JsonObject | None:
    return next((attribute for attribute in attributes if attribute.get("type", "Actual") == "Actual"), None)


def _value(raw: object) -> str | None:
    return None if raw is None or isinstance(raw, dict | list) else str(raw)[:MAX_VALUE]
