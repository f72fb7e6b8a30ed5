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
from .site.proof import with_fitting_fallbacks
from .site.settings import (
    ChargePointSettings,
    CircuitSettings,
    ConnectorSettings,
    EntityMeterSettings,
    ListenerSettings,
    MeterSettings,
    ModbusMeterSettings,
    Security,
    SiteSettings,
)

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
    charge_points = tuple(charge_point_settings(subentry) for subentry in _subentries(entry, SubentryType.CHARGE_POINT))
    meters = tuple(meter_settings(subentry) for subentry in _subentries(entry, SubentryType.METER))
    return SiteSettings(
        site_id=entry.entry_id,
        accept_all_tags=bool(entry.data.get(Key.ACCEPT_ALL_TAGS, True)),
        on_time_s=SECONDS_A_MINUTE * float(entry.data.get(Key.ON_TIME, DEFAULT_ON_TIME_MIN)),
        restart_stagger_s=float(entry.data.get(Key.RESTART_STAGGER, DEFAULT_RESTART_STAGGER_S)),
        name=entry.title,
        circuits=(supply_settings(entry.title, entry.data), *clusters),
        charge_points=charge_points,
        meters=meters,
        listener=ListenerSettings(
            host=entry.data.get(Key.HOST, ListenerSettings().host), port=int(entry.data.get(Key.PORT, DEFAULT_PORT))
        ),
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
                minimum_a=float(stored[Key.MINIMUM]),
            )
            for number, rotation in enumerate(stored[Key.ROTATIONS], start=1)
        ),
        fallback_a=float(stored.get(Key.FALLBACK, 0.0)),
        fallback_automatic=Key.FALLBACK not in stored,
        step_a=float(stored.get(Key.STEP, 1.0)),
        security=Security(stored[Key.SECURITY]),
        key=stored.get(Key.KEY),
        priority=int(stored.get(Key.PRIORITY, 0)),
    )


def meter_settings(subentry: ConfigSubentry) -> MeterSettings:
    """Return a meter."""
    stored = subentry.data
    return MeterSettings(
        meter_id=subentry.subentry_id,
        name=subentry.title,
        circuit_id=stored[Key.CIRCUIT],
        source=modbus_source(stored) if Key.PROFILE in stored else entity_source(stored),
        scope=MeterScope(stored[Key.SCOPE]),
        ratio=float(stored.get(Key.RATIO, 1.0)),
        inverted=bool(stored.get(Key.INVERTED, False)),
        timeout_s=stored.get(Key.TIMEOUT),
    )


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
        *(charge_point.circuit_id for charge_point in settings.charge_points),
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
    """Return the settings with charge points added or replaced."""
    new = {charge_point.charge_point_id: charge_point for charge_point in charge_points}
    others = [known for known in settings.charge_points if known.charge_point_id not in new]
    return with_fitting_fallbacks(replace(settings, charge_points=(*others, *new.values())))


def with_meter(settings: SiteSettings, meter: MeterSettings) -> SiteSettings:
    """Return the settings with a meter added or replaced."""
    others = [known for known in settings.meters if known.meter_id != meter.meter_id]
    return replace(settings, meters=(*others, meter))
