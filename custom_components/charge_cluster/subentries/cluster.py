"""Adding and changing a cluster: a circuit that feeds a group of charge points or further clusters."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import voluptuous as vol
from homeassistant.config_entries import ConfigEntry, ConfigSubentry, ConfigSubentryFlow, SubentryFlowResult
from homeassistant.helpers.selector import TextSelector

from ..configuration import cluster_settings, site_settings, with_circuit
from ..const import SUPPLY_ID, Key, SubentryType
from . import (
    NEW_ID,
    FormFaults,
    advanced,
    amps,
    circuit_choice,
    folded,
    name_taken,
    new_faults,
    pick,
    rating_fields,
    ratings,
    sharing_rule,
    unfolded,
    whole_number,
)
from .circuit import add_device_faults, as_stored, figures, protection

MAXIMUM_WAYS = 500


class ClusterFlow(ConfigSubentryFlow):
    """Adds or changes a cluster."""

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask for a new cluster."""
        return self._form("user", user_input, subentry=None)

    async def async_step_reconfigure(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask for what is to change."""
        return self._form("reconfigure", user_input, subentry=self._get_reconfigure_subentry())

    def _form(
        self, step: str, user_input: dict[str, Any] | None, *, subentry: ConfigSubentry | None
    ) -> SubentryFlowResult:
        entry = self._get_entry()
        faults = FormFaults()
        fields: dict[str, Any] = {Key.PARENT: SUPPLY_ID} if subentry is None else _fields(subentry)
        if user_input is not None:
            fields = unfolded(user_input)
            title, stored = fields[Key.NAME].strip(), _stored(fields)
            faults = self._faults(title, stored, subentry)
            add_device_faults(fields, faults)
            if not faults and subentry is None:
                return self.async_create_entry(title=title, data=stored)
            if not faults and subentry is not None:
                return self.async_update_and_abort(entry, subentry, title=title, data=stored)
        own_id = None if subentry is None else subentry.subentry_id
        schema = vol.Schema(
            {
                vol.Required(Key.NAME): TextSelector(),
                vol.Required(Key.PARENT): circuit_choice(entry, without=own_id),
                vol.Required(Key.RATING): amps(least=1),
                vol.Optional(Key.BASE_LOAD): amps(),
                vol.Required(Key.ADVANCED): advanced(
                    {
                        vol.Optional(Key.RATING_L1): amps(least=1),
                        vol.Optional(Key.RATING_L2): amps(least=1),
                        vol.Optional(Key.RATING_L3): amps(least=1),
                        vol.Optional(Key.MARGIN): amps(),
                        vol.Optional(Key.SHARING): sharing_rule(),
                        vol.Optional(Key.WAYS): whole_number(least=1, most=MAXIMUM_WAYS),
                        **figures(),
                    }
                ),
                **protection(),
            }
        )
        return self.async_show_form(
            step_id=step,
            data_schema=self.add_suggested_values_to_schema(schema, folded(fields)),
            errors=faults.errors,
            description_placeholders=faults.placeholders,
        )

    def _faults(self, title: str, stored: dict[str, Any], subentry: ConfigSubentry | None) -> FormFaults:
        entry = self._get_entry()
        faults = FormFaults()
        if not title:
            faults.add("name_missing", field=Key.NAME)
        elif name_taken(entry, SubentryType.CLUSTER, title, by_other_than=subentry):
            faults.add("name_taken", field=Key.NAME)
        candidate = ConfigSubentry(
            data=MappingProxyType(stored),
            subentry_id=NEW_ID if subentry is None else subentry.subentry_id,
            subentry_type=SubentryType.CLUSTER,
            title=title,
            unique_id=None,
        )
        settings = with_circuit(site_settings(entry), cluster_settings(candidate))
        faults.add_faults(new_faults(entry, settings), fields=(Key.PARENT, Key.RATING, Key.BASE_LOAD))
        return faults


def new_cluster(entry: ConfigEntry, fields: Mapping[str, Any], faults: FormFaults) -> ConfigSubentry:
    """Return the cluster that many charge points are to form, with a name and a rating and nothing else.

    Args:
        fields: NEW_CLUSTER and RATING, and in CLUSTER what feeds it.
        faults: what keeps it from being added.
    """
    title = str(fields[Key.NEW_CLUSTER]).strip()
    if not title:
        faults.add("name_missing", field=Key.NEW_CLUSTER)
    elif name_taken(entry, SubentryType.CLUSTER, title, by_other_than=None):
        faults.add("name_taken", field=Key.NEW_CLUSTER)
    if Key.RATING not in fields:
        faults.add("rating_missing", field=Key.RATING)
    stored = {Key.PARENT.value: fields[Key.CLUSTER], Key.RATINGS.value: [float(fields.get(Key.RATING, 0.0))] * 3}
    cluster = ConfigSubentry(
        data=MappingProxyType(stored), subentry_type=SubentryType.CLUSTER, title=title, unique_id=None
    )
    if not faults:
        settings = with_circuit(site_settings(entry), cluster_settings(cluster))
        faults.add_faults(new_faults(entry, settings), fields=(Key.CLUSTER, Key.RATING))
    return cluster


def _stored(fields: dict[str, Any]) -> dict[str, Any]:
    """Return what is stored of a form."""
    return {
        Key.PARENT.value: fields[Key.PARENT],
        Key.RATINGS.value: ratings(fields),
        **pick(fields, (Key.MARGIN, Key.BASE_LOAD, Key.SHARING, Key.WAYS)),
        **as_stored(fields),
    }


def _fields(subentry: ConfigSubentry) -> dict[str, Any]:
    """Return the form fields of what is stored."""
    return {Key.NAME: subentry.title, **subentry.data, **rating_fields(subentry.data)}
