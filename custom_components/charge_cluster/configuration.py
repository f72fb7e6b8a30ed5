"""What is stored in the entry and its subentries, read as the settings of a site.

Names are the titles, so that renaming in Home Assistant renames. Everything here is pure: the forms use it to see what
a site would be before it is stored.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from typing import Any

from homeassistant.config_entries import ConfigEntry, ConfigSubentry

from .const import DEFAULT_PORT, SUPPLY_ID, Key, SubentryType
from .engine.exposure import DeviceKind, ProtectiveDevice
from .engine.model import MeterScope, PhaseAmps, SharingRule
from .ocpp.versions import OcppVersion
from .site.proof import with_fitting_fallbacks
from .site.settings import (
    AuthorisationMode,
    AuthorisationSettings,
    ChargePointSettings,
    CircuitSettings,
    Concurrency,
    ConnectorSettings,
    EntityMeterSettings,
    ListenerSettings,
    MeterSettings,
    ModbusMeterSettings,
    OcppMeterSettings,
    SatelliteSettings,
    Security,
    SiteSettings,
    TlsMode,
    TlsSettings,
    Unanswered,
)
from .stored_tariffs import tariff_settings

UNKNOWN_ROTATION = "unknown"

ROTATIONS: Mapping[str, tuple[int, ...] | None] = {
    "l1_l2_l3": (0, 1, 2),
    "l2_l3_l1": (1, 2, 0),
    "l3_l1_l2": (2, 0, 1),
    "l1_l3_l2": (0, 2, 1),
    "l2_l1_l3": (1, 0, 2),
    "l3_l2_l1": (2, 1, 0),
    "l1": (0,),
    "l2": (1,),
    "l3": (2,),
    UNKNOWN_ROTATION: None,
}
"""Supply phases that a connector's L1, L2, L3 are wired to, by the name stored for it."""

ANY_VERSION = "automatic"
OCPP_VERSIONS: Mapping[str, OcppVersion] = {
    "ocpp16": OcppVersion.V16,
    "ocpp201": OcppVersion.V201,
    "ocpp21": OcppVersion.V21,
}
"""The versions that the owner may insist on, by the name stored for each."""

SECONDS_A_MINUTE = 60.0
DEFAULT_ON_TIME_MIN = 15.0
"""How long a place is kept where the minima do not fit and places rotate."""

DEFAULT_RESTART_STAGGER_S = 60.0
"""Within so long after an outage vehicles start one after the other."""

DEFAULT_DEMAND_WINDOW_MIN = 15

UNKNOWN_CLUSTER_RATING_A = 0.001
"""Stands for the rating of a cluster of which nothing is known any more: nobody below it is given current."""


def site_settings(entry: ConfigEntry) -> SiteSettings:
    """Return what a site is: what is configured, and the clusters that were removed while something hangs on them."""
    return with_fitting_fallbacks(with_lost_clusters(configured(entry), remembered_clusters(entry)))


def configured(entry: ConfigEntry) -> SiteSettings:
    """Return what an entry with its subentries configures."""
    clusters = [cluster_settings(subentry) for subentry in _subentries(entry, SubentryType.CLUSTER)]
    charge_points = [charge_point_settings(subentry) for subentry in _subentries(entry, SubentryType.CHARGE_POINT)]
    satellites: dict[str, list[ConnectorSettings]] = {}
    for subentry in _subentries(entry, SubentryType.SATELLITE):
        satellites.setdefault(subentry.data[Key.MASTER], []).append(satellite_settings(subentry))
    identities = {point.charge_point_id: point.identity for point in charge_points}
    meters = tuple(meter_settings(subentry, identities) for subentry in _subentries(entry, SubentryType.METER))
    return SiteSettings(
        site_id=entry.entry_id,
        authorisation=authorisation(entry.data),
        on_time_s=SECONDS_A_MINUTE * float(entry.data.get(Key.ON_TIME, DEFAULT_ON_TIME_MIN)),
        restart_stagger_s=float(entry.data.get(Key.RESTART_STAGGER, DEFAULT_RESTART_STAGGER_S)),
        name=entry.title,
        circuits=(supply_settings(entry.title, entry.data), *clusters),
        charge_points=tuple(_with_connectors(p, satellites.get(p.charge_point_id, ())) for p in charge_points),
        meters=meters,
        tariffs=tuple(tariff_settings(subentry) for subentry in _subentries(entry, SubentryType.TARIFF)),
        listener=ListenerSettings(
            host=entry.data.get(Key.HOST, ListenerSettings().host), port=int(entry.data.get(Key.PORT, DEFAULT_PORT))
        ),
        tls=tls_settings(entry.data),
    )


