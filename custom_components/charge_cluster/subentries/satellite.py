"""Adding and changing a satellite: a post of its own that is spoken to through its master.

To the master it is one of its connectors, by number. What it is called, where it hangs and how it is wired is its own;
identity, key, fallback and what a charge point is told of currents are the master's.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, override

import voluptuous as vol
from homeassistant.config_entries import SOURCE_USER, ConfigEntry, ConfigSubentry, SubentryFlowResult
from homeassistant.helpers.selector import (
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
)

from ..configuration import UNKNOWN_ROTATION, satellite_settings, site_settings, with_satellites
from ..const import SUPPLY_ID, Key, SubentryType
from ..site.settings import ConnectorSettings
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
from .charge_point import DEFAULTS, IN_TURN, MAXIMUM_CONNECTORS, TURN, rotations_of
from .commissioning import CommissioningFlow

FIELDS_AT_FAULT = (Key.CLUSTER, Key.NUMBER, Key.MAXIMUM, Key.ROTATION, Key.MINIMUM_SINGLE_PHASE)
"""Fields that what is wrong with the site's settings is shown at."""

SATELLITE_DEFAULTS: Mapping[str, Any] = {
    Key.CLUSTER: SUPPLY_ID,
    Key.MAXIMUM: DEFAULTS[Key.MAXIMUM],
    Key.MINIMUM: DEFAULTS[Key.MINIMUM],
    Key.ROTATION: UNKNOWN_ROTATION,
}


class SatelliteFlow(CommissioningFlow):
    """Adds or changes a satellite."""

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask for a new satellite."""
        if not self._get_entry().get_subentries_of_type(SubentryType.CHARGE_POINT):
            return self.async_abort(reason="no_master")
        return self._form("user", user_input, subentry=None)

    @override
    async def async_step_settings(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask for what is to change; which connector of which master it is stays."""
        return self._form("settings", user_input, subentry=self._get_reconfigure_subentry())

    def _form(
        self, step: str, user_input: dict[str, Any] | None, *, subentry: ConfigSubentry | None
    ) -> SubentryFlowResult:
        entry = self._get_entry()
        faults = FormFaults()
        known = {} if subentry is None else {Key.NAME.value: subentry.title, **subentry.data}
        fields = {**SATELLITE_DEFAULTS, **known}
        if user_input is not None:
            fields = {**pick(known, (Key.MASTER, Key.NUMBER)), **unfolded(user_input)}
            title, stored = fields[Key.NAME].strip(), stored_satellite(fields)
            faults = satellite_faults(entry, [(title, stored)], subentry=subentry)
            if not faults:
                return self._store(title, stored)
        return self.async_show_form(
            step_id=step,
            data_schema=self.add_suggested_values_to_schema(self._schema(entry, subentry), folded(fields)),
            errors=faults.errors,
            description_placeholders=faults.placeholders,
        )

    @staticmethod
    def _schema(entry: ConfigEntry, subentry: ConfigSubentry | None) -> vol.Schema:
        fields: dict[vol.Marker, Any] = {vol.Required(Key.NAME): TextSelector()}
        if subentry is None:
            fields[vol.Required(Key.MASTER)] = _masters(entry)
            fields[vol.Required(Key.NUMBER)] = whole_number(least=1, most=MAXIMUM_CONNECTORS)
        return vol.Schema({**fields, **common_fields(entry), **more_fields()})

    def _store(self, title: str, stored: dict[str, Any]) -> SubentryFlowResult:
        unique_id = unique_id_of(stored)
        if self.source == SOURCE_USER:
            return self.async_create_entry(title=title, data=stored, unique_id=unique_id)
        return self.async_update_and_abort(
            self._get_entry(), self._get_reconfigure_subentry(), title=title, data=stored, unique_id=unique_id
        )


def common_fields(entry: ConfigEntry, *, many: bool = False) -> dict[vol.Marker, Any]:
    """Return the fields that one satellite has, and that many have in common."""
    return {
        vol.Required(Key.CLUSTER): circuit_choice(entry),
        vol.Required(Key.MAXIMUM): amps(least=1, most=MAXIMUM_CONNECTOR_A),
        vol.Required(Key.ROTATION): choice("rotation", rotations_of(entry, many=many)),
    }


