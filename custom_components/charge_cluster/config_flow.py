"""Setting a site up, changing it, and accepting the charge points that wait at its door."""

import asyncio
import re
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, override

import voluptuous as vol
from homeassistant.config_entries import (
    ConfigEntry,
    ConfigFlow,
    ConfigFlowResult,
    ConfigSubentry,
    ConfigSubentryFlow,
)
from homeassistant.const import UnitOfTime
from homeassistant.core import callback
from homeassistant.helpers.selector import (
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
)

from .addresses import dial_address, dial_host
from .configuration import (
    DEFAULT_ON_TIME_MIN,
    DEFAULT_RESTART_STAGGER_S,
    authorisation,
    cluster_settings,
    site_settings,
    supply_settings,
    tls_settings,
    with_charge_points,
    with_circuit,
)
from .const import DEFAULT_PORT, DOMAIN, ENTRY_MINOR_VERSION, ENTRY_VERSION, ONE_PHASE, THREE_PHASES, Key, SubentryType
from .coordinator import ChargeClusterConfigEntry
from .engine.model import ChargingMode
from .newcomers import (
    Newcomer,
    NewSatellites,
    family_of,
    loaded_sites,
    newcomer_unique_id,
    satellites_unique_id,
    sites_with,
    stem_of,
)
from .ocpp.security.own import CertificateFault
from .site.proof import LONGEST_STAGGER_S, check
from .site.settings import (
    EVERY_ADDRESS,
    AuthorisationMode,
    AuthorisationSettings,
    Concurrency,
    ListenerSettings,
    Security,
    SiteSettings,
    TlsMode,
    Unanswered,
)
from .site.views import NewcomerView, connector_key
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
    identity_owner,
    one_each,
    rotations_of,
    stored_charge_point,
)
from .subentries.circuit import add_device_faults, as_stored, figures, protection
from .subentries.cluster import ClusterFlow, new_cluster
from .subentries.encryption import (
    check_encryption,
    encryption,
    encryption_as_stored,
    encryption_fields,
    field_at_fault,
)
from .subentries.meter import MeterFlow
from .subentries.satellite import (
    SatelliteFlow,
    as_subentry as satellite_subentry,
    common_fields,
    more_fields,
    one_each as one_satellite_each,
    satellite_faults,
)
from .subentries.tariff import TariffFlow

SHORTEST_ASKING_S, LONGEST_ASKING_S = 3, 30
"""How long Home Assistant may take to decide: charge points wait no longer for an answer."""

HOST = re.compile(r"[\w.:\-]{1,253}", re.ASCII)

OFF_PEAK_COUNTRIES = frozenset({"GB"})
"""Where charge points are to offer off-peak hours when they are first used (SI 2021/1467)."""

OFFERED_MODES = (ChargingMode.NORMAL.value, ChargingMode.OFF_PEAK.value, ChargingMode.SMART.value)
"""The modes that need nothing but what every site has."""


