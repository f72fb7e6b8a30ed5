"""Actions by which somebody outside holds a circuit below a ceiling for a while, and lets go of it.

The grid operator's signal, a rule or a tariff reaches Home Assistant as an entity or event; an automation turns it into
one of these. What each source is known for (whom it bounds, what becomes of it at its end) is its default, not its law.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import homeassistant.helpers.config_validation as cv
import voluptuous as vol
from homeassistant.const import ATTR_DEVICE_ID
from homeassistant.core import ServiceCall, ServiceResponse
from homeassistant.exceptions import ServiceValidationError
from homeassistant.util import dt as dt_util
from homeassistant.util.json import JsonObjectType

from ..const import DOMAIN
from ..coordinator import ChargeClusterConfigEntry
from ..site.cap import Afterwards, Cap, CapSource
from ..site.caps import MOST_SOURCES, NoSuchCap, TooManySources
from ..site.grid_rules import fallback_excess, section_14a_minimum_w
from ..site.site import Site
from ..site.views import G100_ALLOWED_S, CapView, CircuitView, FailSafeTime
from .fields import posix, text
from .sentences import spoken
from .target import circuits_below, the_circuit

SOURCE = "source"
CURRENT_A = "current_a"
POWER_KW = "power_kw"
CONTROLLABLE_DEVICES = "controllable_devices"
VEHICLES_ONLY = "vehicles_only"
DURATION = "duration"
EXPIRES_AT = "expires_at"
AFTER = "after"

VALUE = "value"
END = "end"
"""Of each, one at most is given."""

MOST_A = 10_000.0
MOST_KW = 10_000.0
MOST_DEVICES = 1_000
LONGEST = timedelta(days=366)
W_PER_KW = 1000.0


def _amount(most: float) -> Callable[[Any], float]:
    return vol.All(vol.Coerce(float), vol.Range(min=0.0, max=most))


SET_CAP = vol.Schema(
    {
        vol.Required(ATTR_DEVICE_ID): cv.string,
        vol.Required(SOURCE): text,
        vol.Exclusive(CURRENT_A, VALUE): _amount(MOST_A),
        vol.Exclusive(POWER_KW, VALUE): _amount(MOST_KW),
        vol.Exclusive(CONTROLLABLE_DEVICES, VALUE): vol.All(vol.Coerce(int), vol.Range(min=1, max=MOST_DEVICES)),
        vol.Optional(VEHICLES_ONLY): cv.boolean,
        vol.Exclusive(DURATION, END): vol.All(
            cv.positive_time_period, vol.Range(min=timedelta(seconds=1), max=LONGEST)
        ),
        vol.Exclusive(EXPIRES_AT, END): posix,
        vol.Optional(AFTER): vol.In([after.value for after in Afterwards]),
    }
)
CLEAR_CAP = vol.Schema({vol.Required(ATTR_DEVICE_ID): cv.string, vol.Optional(SOURCE): text})


async def set_cap(call: ServiceCall) -> ServiceResponse:
    """Hold a circuit; return all that holds it now, and what the rule of the source makes of it."""
    entry, circuit_id = the_circuit(call.hass, call.data[ATTR_DEVICE_ID])
    source: str = call.data[SOURCE]
    expires_at: float | None = call.data.get(EXPIRES_AT)
    if expires_at is not None and expires_at <= dt_util.utcnow().timestamp():
        raise _refused("cap_is_over")
    answer: JsonObjectType = {}
    amps, watts = call.data.get(CURRENT_A), None
    if POWER_KW in call.data:
        watts = W_PER_KW * call.data[POWER_KW]
    elif amps is None:
        devices = _devices_of_section_14a(entry, circuit_id, call.data)
        watts = section_14a_minimum_w(devices)
        answer[CapSource.SECTION_14A] = {CONTROLLABLE_DEVICES: devices, "minimum_kw": round(watts / W_PER_KW, 3)}
    duration: timedelta | None = call.data.get(DURATION)
    cap = Cap(
        circuit_id=circuit_id,
        source=source,
        amps=amps,
        watts=watts,
        vehicles_only=call.data.get(VEHICLES_ONLY, source == CapSource.SECTION_14A),
        duration_s=None if duration is None else duration.total_seconds(),
        expires_at=expires_at,
        after=Afterwards(call.data.get(AFTER, Afterwards.KEEP if source == CapSource.G100 else Afterwards.LIFT)),
    )
    site = entry.runtime_data.site
    try:
        site.caps.hold(cap)
    except TooManySources as error:
        raise _refused("too_many_caps", most=str(MOST_SOURCES)) from error
    if source == CapSource.G100:
        view = site.circuits.get(circuit_id)
        answer[CapSource.G100] = (
            None if view is None or view.fail_safe is None else _fails_safe(site, view, view.fail_safe)
        )
    return _in_force(entry, circuit_id) | answer


async def clear_cap(call: ServiceCall) -> ServiceResponse:
    """Lift what a source set on a circuit, or what all have set; return what still holds it."""
    entry, circuit_id = the_circuit(call.hass, call.data[ATTR_DEVICE_ID])
    source: str | None = call.data.get(SOURCE)
    try:
        entry.runtime_data.site.caps.release(circuit_id, source)
    except NoSuchCap as error:
        name = _name(entry, circuit_id)
        if source is None:
            raise _refused("no_cap", circuit=name) from error
        raise _refused("no_such_cap", circuit=name, source=source) from error
    return _in_force(entry, circuit_id)


def _devices_of_section_14a(entry: ChargeClusterConfigEntry, circuit_id: str, data: dict[str, Any]) -> int:
    """Return how many controllable devices share the floor of §14a: as told, or all connectors below the circuit.

    Raises:
        ServiceValidationError: the source is another one, which has no floor, or nothing is below the circuit.
    """
    told: int | None = data.get(CONTROLLABLE_DEVICES)
    if data[SOURCE] != CapSource.SECTION_14A:
        raise _refused("cap_needs_value")
    if told is not None:
        return told
    settings = entry.runtime_data.site.settings
    below = {circuit.circuit_id for circuit in circuits_below(settings, circuit_id)}
    connectors = sum(
        point.circuit_of(connector) in below for point in settings.charge_points for connector in point.connectors
    )
    if not connectors:
        raise _refused("cap_needs_value")
    return connectors


def _in_force(entry: ChargeClusterConfigEntry, circuit_id: str) -> JsonObjectType:
    caps = entry.runtime_data.site.caps.of(circuit_id)
    return {"circuit": _name(entry, circuit_id), "caps": [_told(cap) for cap in caps]}


def _told(cap: CapView) -> JsonObjectType:
    return {
        SOURCE: cap.source,
        CURRENT_A: cap.amps,
        POWER_KW: None if cap.watts is None else round(cap.watts / W_PER_KW, 3),
        VEHICLES_ONLY: cap.vehicles_only,
        EXPIRES_AT: spoken(cap.expires_at),
        AFTER: cap.after,
        "lapsed": cap.lapsed,
    }


def _fails_safe(site: Site, view: CircuitView, time: FailSafeTime) -> JsonObjectType:
    """Return whether EREC G100's time is kept when something fails, and its ceiling when everything has died."""
    fallbacks_fit = not any(
        fallback_excess(cap, view.fallbacks_a, view.if_all_dies_a)
        for cap in site.caps.of(view.circuit_id)
        if cap.source == CapSource.G100
    )
    return {
        "detection_s": time.detection_s,
        "validity_s": time.validity_s,
        "reaction_s": time.reaction_s,
        "total_s": round(time.total_s, 1),
        "allowed_s": G100_ALLOWED_S,
        "fallbacks_fit": fallbacks_fit,
        "fits": time.fits_g100 and fallbacks_fit,
    }


def _name(entry: ChargeClusterConfigEntry, circuit_id: str) -> str:
    circuits = entry.runtime_data.site.settings.circuits
    return next((circuit.name for circuit in circuits if circuit.circuit_id == circuit_id), circuit_id)


def _refused(key: str, **placeholders: str) -> ServiceValidationError:
    return ServiceValidationError(translation_domain=DOMAIN, translation_key=key, translation_placeholders=placeholders)
