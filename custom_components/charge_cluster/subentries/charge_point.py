"""Adding and changing a charge point, by hand, out of a discovery or many at once.

The forms here make what is stored of a charge point; who shows them adds it. A generated key is shown in the last step
together with the address to dial, and not again: a lost one is replaced.
"""

import math
import re
import secrets
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, override

import voluptuous as vol
from homeassistant.config_entries import (
    SOURCE_IGNORE,
    SOURCE_USER,
    ConfigEntry,
    ConfigEntryState,
    ConfigSubentry,
    SubentryFlowResult,
)
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.selector import BooleanSelector, TextSelector

from ..addresses import dial_address
from ..configuration import (
    ANY_VERSION,
    OCPP_VERSIONS,
    ROTATIONS,
    UNKNOWN_ROTATION,
    charge_point_settings,
    site_settings,
    with_charge_points,
)
from ..const import DEFAULT_PORT, DOMAIN, ONE_PHASE, SUPPLY_ID, Key, SubentryType
from ..coordinator import ChargeClusterConfigEntry
from ..site.settings import MAXIMUM_PRIORITY, AuthorisationMode, ChargePointSettings, Security
from . import (
    MAXIMUM_CONNECTOR_A,
    NEW_ID,
    FormFaults,
    advanced,
    amps,
    choice,
    circuit_choice,
    folded,
    name_taken,
    new_faults,
    pick,
    unfolded,
    whole_number,
)
from .commissioning import CommissioningFlow

MAXIMUM_CONNECTORS = 64
"""A master with its satellites has been seen with 32."""

KEY_BYTES = 10
"""20 characters of hexadecimal: the longest that OCPP 1.6 lets one count on, and 80 bits."""

IDENTITY = re.compile(r"[\w.:*\-|=+@()]{1,48}", re.ASCII)
"""What a charge point may be called in the path of its address: OCPP's identifier characters, 48 at most."""

SEPARATORS = re.compile(r"[\s,;/]+")
"""What may stand between the currents of a list."""

FIELDS_AT_FAULT = (
    Key.CLUSTER,
    Key.IDENTITY,
    Key.MAXIMUM,
    Key.ROTATION,
    Key.FALLBACK,
    Key.STEPS,
    Key.MINIMUM_SINGLE_PHASE,
    Key.SECURITY,
)
"""Fields that what is wrong with the site's settings is shown at."""

IN_TURN = "in_turn"
"""Instead of one rotation for many charge points: the next one begins on the next phase."""
TURN = ("l1_l2_l3", "l2_l3_l1", "l3_l1_l2")

DEFAULTS: Mapping[str, Any] = {
    Key.CLUSTER: SUPPLY_ID,
    Key.CONNECTORS: 1,
    Key.MAXIMUM: 32.0,
    Key.ROTATION: UNKNOWN_ROTATION,
    Key.SECURITY: Security.BASIC.value,
    Key.MINIMUM: 6.0,
    Key.STEP: 1.0,
    Key.PRIORITY: 0,
    Key.ONWARD: False,
    Key.SWITCHES_PHASES: False,
    Key.OCPP_VERSION: ANY_VERSION,
}