def tls_settings(stored: Mapping[str, Any]) -> TlsSettings:
    """Return how a site's charge points are encrypted."""
    port = stored.get(Key.TLS_PORT)
    return TlsSettings(
        mode=TlsMode(stored.get(Key.TLS, TlsMode.NONE)),
        certificate=stored.get(Key.TLS_CERTIFICATE, ""),
        key=stored.get(Key.TLS_KEY, ""),
        port=None if port is None else int(port),
        only=bool(stored.get(Key.TLS_ONLY, False)),
        names=tuple(stored.get(Key.TLS_NAMES, ())),
        clients=bool(stored.get(Key.CLIENT_CERTIFICATES, False)),
        client_authority=stored.get(Key.CLIENT_AUTHORITY),
    )


def authorisation(stored: Mapping[str, Any]) -> AuthorisationSettings:
    """Return who may charge; an entry that was stored before there was a choice says whether everybody may."""
    usual = AuthorisationSettings()
    former = AuthorisationMode.FREE if stored.get(Key.ACCEPT_ALL_TAGS, True) else AuthorisationMode.KNOWN
    return AuthorisationSettings(
        mode=AuthorisationMode(stored.get(Key.AUTHORISATION, former)),
        unanswered=Unanswered(stored.get(Key.UNANSWERED, usual.unanswered)),
        concurrency=Concurrency(stored.get(Key.CONCURRENCY, usual.concurrency)),
        time_out_s=float(stored.get(Key.ASK_TIMEOUT, usual.time_out_s)),
    )


def _subentries(entry: ConfigEntry, kind: SubentryType) -> Iterator[ConfigSubentry]:
    return (subentry for subentry in entry.subentries.values() if subentry.subentry_type == kind)


def supply_settings(name: str, stored: Mapping[str, Any]) -> CircuitSettings:
    """Return the supply of a site."""
    return _circuit_settings(stored, circuit_id=SUPPLY_ID, name=name, parent_id=None)


def cluster_settings(subentry: ConfigSubentry) -> CircuitSettings:
    """Return a cluster."""
    stored = subentry.data
    return _circuit_settings(stored, circuit_id=subentry.subentry_id, name=subentry.title, parent_id=stored[Key.PARENT])


def _circuit_settings(
    stored: Mapping[str, Any], *, circuit_id: str, name: str, parent_id: str | None
) -> CircuitSettings:
    return CircuitSettings(
        circuit_id=circuit_id,
        name=name,
        parent_id=parent_id,
        rating_a=_amps(stored[Key.RATINGS]),
        margin_a=stored.get(Key.MARGIN),
        declared_base_load_a=_same_amps(stored.get(Key.BASE_LOAD)),
        sharing=_sharing(stored),
        neutral_a=_number(stored.get(Key.NEUTRAL)),
        unbalance_a=_number(stored.get(Key.UNBALANCE)),
        power_kva=_number(stored.get(Key.POWER)),
        demand_kw=_number(stored.get(Key.DEMAND)),
        demand_window_min=int(stored.get(Key.DEMAND_WINDOW, DEFAULT_DEMAND_WINDOW_MIN)),
        generation_a=_same_amps(stored.get(Key.GENERATION)),
        generation_credit=bool(stored.get(Key.GENERATION_CREDIT, False)),
        device=_device(stored),
        ways=None if stored.get(Key.WAYS) is None else int(stored[Key.WAYS]),
    )


