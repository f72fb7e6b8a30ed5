"""The actions that accept many charge points at once, or satellites of one: those that are there, and those to come.

They are for a car park that is commissioned in one go. Everything is checked before anything is added, and keys are
in the answer and nowhere else.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import homeassistant.helpers.config_validation as cv
import voluptuous as vol
from homeassistant.const import ATTR_CONFIG_ENTRY_ID, ATTR_DEVICE_ID
from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, callback
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers.translation import async_get_translations

from ..addresses import dial_address
from ..configuration import ROTATIONS, site_settings, with_charge_points
from ..const import DOMAIN, SUPPLY_ID, Key, SubentryType
from ..coordinator import ChargeClusterConfigEntry
from ..site.settings import Security
from ..subentries import MAXIMUM_CONNECTOR_A, NEW_ID, new_faults
from ..subentries.charge_point import (
    DEFAULTS,
    IDENTITY,
    IN_TURN,
    MAXIMUM_CONNECTORS,
    as_subentry,
    candidate,
    identity_owner,
    one_each,
    rotations_of,
    stored_charge_point,
)
from ..subentries.satellite import (
    as_subentry as satellite_subentry,
    one_each as one_satellite_each,
    satellite_faults,
)
from .target import MOST_DEVICES, site_of, targets_of, the_charge_point, the_circuit

amps = vol.All(vol.Coerce(float), vol.Range(min=0, max=MAXIMUM_CONNECTOR_A))

ACCEPT = vol.Schema(
    {
        vol.Optional(ATTR_CONFIG_ENTRY_ID): cv.string,
        vol.Required(Key.IDENTITIES.value): vol.All(
            cv.ensure_list, [vol.All(cv.string, vol.Strip)], vol.Length(min=1, max=MOST_DEVICES)
        ),
        vol.Optional(Key.CLUSTER.value): cv.string,
        vol.Required(Key.MAXIMUM.value): vol.All(amps, vol.Range(min=1)),
        vol.Optional(Key.ROTATION.value, default=DEFAULTS[Key.ROTATION]): vol.In((*ROTATIONS, IN_TURN)),
        vol.Optional(Key.CONNECTORS.value): vol.All(vol.Coerce(int), vol.Range(min=1, max=MAXIMUM_CONNECTORS)),
        vol.Optional(Key.FALLBACK.value): amps,
        vol.Optional(Key.SECURITY.value, default=DEFAULTS[Key.SECURITY]): vol.In([kind.value for kind in Security]),
    }
)


NUMBERS = "numbers"

ACCEPT_SATELLITES = vol.Schema(
    {
        vol.Required(ATTR_DEVICE_ID): vol.All(cv.ensure_list, [cv.string], vol.Length(min=1, max=1)),
        vol.Optional(NUMBERS): vol.All(
            cv.ensure_list,
            [vol.All(vol.Coerce(int), vol.Range(min=1, max=MAXIMUM_CONNECTORS))],
            vol.Length(min=1, max=MAXIMUM_CONNECTORS),
        ),
        vol.Optional(Key.CLUSTER.value): cv.string,
        vol.Required(Key.MAXIMUM.value): vol.All(amps, vol.Range(min=1)),
        vol.Optional(Key.ROTATION.value, default=DEFAULTS[Key.ROTATION]): vol.In((*ROTATIONS, IN_TURN)),
        vol.Optional(Key.MINIMUM.value): vol.All(amps, vol.Range(min=1)),
    }
)


async def accept_charge_points(call: ServiceCall) -> ServiceResponse:
    """Add charge points and return what to type into each."""
    hass = call.hass
    entry, circuit_id = _where(hass, call)
    words = await async_get_translations(hass, hass.config.language, "config", [DOMAIN])
    # From here on nothing waits, so that what was checked is what is added to.
    waiting = entry.runtime_data.site.newcomers
    identities = list(dict.fromkeys(call.data[Key.IDENTITIES]))
    given = call.data.get(Key.CONNECTORS, 1)
    shown = {identity: view.connectors for identity, view in waiting.items()}
    connectors = {identity: shown.get(identity) or given for identity in identities}
    fields = {**DEFAULTS, **call.data, Key.CLUSTER: circuit_id}
    _check_identities(hass, entry, identities)
    if fields[Key.ROTATION] not in rotations_of(entry, many=True):
        raise _refused("impossible_rotation", site=entry.title)
    accepted = {
        each[Key.IDENTITY]: stored_charge_point(each, key=None) for each in one_each(fields, identities, connectors)
    }
    _check_site(entry, accepted, words)
    for identity, stored in accepted.items():
        hass.config_entries.async_add_subentry(entry, as_subentry(identity, stored))
    address = dial_address(hass, entry)
    return {
        "charge_points": [
            {
                "identity": identity,
                "key": stored.get(Key.KEY),
                "url": f"{address}{identity}",
                "connectors": connectors[identity],
                "waiting": identity in waiting,
            }
            for identity, stored in accepted.items()
        ]
    }


async def accept_satellites(call: ServiceCall) -> ServiceResponse:
    """Add satellites of a master and return how they are called."""
    hass = call.hass
    words = await async_get_translations(hass, hass.config.language, "config", [DOMAIN])
    # From here on nothing waits, so that what was checked is what is added to.
    target, *_ = targets_of(hass, call)
    entry, master = target.entry, the_charge_point(target)
    appeared = entry.runtime_data.site.charge_points[master.charge_point_id].strangers
    numbers = sorted(set(call.data.get(NUMBERS, appeared)))
    if not numbers:
        raise _refused("no_satellites", master=master.name)
    for taken in sorted({connector.number for connector in master.connectors} & set(numbers)):
        raise _refused("satellite_taken", number=str(taken), master=master.name)
    circuit_id = entry.subentries[master.charge_point_id].data[Key.CLUSTER]
    if Key.CLUSTER in call.data:
        fed_from, circuit_id = the_circuit(hass, call.data[Key.CLUSTER])
        if fed_from.entry_id != entry.entry_id:
            raise _refused("cluster_elsewhere", site=entry.title)
    if call.data[Key.ROTATION] not in rotations_of(entry, many=True):
        raise _refused("impossible_rotation", site=entry.title)
    fields = {**DEFAULTS, **call.data, Key.CLUSTER: circuit_id}
    satellites = one_satellite_each(fields, [(master.charge_point_id, master.name, number) for number in numbers])
    faults = satellite_faults(entry, satellites, subentry=None)
    if faults:
        key = next(iter(faults.errors.values()))
        sentence = words[f"component.{DOMAIN}.config.error.{key}"].format(**faults.placeholders)
        raise _refused("impossible_settings", fault=sentence.removesuffix("."))
    for title, stored in satellites:
        hass.config_entries.async_add_subentry(entry, satellite_subentry(title, stored))
    return {
        "satellites": [
            {"name": title, "number": number, "appeared": number in appeared}
            for (title, _), number in zip(satellites, numbers, strict=True)
        ]
    }


@callback
def _where(hass: HomeAssistant, call: ServiceCall) -> tuple[ChargeClusterConfigEntry, str]:
    """Return the site and the circuit that feeds them. Raises ServiceValidationError."""
    if Key.CLUSTER not in call.data:
        return site_of(hass, call), SUPPLY_ID
    entry, circuit_id = the_circuit(hass, call.data[Key.CLUSTER])
    if call.data.get(ATTR_CONFIG_ENTRY_ID, entry.entry_id) != entry.entry_id:
        raise _refused("cluster_elsewhere", site=entry.title)
    return entry, circuit_id


def _check_identities(hass: HomeAssistant, entry: ChargeClusterConfigEntry, identities: Iterable[str]) -> None:
    """Raise ServiceValidationError where one is impossible or taken, also as a name, which each is called by."""
    names = {subentry.title.casefold() for subentry in entry.get_subentries_of_type(SubentryType.CHARGE_POINT)}
    for identity in identities:
        if IDENTITY.fullmatch(identity) is None:
            raise _refused("invalid_identity", identity=identity)
        owner = identity_owner(hass, entry, identity, None)
        if owner is not None:
            raise _refused("identity_taken", identity=identity, site=owner.title)
        if identity.casefold() in names:
            raise _refused("name_taken", name=identity)
        names.add(identity.casefold())


def _check_site(
    entry: ChargeClusterConfigEntry, accepted: Mapping[str, Mapping[str, Any]], words: Mapping[str, str]
) -> None:
    """Raise ServiceValidationError where the site would not be safe with them."""
    points = [candidate(identity, stored, f"{NEW_ID} {identity}") for identity, stored in accepted.items()]
    faults = new_faults(entry, with_charge_points(site_settings(entry), points))
    if not faults:
        return
    sentence = words[f"component.{DOMAIN}.config.error.{faults[0].key}"].format(**faults[0].placeholders)
    raise _refused("impossible_settings", fault=sentence.removesuffix("."))


def _refused(key: str, **placeholders: str) -> ServiceValidationError:
    return ServiceValidationError(translation_domain=DOMAIN, translation_key=key, translation_placeholders=placeholders)