class ChargeClusterConfigFlow(ConfigFlow, domain=DOMAIN):
    """Makes sites, and charge points out of newcomers."""

    VERSION = ENTRY_VERSION
    MINOR_VERSION = ENTRY_MINOR_VERSION

    def __init__(self) -> None:
        """Begin with nothing chosen."""
        self._newcomer = ""
        self._site_id = ""
        self._master_id = ""
        """The charge point whose connectors appeared; empty: any."""
        self._alone = False
        """Whether a newcomer that seems to belong to a cluster is accepted by itself."""
        self._accepted: list[tuple[str, dict[str, Any]]] = []
        """Title and data of the charge points to be added in the last step."""
        self._cluster: ConfigSubentry | None = None
        """The cluster that is made of them, to be added before them."""

    @classmethod
    @callback
    @override
    def async_get_supported_subentry_types(cls, config_entry: ConfigEntry) -> dict[str, type[ConfigSubentryFlow]]:
        return {
            SubentryType.CLUSTER: ClusterFlow,
            SubentryType.CHARGE_POINT: ChargePointFlow,
            SubentryType.SATELLITE: SatelliteFlow,
            SubentryType.METER: MeterFlow,
            SubentryType.TARIFF: TariffFlow,
        }

    # A site ------------------------------------------------------------------------------------------------------

    @override
    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for a new site."""
        usual = ChargingMode.OFF_PEAK if self.hass.config.country in OFF_PEAK_COUNTRIES else ChargingMode.NORMAL
        fields: dict[str, Any] = {Key.PORT: DEFAULT_PORT, Key.PHASES: THREE_PHASES, Key.USUAL_MODE: usual.value}
        faults = FormFaults()
        if user_input is not None:
            fields = unfolded(user_input)
            title, stored = fields[Key.NAME].strip(), _stored_site(fields) | pick(fields, (Key.USUAL_MODE,))
            faults = await self._site_faults(title, stored, entry=None)
            add_device_faults(fields, faults)
            if not faults:
                return self.async_create_entry(title=title, data=stored)
        return self._site_form("user", fields, faults)

    async def async_step_reconfigure(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask whether the site is to change or waiting charge points are to be accepted."""
        del user_input
        entry = self._get_reconfigure_entry()
        self._site_id = entry.entry_id
        options = ["waiting"] if self._waiting(entry) else []
        options += ["satellites"] if self._strangers() else []
        if options:
            return self.async_show_menu(step_id="reconfigure", menu_options=["supply", *options])
        return await self.async_step_supply()

    async def async_step_supply(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for what is to change of the site itself."""
        entry = self._get_reconfigure_entry()
        who = authorisation(entry.data).mode.value
        fields = {Key.AUTHORISATION: who, Key.NAME: entry.title, **entry.data, **rating_fields(entry.data)}
        fields |= encryption_fields(entry.data)
        faults = FormFaults()
        if user_input is not None:
            fields = unfolded(user_input)
            title, stored = fields[Key.NAME].strip(), _stored_site(fields, entry.data)
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
                vol.Required(Key.AUTHORISATION, default=AuthorisationMode.FREE.value): choice(
                    "authorisation", AuthorisationMode
                ),
                **({vol.Optional(Key.USUAL_MODE): choice("usual_mode", OFFERED_MODES)} if step == "user" else {}),
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
                        vol.Required(Key.UNANSWERED, default=Unanswered.REFUSE.value): choice("unanswered", Unanswered),
                        vol.Required(Key.ASK_TIMEOUT, default=AuthorisationSettings().time_out_s): NumberSelector(
                            NumberSelectorConfig(
                                min=SHORTEST_ASKING_S,
                                max=LONGEST_ASKING_S,
                                step=1,
                                mode=NumberSelectorMode.BOX,
                                unit_of_measurement=UnitOfTime.SECONDS,
                            )
                        ),
                        vol.Required(Key.CONCURRENCY, default=Concurrency.ANY.value): choice(
                            "concurrency", Concurrency
                        ),
                        vol.Optional(Key.HOST): TextSelector(),
                        **figures(),
                    }
                ),
                **protection(),
                **encryption(),
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
            after = replace(with_circuit(site_settings(entry), supply), tls=tls_settings(stored))
            faults.add_faults(new_faults(entry, after), fields=known_fields)
        await self._check_listener(stored, faults)
        await self._check_encryption(stored, faults, entry)
        return faults

    async def _check_encryption(self, stored: dict[str, Any], faults: FormFaults, entry: ConfigEntry | None) -> None:
        """Read certificates as they will be used; sites that share a listener share its encryption."""
        host = dial_host(self.hass, stored.get(Key.HOST, EVERY_ADDRESS))
        check = partial(check_encryption, stored, now=time.time(), host=host)
        try:
            await self.hass.async_add_executor_job(check)
        except CertificateFault as fault:
            faults.add(fault.key, field=field_at_fault(fault, stored), **fault.placeholders)
        wanted = tls_settings(stored)
        if wanted.mode is TlsMode.NONE:
            return
        here = (stored.get(Key.HOST, EVERY_ADDRESS), stored[Key.PORT])
        if wanted.port == here[1]:
            faults.add("tls_port_is_the_other", field=Key.TLS_PORT)
        for site in loaded_sites(self.hass):
            settings = site_settings(site)
            shared = (settings.listener.host, settings.listener.port) == here
            if not shared or (entry is not None and site.entry_id == entry.entry_id):
                continue
            if settings.tls.mode is not TlsMode.NONE and settings.tls != wanted:
                faults.add("tls_of_another_site", field=Key.TLS, site=site.title)

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
        return await self._accept_together("waiting", entry, waiting, {Key.IDENTITIES: list(waiting)}, user_input)

    async def _accept_together(
        self,
        step: str,
        entry: ChargeClusterConfigEntry,
        waiting: Mapping[str, NewcomerView],
        suggested: Mapping[str, Any],
        user_input: dict[str, Any] | None,
    ) -> ConfigFlowResult:
        fields: dict[str, Any] = {**DEFAULTS, **suggested}
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
                vol.Optional(Key.NEW_CLUSTER): TextSelector(),
                vol.Optional(Key.RATING): amps(least=1),
                vol.Required(Key.MAXIMUM): amps(least=1, most=MAXIMUM_CONNECTOR_A),
                vol.Required(Key.ROTATION): choice("rotation", rotations_of(entry, many=True)),
                vol.Optional(Key.FALLBACK): amps(most=MAXIMUM_CONNECTOR_A),
                vol.Required(Key.SECURITY): choice("security", Security),
            }
        )
        return self.async_show_form(
            step_id=step,
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
        self._accepted, self._cluster = [], None
        if Key.NEW_CLUSTER in fields:
            self._cluster = new_cluster(entry, fields, faults)
            if faults:
                return faults
            after = with_circuit(after, cluster_settings(self._cluster))
            fields = {**fields, Key.CLUSTER: self._cluster.subentry_id}
        for each in one_each(fields, chosen, connectors):
            title = each[Key.NAME]
            stored = stored_charge_point(each, key=None)
            after = with_charge_points(after, [candidate(title, stored, title)])
            self._accepted.append((title, stored))
            owner = identity_owner(self.hass, entry, title, None)
            if owner is not None:
                faults.add("identity_taken", field=Key.IDENTITIES, identity=title, site=owner.title)
        faults.add_faults(new_faults(entry, after), fields=(Key.CLUSTER, Key.MAXIMUM, Key.ROTATION, Key.FALLBACK))
        return faults

    async def async_step_keys(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Show the keys to type into the accepted charge points, then add them."""
        entry = self.hass.config_entries.async_get_entry(self._site_id)
        if entry is None:
            return self.async_abort(reason="newcomer_gone")
        if user_input is not None:
            if self._cluster is not None:
                self.hass.config_entries.async_add_subentry(entry, self._cluster)
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

    # Connectors that a charge point shows and that are not configured ------------------------------------------------

    async def _discover_satellites(self, found: NewSatellites) -> ConfigFlowResult:
        """Begin with the connectors that appeared at one charge point."""
        self._site_id, self._master_id = found.entry_id, found.charge_point_id
        await self.async_set_unique_id(satellites_unique_id(found.charge_point_id))
        self._abort_if_unique_id_configured(error="ignored")
        strangers = self._strangers()
        if not strangers:
            return self.async_abort(reason="satellites_gone")
        master = next(iter(strangers.values()))[1]
        numbers = ", ".join(str(number) for _, _, number in strangers.values())
        self.context["title_placeholders"] = {"name": f"{master} ({numbers})"}
        return await self.async_step_satellites()

    async def async_step_satellites(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask which of the connectors that appeared become satellites, and what they have in common."""
        entry = self.hass.config_entries.async_get_entry(self._site_id)
        strangers = self._strangers()
        if entry is None or not strangers:
            return self.async_abort(reason="satellites_gone")
        masters = {master_id for master_id, _, _ in strangers.values()}
        cluster = entry.subentries[next(iter(masters))].data[Key.CLUSTER]
        fields: dict[str, Any] = {**DEFAULTS, Key.CONNECTORS: list(strangers), Key.CLUSTER: cluster}
        faults = FormFaults()
        if user_input is not None:
            fields = unfolded(user_input)
            chosen = [strangers[key] for key in fields[Key.CONNECTORS] if key in strangers]
            satellites = one_satellite_each(fields, chosen)
            faults = satellite_faults(entry, satellites, subentry=None)
            if not chosen:
                faults.add("nobody_chosen", field=Key.CONNECTORS)
            if not faults:
                for title, stored in satellites:
                    self.hass.config_entries.async_add_subentry(entry, satellite_subentry(title, stored))
                return self.async_abort(
                    reason="satellites_added",
                    description_placeholders={"count": str(len(satellites)), "site": entry.title},
                )
        options = [
            SelectOptionDict(value=key, label=f"{name} {number}") for key, (_, name, number) in strangers.items()
        ]
        schema = vol.Schema(
            {
                vol.Required(Key.CONNECTORS): SelectSelector(
                    SelectSelectorConfig(options=options, multiple=True, mode=SelectSelectorMode.LIST)
                ),
                **common_fields(entry, many=True),
                **more_fields(),
            }
        )
        return self.async_show_form(
            step_id="satellites",
            data_schema=self.add_suggested_values_to_schema(schema, folded(fields)),
            errors=faults.errors,
            description_placeholders={
                "count": str(len(strangers)),
                "masters": ", ".join(dict.fromkeys(name for _, name, _ in strangers.values())),
                **faults.placeholders,
            },
            last_step=True,
        )

    @callback
    def _strangers(self) -> dict[str, tuple[str, str, int]]:
        """Return the connectors that appeared, by key: the id and name of their charge point, and their number."""
        entry = next((site for site in loaded_sites(self.hass) if site.entry_id == self._site_id), None)
        if entry is None:
            return {}
        site = entry.runtime_data.site
        return {
            connector_key(point.charge_point_id, number): (point.charge_point_id, point.name, number)
            for point in site.settings.charge_points
            if self._master_id in {"", point.charge_point_id}
            and point.charge_point_id in entry.subentries
            and point.charge_point_id in site.charge_points
            for number in site.charge_points[point.charge_point_id].strangers
        }

    # One newcomer ------------------------------------------------------------------------------------------------

    @override
    async def async_step_integration_discovery(  # type: ignore[override]  # our own discovery carries our own types
        self, discovery_info: Newcomer | NewSatellites
    ) -> ConfigFlowResult:
        """Begin with a charge point that dialled in, or with connectors that one shows."""
        if isinstance(discovery_info, NewSatellites):
            return await self._discover_satellites(discovery_info)
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
        family = () if self._alone else family_of(self._newcomer, entry.runtime_data.site.newcomers)
        if user_input is None and len(family) > 1:
            return await self.async_step_family()
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

    async def async_step_family(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask whether a newcomer is accepted with those that seem to belong to it."""
        del user_input
        found = {entry.entry_id: view for entry, view in sites_with(self.hass, self._newcomer)}
        entry = self.hass.config_entries.async_get_entry(self._site_id)
        if entry is None or self._site_id not in found:
            return self.async_abort(reason="newcomer_gone")
        family = family_of(self._newcomer, self._waiting(entry))
        return self.async_show_menu(
            step_id="family",
            menu_options=["together", "alone"],
            description_placeholders={
                "identity": self._newcomer,
                "remote": found[self._site_id].remote,
                "count": str(len(family) - 1),
                "others": ", ".join(name for name in family if name != self._newcomer),
            },
        )

    async def async_step_alone(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Accept a newcomer by itself though others seem to belong to it."""
        del user_input
        self._alone = True
        return await self.async_step_charge_point()

    async def async_step_together(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Accept a newcomer together with those that seem to belong to it, as one cluster."""
        found = {entry.entry_id: entry for entry, _view in sites_with(self.hass, self._newcomer)}
        entry = found.get(self._site_id)
        if entry is None:
            return self.async_abort(reason="newcomer_gone")
        waiting = self._waiting(entry)
        family = family_of(self._newcomer, waiting)
        suggested: dict[str, Any] = {
            Key.IDENTITIES: list(family),
            Key.NEW_CLUSTER: stem_of(self._newcomer) or self._newcomer,
        }
        return await self._accept_together("together", entry, waiting, suggested, user_input)

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


def _stored_site(fields: Mapping[str, Any], before: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return what is stored of a filled-in site form."""
    return {
        Key.PORT.value: int(fields[Key.PORT]),
        Key.PHASES.value: fields[Key.PHASES],
        Key.RATINGS.value: ratings(fields),
        **pick(fields, (Key.BASE_LOAD, Key.MARGIN, Key.SHARING, Key.HOST, Key.ON_TIME, Key.RESTART_STAGGER)),
        **pick(fields, (Key.AUTHORISATION, Key.UNANSWERED, Key.ASK_TIMEOUT, Key.CONCURRENCY)),
        **as_stored(fields),
        **encryption_as_stored(fields, before or {}),
    }


def _label(view: NewcomerView) -> str:
    """Return how a newcomer is called before it has a name."""
    report = view.identity_report
    described = " ".join(word for word in (report.vendor, report.model) if word)
    return f"{view.identity} ({described})" if described else view.identity