def _device(stored: Mapping[str, Any]) -> ProtectiveDevice | None:
    """Return what protects a circuit; the settings of a breaker that are not stored are the usual ones."""
    if Key.DEVICE_KIND not in stored:
        return None
    kind = DeviceKind(stored[Key.DEVICE_KIND])
    device = ProtectiveDevice(kind=kind, rated_a=float(stored[Key.DEVICE_RATED]))
    if kind is not DeviceKind.MCCB:
        return device
    return replace(
        device,
        long_delay_s=float(stored.get(Key.LONG_DELAY, device.long_delay_s)),
        short_pickup=float(stored.get(Key.SHORT_PICKUP, device.short_pickup)),
        short_delay_s=float(stored.get(Key.SHORT_DELAY, device.short_delay_s)),
        instantaneous=float(stored.get(Key.INSTANTANEOUS, device.instantaneous)),
    )


def charge_point_settings(subentry: ConfigSubentry) -> ChargePointSettings:
    """Return a charge point."""
    stored = subentry.data
    steps = tuple(float(amps) for amps in stored[Key.STEPS]) if Key.STEPS in stored else None
    return ChargePointSettings(
        charge_point_id=subentry.subentry_id,
        name=subentry.title,
        identity=stored[Key.IDENTITY],
        circuit_id=stored[Key.CLUSTER],
        connectors=tuple(
            ConnectorSettings(
                number=number,
                rotation=ROTATIONS[rotation],
                maximum_a=float(stored[Key.MAXIMUM]),
                minimum_a=_minimum(stored, steps),
                minimum_single_phase_a=_number(stored.get(Key.MINIMUM_SINGLE_PHASE)),
            )
            for number, rotation in enumerate(stored[Key.ROTATIONS], start=1)
        ),
        fallback_a=float(stored.get(Key.FALLBACK, 0.0)),
        fallback_automatic=Key.FALLBACK not in stored,
        step_a=float(stored.get(Key.STEP, 1.0)),
        steps_a=steps,
        security=Security(stored[Key.SECURITY]),
        key=stored.get(Key.KEY),
        priority=int(stored.get(Key.PRIORITY, 0)),
        switches_phases=bool(stored.get(Key.SWITCHES_PHASES, False)),
        version=OCPP_VERSIONS.get(stored.get(Key.OCPP_VERSION, ANY_VERSION)),
        authorisation=AuthorisationMode(stored[Key.AUTHORISATION]) if Key.AUTHORISATION in stored else None,
    )


def satellite_settings(subentry: ConfigSubentry) -> ConnectorSettings:
    """Return a satellite, as the connector of its master that it is."""
    stored = subentry.data
    return ConnectorSettings(
        number=int(stored[Key.NUMBER]),
        rotation=ROTATIONS[stored[Key.ROTATION]],
        maximum_a=float(stored[Key.MAXIMUM]),
        minimum_a=float(stored[Key.MINIMUM]),
        minimum_single_phase_a=_number(stored.get(Key.MINIMUM_SINGLE_PHASE)),
        satellite=SatelliteSettings(
            satellite_id=subentry.subentry_id, name=subentry.title, circuit_id=stored[Key.CLUSTER]
        ),
    )


def _with_connectors(point: ChargePointSettings, more: Iterable[ConnectorSettings]) -> ChargePointSettings:
    """Return a charge point with connectors added, in the order of their numbers."""
    connectors = sorted((*point.connectors, *more), key=lambda connector: connector.number)
    return replace(point, connectors=tuple(connectors))


def _minimum(stored: Mapping[str, Any], steps: tuple[float, ...] | None) -> float:
    """Return the least that a connector charges with: the first of the currents that it knows, if they are listed."""
    least, most = float(stored[Key.MINIMUM]), float(stored[Key.MAXIMUM])
    return steps[0] if steps and least <= steps[0] <= most else least


def meter_settings(subentry: ConfigSubentry, identities: Mapping[str, str]) -> MeterSettings:
    """Return a meter.

    Args:
        identities: OCPP identities of the charge points, by id.
    """
    stored = subentry.data
    return MeterSettings(
        meter_id=subentry.subentry_id,
        name=subentry.title,
        circuit_id=stored[Key.CIRCUIT],
        source=_source(stored, identities),
        scope=MeterScope(stored[Key.SCOPE]),
        ratio=float(stored.get(Key.RATIO, 1.0)),
        inverted=bool(stored.get(Key.INVERTED, False)),
        timeout_s=stored.get(Key.TIMEOUT),
    )


