"""Setting a site up, changing it, and accepting the charge points that wait at its door."""

import asyncio
import re
from collections.abc import Mapping
from typing import Any, override

import voluptuous as vol
from homeassistant.config_entries import (
    ConfigEntry,
    ConfigFlow,
    ConfigFlowResult,
    ConfigSubentryFlow,
)
from homeassistant.const import UnitOfTime
from homeassistant.core import callback
from homeassistant.helpers.selector import (
    BooleanSelector,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
)

from .configuration import (
    DEFAULT_ON_TIME_MIN,
    DEFAULT_RESTART_STAGGER_S,
    site_settings,
    supply_settings,
    with_charge_points,
    with_circuit,
)
from .const import DEFAULT_PORT, DOMAIN, ENTRY_MINOR_VERSION, ENTRY_VERSION, ONE_PHASE, THREE_PHASES, Key, SubentryType
from .coordinator import ChargeClusterConfigEntry
from .newcomers import Newcomer, loaded_sites, newcomer_unique_id, sites_with
from .site.proof import LONGEST_STAGGER_S, check
from .site.settings import ListenerSettings, Security, SiteSettings
from .site.views import NewcomerView
from .subentries import (
    MAXIMUM_CONNECTOR_A,
    FormFaults,
    advanced,
    amps,
    choice,
    circuit_choice,
    folded,
    new_faults,
    pick,
    rating_fields,
    ratings,
    sharing_rule,
    unfolded,
    whole_number,
)
from .subentries.charge_point import (
    DEFAULTS,
    ChargePointFlow,
    as_subentry,
    candidate,
    charge_point_faults,
    charge_point_schema,
    connection,
    dial_address,
    identity_owner,
    one_each,
    rotations_of,
    stored_charge_point,
)
from .subentries.circuit import add_device_faults, as_stored, figures, protection
from .subentries.cluster import ClusterFlow
from .subentries.meter import MeterFlow

HOST = re.compile(r"[\w.:\-]{1,253}", re.ASCII)