def more_fields() -> dict[vol.Marker, Any]:
    """Return the folded part of the form."""
    return {
        vol.Required(Key.ADVANCED): advanced(
            {
                vol.Required(Key.MINIMUM, default=DEFAULTS[Key.MINIMUM]): amps(least=1, most=MAXIMUM_CONNECTOR_A),
                vol.Optional(Key.MINIMUM_SINGLE_PHASE): amps(least=1, most=MAXIMUM_CONNECTOR_A),
            }
        )
    }


def _masters(entry: ConfigEntry) -> SelectSelector:
    options = [
        SelectOptionDict(value=subentry.subentry_id, label=subentry.title)
        for subentry in entry.get_subentries_of_type(SubentryType.CHARGE_POINT)
    ]
    return SelectSelector(SelectSelectorConfig(options=options, mode=SelectSelectorMode.DROPDOWN))


def stored_satellite(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is stored of a filled-in form."""
    return {
        Key.MASTER.value: fields[Key.MASTER],
        Key.NUMBER.value: int(fields[Key.NUMBER]),
        **pick(fields, (Key.CLUSTER, Key.MAXIMUM, Key.ROTATION, Key.MINIMUM, Key.MINIMUM_SINGLE_PHASE)),
    }


def unique_id_of(stored: Mapping[str, Any]) -> str:
    """Return the unique id of a satellite within its site."""
    return f"satellite:{stored[Key.MASTER]}:{stored[Key.NUMBER]}"


def as_subentry(title: str, stored: Mapping[str, Any]) -> ConfigSubentry:
    """Return a new satellite as it is added outside a subentry flow."""
    return ConfigSubentry(
        data=MappingProxyType(dict(stored)),
        subentry_type=SubentryType.SATELLITE,
        title=title,
        unique_id=unique_id_of(stored),
    )


def satellite_faults(
    entry: ConfigEntry, satellites: Iterable[tuple[str, Mapping[str, Any]]], *, subentry: ConfigSubentry | None
) -> FormFaults:
    """Return what keeps satellites, each by its title and what is to be stored, from being stored together."""
    faults = FormFaults()
    candidates: list[tuple[str, ConnectorSettings]] = []
    titles: set[str] = set()
    for number, (title, stored) in enumerate(satellites):
        if not title:
            faults.add("name_missing", field=Key.NAME)
        elif title.casefold() in titles or name_taken(entry, SubentryType.SATELLITE, title, by_other_than=subentry):
            faults.add("name_taken", field=Key.NAME)
        titles.add(title.casefold())
        candidates.append(
            (
                stored[Key.MASTER],
                satellite_settings(
                    ConfigSubentry(
                        data=MappingProxyType(dict(stored)),
                        subentry_id=f"{NEW_ID} {number}" if subentry is None else subentry.subentry_id,
                        subentry_type=SubentryType.SATELLITE,
                        title=title,
                        unique_id=None,
                    )
                ),
            )
        )
    after = with_satellites(site_settings(entry), candidates)
    faults.add_faults(new_faults(entry, after), fields=FIELDS_AT_FAULT)
    return faults


def one_each(fields: Mapping[str, Any], satellites: Iterable[tuple[str, str, int]]) -> list[tuple[str, dict[str, Any]]]:
    """Return title and data of many satellites out of one form, rotated in turn where that was chosen.

    Args:
        satellites: of each the id of its master, what that is called, and its number there.
    """
    rotation = fields[Key.ROTATION]
    return [
        (
            f"{name} {number}",
            stored_satellite(
                {
                    **SATELLITE_DEFAULTS,
                    **fields,
                    Key.MASTER: master_id,
                    Key.NUMBER: number,
                    Key.ROTATION: TURN[place % len(TURN)] if rotation == IN_TURN else rotation,
                }
            ),
        )
        for place, (master_id, name, number) in enumerate(satellites)
    ]