def _source(
    stored: Mapping[str, Any], identities: Mapping[str, str]
) -> ModbusMeterSettings | EntityMeterSettings | OcppMeterSettings:
    """Return where a meter's readings come from."""
    if Key.PROFILE in stored:
        return modbus_source(stored)
    if Key.CHARGE_POINT in stored:
        charge_point_id = stored[Key.CHARGE_POINT]
        return OcppMeterSettings(
            charge_point_id=charge_point_id,
            identity=identities.get(charge_point_id),
            interval_s=float(stored[Key.INTERVAL]),
        )
    return entity_source(stored)


def modbus_source(stored: Mapping[str, Any]) -> ModbusMeterSettings:
    """Return where a meter over Modbus is."""
    return ModbusMeterSettings(
        host=stored[Key.HOST],
        port=int(stored[Key.PORT]),
        unit=int(stored[Key.UNIT]),
        profile=stored[Key.PROFILE],
        interval_s=float(stored.get(Key.INTERVAL, 1.0)),
    )


def entity_source(stored: Mapping[str, Any]) -> EntityMeterSettings:
    """Return the entities that a meter is made of."""
    return EntityMeterSettings(
        currents=_three(stored.get(Key.CURRENTS)),
        powers=_three(stored.get(Key.POWERS)),
        voltages=_three(stored.get(Key.VOLTAGES)),
    )


def _amps(stored: Iterable[float]) -> PhaseAmps:
    l1, l2, l3 = stored
    return (float(l1), float(l2), float(l3))


def _same_amps(stored: float | None) -> PhaseAmps | None:
    return None if stored is None else (float(stored), float(stored), float(stored))


def _number(stored: float | None) -> float | None:
    return None if stored is None else float(stored)


def _sharing(stored: Mapping[str, Any]) -> SharingRule | None:
    rule = stored.get(Key.SHARING)
    return None if rule is None else SharingRule(rule)


def _three(stored: Iterable[str] | None) -> tuple[str, str, str] | None:
    if not stored:
        return None
    first, second, third = stored
    return (first, second, third)


# Clusters that were removed while something hangs on them -----------------------------------------------------------
#
# A removal cannot be refused, and may happen while the entry is not even loaded. So the entry remembers what its
# clusters were when it was last seen; out of that comes the last rating of one that is gone.


def remembered_clusters(entry: ConfigEntry) -> tuple[CircuitSettings, ...]:
    """Return the clusters that the entry remembers, whether their subentries are there or not."""
    stored_by_id: Mapping[str, Mapping[str, Any]] = entry.data.get(Key.KNOWN_CLUSTERS, {})
    return tuple(
        CircuitSettings(
            circuit_id=circuit_id,
            name=stored["name"],
            parent_id=stored["parent_id"],
            rating_a=_amps(stored["rating_a"]),
            margin_a=stored["margin_a"],
            declared_base_load_a=None
            if stored["declared_base_load_a"] is None
            else _amps(stored["declared_base_load_a"]),
            sharing=None if stored["sharing"] is None else SharingRule(stored["sharing"]),
            **_remembered_figures(stored),
        )
        for circuit_id, stored in stored_by_id.items()
    )


def clusters_to_remember(settings: SiteSettings) -> dict[str, dict[str, Any]]:
    """Return the clusters of a site as the entry stores them to remember them by."""
    return {
        cluster.circuit_id: {
            "name": cluster.name,
            "parent_id": cluster.parent_id,
            "rating_a": list(cluster.rating_a),
            "margin_a": cluster.margin_a,
            "declared_base_load_a": None
            if cluster.declared_base_load_a is None
            else list(cluster.declared_base_load_a),
            "sharing": None if cluster.sharing is None else cluster.sharing.value,
            **_figures_to_remember(cluster),
        }
        for cluster in settings.circuits
        if cluster.parent_id is not None
    }


FIGURES = ("neutral_a", "unbalance_a", "power_kva", "demand_kw", "demand_window_min", "generation_credit")
"""Fields of a cluster that are remembered as they are, where they are known."""


def _figures_to_remember(cluster: CircuitSettings) -> dict[str, Any]:
    return {
        **{name: getattr(cluster, name) for name in FIGURES},
        "generation_a": None if cluster.generation_a is None else list(cluster.generation_a),
        "device": None if cluster.device is None else asdict(cluster.device) | {"kind": cluster.device.kind.value},
    }