class ChargePointFlow(CommissioningFlow):
    """Adds or changes a charge point."""

    def __init__(self) -> None:
        """Begin with nothing filled in."""
        self._title = ""
        self._stored: dict[str, Any] = {}

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask for a new charge point."""
        return self._form("user", user_input, subentry=None)

    @override
    async def async_step_settings(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask for what is to change."""
        return self._form("settings", user_input, subentry=self._get_reconfigure_subentry())

    async def async_step_connect(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Store the charge point after it was shown what to type into it."""
        del user_input
        return self._store()

    def _form(
        self, step: str, user_input: dict[str, Any] | None, *, subentry: ConfigSubentry | None
    ) -> SubentryFlowResult:
        entry = self._get_entry()
        faults = FormFaults()
        fields = dict(DEFAULTS) if subentry is None else form_fields(subentry)
        if user_input is not None:
            fields = unfolded(user_input)
            self._title = fields[Key.NAME].strip()
            old_key = None if subentry is None or fields.get(Key.NEW_KEY) else subentry.data.get(Key.KEY)
            self._stored = stored_charge_point(fields, key=old_key)
            faults = charge_point_faults(self.hass, entry, self._title, self._stored, subentry=subentry)
            if not faults:
                return self._store_or_show(subentry)
        schema = charge_point_schema(entry, rekey=subentry is not None)
        return self.async_show_form(
            step_id=step,
            data_schema=self.add_suggested_values_to_schema(schema, folded(fields)),
            errors=faults.errors,
            description_placeholders=faults.placeholders
            if subentry is None
            else {"profile": self._profile(subentry), **faults.placeholders},
            last_step=False,
        )

    def _profile(self, subentry: ConfigSubentry) -> str:
        """Return the security profile that a charge point uses now."""
        entry: ChargeClusterConfigEntry = self._get_entry()
        if entry.state is not ConfigEntryState.LOADED:
            return "–"
        runtime = entry.runtime_data
        profile = runtime.installation.profile_of(runtime.site.settings, subentry.data[Key.IDENTITY])
        return "–" if profile is None else str(profile)

    def _store_or_show(self, subentry: ConfigSubentry | None) -> SubentryFlowResult:
        """Store a change; show what to type in where the charge point must be told something new."""
        if subentry is not None and all(
            self._stored.get(name) == subentry.data.get(name) for name in (Key.IDENTITY, Key.KEY, Key.SECURITY)
        ):
            return self._store()
        return self.async_show_form(
            step_id="connect",
            data_schema=vol.Schema({}),
            description_placeholders=connection(self.hass, self._get_entry(), self._stored),
            last_step=True,
        )

    def _store(self) -> SubentryFlowResult:
        unique_id = unique_id_of(self._stored)
        if self.source == SOURCE_USER:
            return self.async_create_entry(title=self._title, data=self._stored, unique_id=unique_id)
        return self.async_update_and_abort(
            self._get_entry(),
            self._get_reconfigure_subentry(),
            title=self._title,
            data=self._stored,
            unique_id=unique_id,
        )


def charge_point_schema(entry: ConfigEntry, *, rekey: bool = False, identity: bool = True) -> vol.Schema:
    """Return the form of a charge point."""
    fields: dict[vol.Marker, Any] = {vol.Required(Key.NAME): TextSelector()}
    if identity:
        fields[vol.Required(Key.IDENTITY)] = TextSelector()
    fields |= {
        vol.Required(Key.CLUSTER): circuit_choice(entry),
        vol.Required(Key.CONNECTORS): whole_number(least=0, most=MAXIMUM_CONNECTORS),
        vol.Required(Key.MAXIMUM): amps(least=1, most=MAXIMUM_CONNECTOR_A),
        vol.Required(Key.ROTATION): choice("rotation", rotations_of(entry)),
        vol.Optional(Key.FALLBACK): amps(most=MAXIMUM_CONNECTOR_A),
        vol.Required(Key.SECURITY): choice("security", Security),
    }
    if rekey:
        fields[vol.Optional(Key.NEW_KEY, default=False)] = BooleanSelector()
    fields[vol.Required(Key.ADVANCED)] = advanced(
        {
            vol.Required(Key.MINIMUM, default=DEFAULTS[Key.MINIMUM]): amps(least=1, most=MAXIMUM_CONNECTOR_A),
            vol.Optional(Key.MINIMUM_SINGLE_PHASE): amps(least=1, most=MAXIMUM_CONNECTOR_A),
            vol.Required(Key.STEP, default=DEFAULTS[Key.STEP]): amps(least=0.1, most=16),
            vol.Optional(Key.STEPS): TextSelector(),
            vol.Required(Key.PRIORITY, default=DEFAULTS[Key.PRIORITY]): whole_number(least=0, most=MAXIMUM_PRIORITY),
            vol.Optional(Key.AUTHORISATION): choice("authorisation", AuthorisationMode),
            vol.Required(Key.ONWARD, default=DEFAULTS[Key.ONWARD]): BooleanSelector(),
            vol.Required(Key.SWITCHES_PHASES, default=DEFAULTS[Key.SWITCHES_PHASES]): BooleanSelector(),
            vol.Required(Key.OCPP_VERSION, default=DEFAULTS[Key.OCPP_VERSION]): choice(
                "ocpp_version", (ANY_VERSION, *OCPP_VERSIONS)
            ),
        }
    )
    return vol.Schema(fields)


def rotations_of(entry: ConfigEntry, *, many: bool = False) -> tuple[str, ...]:
    """Return the ways in which a charge point, or many, can be wired at a site."""
    if entry.data.get(Key.PHASES) == ONE_PHASE:
        return ("l1", UNKNOWN_ROTATION)
    return (*ROTATIONS, IN_TURN) if many else tuple(ROTATIONS)


def stored_charge_point(fields: Mapping[str, Any], *, key: str | None) -> dict[str, Any]:
    """Return what is stored of a filled-in form: a key is made where one is needed; a fallback only if it was given."""
    filled = {**DEFAULTS, **fields}
    security = Security(filled[Key.SECURITY])
    stored: dict[str, Any] = {
        Key.IDENTITY.value: filled[Key.IDENTITY].strip(),
        Key.CLUSTER.value: filled[Key.CLUSTER],
        Key.ROTATIONS.value: rotations(filled[Key.ROTATION], int(filled[Key.CONNECTORS]), onward=filled[Key.ONWARD]),
        Key.SECURITY.value: security.value,
        **pick(filled, (Key.MAXIMUM, Key.MINIMUM, Key.MINIMUM_SINGLE_PHASE, Key.STEP, Key.FALLBACK)),
        **pick(filled, (Key.AUTHORISATION,)),
        Key.PRIORITY.value: int(filled[Key.PRIORITY]),
        Key.SWITCHES_PHASES.value: bool(filled[Key.SWITCHES_PHASES]),
        Key.OCPP_VERSION.value: filled[Key.OCPP_VERSION],
    }
    if steps := steps_of(filled.get(Key.STEPS, "")):
        stored[Key.STEPS.value] = steps
    if security is not Security.PLAIN:
        stored[Key.KEY.value] = key or secrets.token_hex(KEY_BYTES)
    return stored


def steps_of(text: str) -> list[float]:
    """Return the currents of a list as it is typed; what is no number is none here either, and is refused later."""
    return [_number(word) for word in SEPARATORS.split(text) if word]


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        return math.nan


def steps_text(steps: Iterable[float]) -> str:
    """Return a list of currents as it is typed, the reverse of `steps_of`."""
    return ", ".join(f"{amps:g}" for amps in steps)


def rotations(rotation: str, connectors: int, *, onward: bool) -> list[str]:
    """Return the rotation of each connector: all the same, or each one phase further than the one before."""
    if not onward or rotation == UNKNOWN_ROTATION:
        return [rotation] * connectors
    return [turned(rotation, number) for number in range(connectors)]


def turned(rotation: str, steps: int) -> str:
    """Return the rotation that lies a number of phases further: L1-L2-L3 becomes L2-L3-L1."""
    phases = ROTATIONS[rotation]
    if phases is None:
        return rotation
    further = tuple((phase + steps) % 3 for phase in phases)
    return next(name for name, known in ROTATIONS.items() if known == further)


def form_fields(subentry: ConfigSubentry) -> dict[str, Any]:
    """Return the form fields of what is stored."""
    stored = subentry.data
    names: list[str] = list(stored[Key.ROTATIONS])
    return {
        Key.NAME: subentry.title,
        **{name: value for name, value in stored.items() if name not in {Key.KEY, Key.STEPS}},
        **({Key.STEPS: steps_text(stored[Key.STEPS])} if Key.STEPS in stored else {}),
        Key.CONNECTORS: len(names),
        Key.ROTATION: names[0] if names else UNKNOWN_ROTATION,
        Key.ONWARD: len(set(names)) > 1,
    }


def unique_id_of(stored: Mapping[str, Any]) -> str:
    """Return the unique id of a charge point within its site."""
    return f"charge_point:{stored[Key.IDENTITY]}"


def candidate(title: str, stored: Mapping[str, Any], subentry_id: str) -> ChargePointSettings:
    """Return the settings of a charge point that is not stored yet."""
    return charge_point_settings(
        ConfigSubentry(
            data=MappingProxyType(dict(stored)),
            subentry_id=subentry_id,
            subentry_type=SubentryType.CHARGE_POINT,
            title=title,
            unique_id=None,
        )
    )


@callback
def charge_point_faults(
    hass: HomeAssistant, entry: ConfigEntry, title: str, stored: Mapping[str, Any], *, subentry: ConfigSubentry | None
) -> FormFaults:
    """Return what keeps a charge point from being stored."""
    faults = FormFaults()
    identity = stored[Key.IDENTITY]
    if not title:
        faults.add("name_missing", field=Key.NAME)
    elif name_taken(entry, SubentryType.CHARGE_POINT, title, by_other_than=subentry):
        faults.add("name_taken", field=Key.NAME)
    if IDENTITY.fullmatch(identity) is None:
        faults.add("invalid_identity", field=Key.IDENTITY)
    elif (owner := identity_owner(hass, entry, identity, subentry)) is not None:
        faults.add("identity_taken", field=Key.IDENTITY, site=owner.title)
    subentry_id = NEW_ID if subentry is None else subentry.subentry_id
    after = with_charge_points(site_settings(entry), [candidate(title, stored, subentry_id)])
    faults.add_faults(new_faults(entry, after), fields=FIELDS_AT_FAULT)
    return faults


@callback
def identity_owner(
    hass: HomeAssistant, entry: ConfigEntry, identity: str, subentry: ConfigSubentry | None
) -> ConfigEntry | None:
    """Return the site on the same port that has a charge point of this identity, other than the one being changed."""
    port = entry.data.get(Key.PORT, DEFAULT_PORT)
    for site in hass.config_entries.async_entries(DOMAIN):
        if site.source == SOURCE_IGNORE or site.data.get(Key.PORT, DEFAULT_PORT) != port:
            continue
        for known in site.get_subentries_of_type(SubentryType.CHARGE_POINT):
            if known.data[Key.IDENTITY] == identity and (subentry is None or known.subentry_id != subentry.subentry_id):
                return site
    return None


def as_subentry(title: str, stored: Mapping[str, Any]) -> ConfigSubentry:
    """Return a new charge point as it is added outside a subentry flow."""
    return ConfigSubentry(
        data=MappingProxyType(dict(stored)),
        subentry_type=SubentryType.CHARGE_POINT,
        title=title,
        unique_id=unique_id_of(stored),
    )


@callback
def connection(hass: HomeAssistant, entry: ConfigEntry, stored: Mapping[str, Any]) -> dict[str, str]:
    """Return what to type into a charge point, as placeholders."""
    base = dial_address(hass, entry)
    return {
        "address": base,
        "url": f"{base}{stored[Key.IDENTITY]}",
        "identity": str(stored[Key.IDENTITY]),
        "key": str(stored.get(Key.KEY, "–")),
    }


def one_each(
    fields: Mapping[str, Any], identities: Iterable[str], connectors: Mapping[str, int]
) -> list[dict[str, Any]]:
    """Return the fields of many charge points out of one form, rotated in turn where that was chosen."""
    each = []
    for number, identity in enumerate(identities):
        rotation = fields[Key.ROTATION]
        each.append(
            {
                **fields,
                Key.NAME: identity,
                Key.IDENTITY: identity,
                Key.CONNECTORS: connectors.get(identity, 1),
                Key.ROTATION: TURN[number % len(TURN)] if rotation == IN_TURN else rotation,
            }
        )
    return each