class ChargeClusterConfigFlow(ConfigFlow, domain=DOMAIN):
    """Makes sites, and charge points out of newcomers."""

    VERSION = ENTRY_VERSION
    MINOR_VERSION = ENTRY_MINOR_VERSION

    def __init__(self) -> None:
        """Begin with nothing chosen."""
        self._newcomer = ""
        self._site_id = ""
        self._accepted: list[tuple[str, dict[str, Any]]] = []
        """Title and data of the charge points to be added in the last step."""

    @classmethod
    @callback
    @override
    def async_get_supported_subentry_types(cls, config_entry: ConfigEntry) -> dict[str, type[ConfigSubentryFlow]]:
        return {
            SubentryType.CLUSTER: ClusterFlow,
            SubentryType.CHARGE_POINT: ChargePointFlow,
            SubentryType.METER: MeterFlow,
        }

    # A site ------------------------------------------------------------------------------------------------------

    @override
    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for a new site."""
        fields: dict[str, Any] = {Key.PORT: DEFAULT_PORT, Key.PHASES: THREE_PHASES}
        faults = FormFaults()
        if user_input is not None:
            fields = unfolded(user_input)
            title, stored = fields[Key.NAME].strip(), _stored_site(fields)
            faults = await self._site_faults(title, stored, entry=None)
            add_device_faults(fields, faults)
            if not faults:
                return self.async_create_entry(title=title, data=stored)
        return self._site_form("user", fields, faults)

    async def async_step_reconfigure(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask whether the site is to change or waiting charge points are to be accepted."""
        del user_input
        if self._waiting(self._get_reconfigure_entry()):
            return self.async_show_menu(step_id="reconfigure", menu_options=["supply", "waiting"])
        return await self.async_step_supply()

    async def async_step_supply(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for what is to change of the site itself."""
        entry = self._get_reconfigure_entry()
        fields = {Key.NAME: entry.title, **entry.data, **rating_fields(entry.data)}
        faults = FormFaults()
        if user_input is not None:
            fields = unfolded(user_input)
            title, stored = fields[Key.NAME].strip(), _stored_site(fields)
            faults = await self._site_faults(title, stored, entry=entry)
            add_device_faults(fields, faults)
            if not faults:
                kept = pick(entry.data, (Key.KNOWN_CLUSTERS,))
                return self.async_update_and_abort(entry, title=title, data=stored | kept)
        return self._site_form("supply", fields, faults)

    def _site_form(self, step: str, fields: Mapping[str, Any], faults: FormFaults) -> ConfigFlowResult:
        schema = vol.Schema(
            {
                vol.Required(Key.NAME): TextSelector(),
                vol.Required(Key.RATING): amps(least=1),
                vol.Required(Key.PHASES, default=THREE_PHASES): choice("phases", (THREE_PHASES, ONE_PHASE)),
                vol.Optional(Key.BASE_LOAD): amps(),
                vol.Required(Key.PORT, default=DEFAULT_PORT): whole_number(least=1, most=65535),
                vol.Required(Key.ACCEPT_ALL_TAGS, default=True): BooleanSelector(),
                vol.Required(Key.ADVANCED): advanced(
                    {
                        vol.Optional(Key.RATING_L1): amps(least=1),
                        vol.Optional(Key.RATING_L2): amps(least=1),
                        vol.Optional(Key.RATING_L3): amps(least=1),
                        vol.Optional(Key.MARGIN): amps(),
                        vol.Optional(Key.SHARING): sharing_rule(),
                        vol.Required(Key.ON_TIME, default=DEFAULT_ON_TIME_MIN): NumberSelector(
                            NumberSelectorConfig(
                                min=1,
                                max=240,
                                step=1,
                                mode=NumberSelectorMode.BOX,
                                unit_of_measurement=UnitOfTime.MINUTES,
                            )
                        ),
                        vol.Required(Key.RESTART_STAGGER, default=DEFAULT_RESTART_STAGGER_S): NumberSelector(
                            NumberSelectorConfig(
                                min=0,
                                max=LONGEST_STAGGER_S,
                                step=1,
                                mode=NumberSelectorMode.BOX,
                                unit_of_measurement=UnitOfTime.SECONDS,
                            )
                        ),
                        vol.Optional(Key.HOST): TextSelector(),
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

    async def _site_faults(self, title: str, stored: dict[str, Any], *, entry: ConfigEntry | None) -> FormFaults:
        faults = FormFaults()
        if not title:
            faults.add("name_missing", field=Key.NAME)
        elif any(
            other.title.casefold() == title.casefold()
            for other in self._async_current_entries(include_ignore=False)
            if entry is None or other.entry_id != entry.entry_id
        ):
            faults.add("name_taken", field=Key.NAME)
        supply = supply_settings(title, stored)
        known_fields = (Key.RATING, Key.BASE_LOAD)
        if entry is None:
            faults.add_faults(check(SiteSettings(site_id="new", name=title, circuits=(supply,))), fields=known_fields)
        else:
            faults.add_faults(new_faults(entry, with_circuit(site_settings(entry), supply)), fields=known_fields)
        await self._check_listener(stored, faults)
        return faults

    async def _check_listener(self, stored: dict[str, Any], faults: FormFaults) -> None:
        """Try to open the port, unless a site of ours listens there already."""
        host, port = stored.get(Key.HOST, ListenerSettings().host), stored[Key.PORT]
        if HOST.fullmatch(host) is None:
            faults.add("invalid_host")
            return
        wanted = ListenerSettings(host=host, port=port)
        if any(site_settings(site).listener == wanted for site in loaded_sites(self.hass)):
            return
        try:
            server = await asyncio.get_running_loop().create_server(asyncio.Protocol, host, port)
        except OSError as error:
            faults.add("port_unavailable", field=Key.PORT, port=str(port), cause=error.strerror or str(error))
            return
        server.close()
        await server.wait_closed()

    # Many waiting charge points at once --------------------------------------------------------------------------

    async def async_step_waiting(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask which of the waiting charge points are accepted, and what they have in common."""
        entry = self._get_reconfigure_entry()
        waiting = self._waiting(entry)
        if not waiting:
            return self.async_abort(reason="nobody_waits")
        fields: dict[str, Any] = {**DEFAULTS, Key.IDENTITIES: list(waiting)}
        faults = FormFaults()
        if user_input is not None:
            fields = unfolded(user_input)
            faults = self._accept_many(entry, fields, waiting)
            if not faults:
                return await self.async_step_keys()
        schema = vol.Schema(
            {
                vol.Required(Key.IDENTITIES): SelectSelector(
                    SelectSelectorConfig(
                        options=[
                            SelectOptionDict(value=identity, label=_label(view)) for identity, view in waiting.items()
                        ],
                        multiple=True,
                        mode=SelectSelectorMode.LIST,
                    )
                ),
                vol.Required(Key.CLUSTER): circuit_choice(entry),
                vol.Required(Key.MAXIMUM): amps(least=1, most=MAXIMUM_CONNECTOR_A),
                vol.Required(Key.ROTATION): choice("rotation", rotations_of(entry, many=True)),
                vol.Optional(Key.FALLBACK): amps(most=MAXIMUM_CONNECTOR_A),
                vol.Required(Key.SECURITY): choice("security", Security),
            }
        )
        return self.async_show_form(
            step_id="waiting",
            data_schema=self.add_suggested_values_to_schema(schema, fields),
            errors=faults.errors,
            description_placeholders={"count": str(len(waiting)), **faults.placeholders},
            last_step=False,
        )

    def _waiting(self, entry: ChargeClusterConfigEntry) -> Mapping[str, NewcomerView]:
        return entry.runtime_data.site.newcomers if entry in loaded_sites(self.hass) else {}

    def _accept_many(
        self, entry: ConfigEntry, fields: dict[str, Any], waiting: Mapping[str, NewcomerView]
    ) -> FormFaults:
        """Make charge points of the chosen newcomers, or say what is wrong."""
        faults = FormFaults()
        chosen = [identity for identity in fields[Key.IDENTITIES] if identity in waiting]
        if not chosen:
            faults.add("nobody_chosen", field=Key.IDENTITIES)
            return faults
        connectors = {identity: waiting[identity].connectors or 1 for identity in chosen}
        after = site_settings(entry)
        self._accepted = []
        for each in one_each(fields, chosen, connectors):
            title = each[Key.NAME]
            stored = stored_charge_point(each, key=None)
            after = with_charge_points(after, [candidate(title, stored, title)])
            self._accepted.append((title, stored))
            owner = identity_owner(self.hass, entry, title, None)
            if owner is not None:
                faults.add("identity_taken", field=Key.IDENTITIES, identity=title, site=owner.title)
        faults.add_faults(new_faults(entry, after), fields=(Key.CLUSTER, Key.MAXIMUM, Key.FALLBACK))
        return faults

    async def async_step_keys(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Show the keys to type into the accepted charge points, then add them."""
        entry = self._get_reconfigure_entry()
        if user_input is not None:
            for title, stored in self._accepted:
                if identity_owner(self.hass, entry, title, None) is None:
                    self.hass.config_entries.async_add_subentry(entry, as_subentry(title, stored))
            return self.async_abort(
                reason="charge_points_added", description_placeholders={"count": str(len(self._accepted))}
            )
        keys = "\n".join(
            f"| {stored[Key.IDENTITY]} | `{stored.get(Key.KEY, '–')}` |" for _title, stored in self._accepted
        )
        return self.async_show_form(
            step_id="keys",
            data_schema=vol.Schema({}),
            description_placeholders={"address": dial_address(self.hass, entry), "keys": keys},
            last_step=True,
        )

    # One newcomer ------------------------------------------------------------------------------------------------

    @override
    async def async_step_integration_discovery(self, discovery_info: Newcomer) -> ConfigFlowResult:  # type: ignore[override]  # our own discovery carries our own type
        """Begin with a charge point that dialled in."""
        self._newcomer = discovery_info.identity
        await self.async_set_unique_id(newcomer_unique_id(self._newcomer))
        self._abort_if_unique_id_configured(error="ignored")
        sites = list(sites_with(self.hass, self._newcomer))
        if not sites:
            return self.async_abort(reason="newcomer_gone")
        self.context["title_placeholders"] = {"name": _label(sites[0][1])}
        if len(sites) > 1:
            return await self.async_step_site()
        self._site_id = sites[0][0].entry_id
        return await self.async_step_charge_point()

    async def async_step_site(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask at which of several sites the charge point is."""
        sites = {entry.entry_id: entry.title for entry, _view in sites_with(self.hass, self._newcomer)}
        if user_input is not None and user_input[Key.SITE] in sites:
            self._site_id = user_input[Key.SITE]
            return await self.async_step_charge_point()
        if not sites:
            return self.async_abort(reason="newcomer_gone")
        options = [SelectOptionDict(value=entry_id, label=title) for entry_id, title in sites.items()]
        return self.async_show_form(
            step_id="site",
            data_schema=vol.Schema({vol.Required(Key.SITE): SelectSelector(SelectSelectorConfig(options=options))}),
            description_placeholders={"identity": self._newcomer},
            last_step=False,
        )

    async def async_step_charge_point(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask where the charge point is and what it can."""
        found = {entry.entry_id: (entry, view) for entry, view in sites_with(self.hass, self._newcomer)}
        if self._site_id not in found:
            return self.async_abort(reason="newcomer_gone")
        entry, view = found[self._site_id]
        fields: dict[str, Any] = {**DEFAULTS, Key.NAME: self._newcomer, Key.CONNECTORS: view.connectors or 1}
        faults = FormFaults()
        if user_input is not None:
            fields = unfolded(user_input) | {Key.IDENTITY: self._newcomer}
            title = fields[Key.NAME].strip()
            stored = stored_charge_point(fields, key=None)
            faults = charge_point_faults(self.hass, entry, title, stored, subentry=None)
            self._accepted = [(title, stored)]
            if not faults:
                return await self.async_step_connect()
        schema = charge_point_schema(entry, identity=False)
        return self.async_show_form(
            step_id="charge_point",
            data_schema=self.add_suggested_values_to_schema(schema, folded(fields)),
            errors=faults.errors,
            description_placeholders={
                "identity": self._newcomer,
                "remote": view.remote,
                "site": entry.title,
                **faults.placeholders,
            },
            last_step=False,
        )

    async def async_step_connect(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Show the key to type into the charge point, then add it."""
        [(title, stored)] = self._accepted
        entry = self.hass.config_entries.async_get_entry(self._site_id)
        if entry is None or identity_owner(self.hass, entry, self._newcomer, None) is not None:
            return self.async_abort(reason="newcomer_gone")
        if user_input is not None:
            self.hass.config_entries.async_add_subentry(entry, as_subentry(title, stored))
            return self.async_abort(
                reason="charge_point_added", description_placeholders={"name": title, "site": entry.title}
            )
        return self.async_show_form(
            step_id="connect",
            data_schema=vol.Schema({}),
            description_placeholders=connection(self.hass, entry, stored),
            last_step=True,
        )


def _stored_site(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is stored of a filled-in site form."""
    return {
        Key.PORT.value: int(fields[Key.PORT]),
        Key.PHASES.value: fields[Key.PHASES],
        Key.RATINGS.value: ratings(fields),
        **pick(fields, (Key.BASE_LOAD, Key.MARGIN, Key.SHARING, Key.HOST, Key.ACCEPT_ALL_TAGS, Key.ON_TIME)),
        **pick(fields, (Key.RESTART_STAGGER,)),
        **as_stored(fields),
    }


def _label(view: NewcomerView) -> str:
    """Return how a newcomer is called before it has a name."""
    report = view.identity_report
    described = " ".join(word for word in (report.vendor, report.model) if word)
    return f"{view.identity} ({described})" if described else view.identity