def _remembered_figures(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is remembered beyond the rating; entries that were stored before that was asked have none of it."""
    generation, device = stored.get("generation_a"), stored.get("device")
    return {
        **{name: stored[name] for name in FIGURES if name in stored},
        "generation_a": None if generation is None else _amps(generation),
        "device": None if device is None else ProtectiveDevice(**{**device, "kind": DeviceKind(device["kind"])}),
    }


def with_lost_clusters(settings: SiteSettings, known: Iterable[CircuitSettings]) -> SiteSettings:
    """Add the circuits that something hangs on and that are not configured any more.

    One that is known keeps its last rating. One of which nothing is known gets next to none, so that what hangs on it
    is safe, if idle, until it is moved.
    """
    remembered = {circuit.circuit_id: circuit for circuit in known}
    present = {circuit.circuit_id for circuit in settings.circuits}
    wanted = [
        *(circuit.parent_id for circuit in settings.circuits if circuit.parent_id is not None),
        *(circuit_id for charge_point in settings.charge_points for circuit_id in sorted(charge_point.circuits)),
        *(meter.circuit_id for meter in settings.meters),
    ]
    lost: dict[str, CircuitSettings] = {}
    while wanted:
        circuit_id = wanted.pop()
        if circuit_id in present or circuit_id in lost:
            continue
        circuit = remembered.get(circuit_id) or CircuitSettings(
            circuit_id=circuit_id,
            name=circuit_id,
            parent_id=SUPPLY_ID,
            rating_a=(UNKNOWN_CLUSTER_RATING_A,) * 3,
            margin_a=0.0,
        )
        lost[circuit_id] = replace(circuit, lost=True, ways=None)
        if circuit.parent_id is not None:
            wanted.append(circuit.parent_id)
    if not lost:
        return settings
    return replace(settings, circuits=(*settings.circuits, *lost.values()))


# What a site would be ------------------------------------------------------------------------------------------------


def with_circuit(settings: SiteSettings, circuit: CircuitSettings) -> SiteSettings:
    """Return the settings with a circuit added or replaced."""
    others = [known for known in settings.circuits if known.circuit_id != circuit.circuit_id]
    circuits = (circuit, *others) if circuit.parent_id is None else (*others, circuit)
    return with_fitting_fallbacks(replace(settings, circuits=circuits))


def with_charge_points(settings: SiteSettings, charge_points: Iterable[ChargePointSettings]) -> SiteSettings:
    """Return the settings with charge points added or replaced; satellites stay with their master."""
    new = {charge_point.charge_point_id: charge_point for charge_point in charge_points}
    others = [known for known in settings.charge_points if known.charge_point_id not in new]
    for known in settings.charge_points:
        if known.charge_point_id in new:
            satellites = [connector for connector in known.connectors if connector.satellite is not None]
            new[known.charge_point_id] = _with_connectors(new[known.charge_point_id], satellites)
    return with_fitting_fallbacks(replace(settings, charge_points=(*others, *new.values())))


def with_satellites(settings: SiteSettings, satellites: Iterable[tuple[str, ConnectorSettings]]) -> SiteSettings:
    """Return the settings with satellites added or replaced, each given with the id of its master."""
    new: dict[str, list[ConnectorSettings]] = {}
    for master_id, satellite in satellites:
        new.setdefault(master_id, []).append(satellite)
    points = [_with_satellites(point, new.get(point.charge_point_id, ())) for point in settings.charge_points]
    return with_fitting_fallbacks(replace(settings, charge_points=tuple(points)))


def _with_satellites(point: ChargePointSettings, new: Iterable[ConnectorSettings]) -> ChargePointSettings:
    replaced = {connector.satellite.satellite_id for connector in new if connector.satellite is not None}
    kept = [c for c in point.connectors if c.satellite is None or c.satellite.satellite_id not in replaced]
    return _with_connectors(replace(point, connectors=tuple(kept)), new)


def with_meter(settings: SiteSettings, meter: MeterSettings) -> SiteSettings:
    """Return the settings with a meter added or replaced."""
    others = [known for known in settings.meters if known.meter_id != meter.meter_id]
    return replace(settings, meters=(*others, meter))
