"""What is stored, read as settings."""

import json
from types import MappingProxyType
from typing import Any

import pytest
from homeassistant.config_entries import ConfigSubentry

from custom_components.charge_cluster.configuration import (
    ROTATIONS,
    UNKNOWN_CLUSTER_RATING_A,
    charge_point_settings,
    clusters_to_remember,
    meter_settings,
    remembered_clusters,
    site_settings,
)
from custom_components.charge_cluster.engine.exposure import DeviceKind, ProtectiveDevice
from custom_components.charge_cluster.engine.model import MeterScope, SharingRule
from custom_components.charge_cluster.site.proof import check
from custom_components.charge_cluster.site.settings import (
    EntityMeterSettings,
    ListenerSettings,
    ModbusMeterSettings,
    OcppMeterSettings,
    Security,
)
from tests.site_entry import SUPPLY, a_charge_point, a_cluster, a_meter, a_site, subentry_called


def stored(kind: str, **values: Any) -> ConfigSubentry:
    """Return a subentry that is stored."""
    return ConfigSubentry(
        data=MappingProxyType(values), subentry_id="id", subentry_type=kind, title="Title", unique_id=None
    )


def test_a_site_without_anything_has_a_supply_and_a_listener_on_all_addresses() -> None:
    entry = a_site(9000)
    entry = type(entry)(domain=entry.domain, title="Depot", data={"port": 9001, "ratings": [63, 50, 63]})

    settings = site_settings(entry)

    [supply] = settings.circuits
    assert (supply.circuit_id, supply.parent_id, supply.name) == (SUPPLY, None, "Depot")
    assert supply.rating_a == (63.0, 50.0, 63.0)
    assert supply.declared_base_load_a is None
    assert settings.listener == ListenerSettings(port=9001)
    assert settings.site_id == entry.entry_id


def test_a_charge_point_is_read_with_its_key_and_its_connectors() -> None:
    point = charge_point_settings(
        stored(
            "charge_point",
            identity="CP1",
            cluster=SUPPLY,
            rotations=["l2_l3_l1", "unknown"],
            maximum=16,
            minimum=8,
            minimum_single_phase=10,
            fallback=8,
            security="basic",
            key="secret",
            priority=3.0,
            step=2,
        )
    )

    assert [(c.number, c.rotation, c.maximum_a, c.minimum_a) for c in point.connectors] == [
        (1, (1, 2, 0), 16.0, 8.0),
        (2, None, 16.0, 8.0),
    ]
    assert [c.minimum_single_phase_a for c in point.connectors] == [10.0, 10.0]
    assert (point.security, point.key, point.priority, point.step_a) == (Security.BASIC, "secret", 3, 2.0)
    assert "secret" not in repr(point)


def test_meters_are_read_by_what_they_are_made_of() -> None:
    modbus = meter_settings(
        stored(
            "meter",
            circuit=SUPPLY,
            scope="all_but_evs",
            host="10.0.0.9",
            port=502.0,
            unit=3.0,
            profile="eastron_sdm630",
            ratio=40,
            inverted=True,
            timeout=20,
        ),
        {},
    )
    own = stored("meter", circuit=SUPPLY, scope="evs_only", charge_point="north", interval=10.0)
    station, orphan = meter_settings(own, {"north": "CP9"}), meter_settings(own, {})
    entities = meter_settings(stored("meter", circuit=SUPPLY, scope="everything", powers=["sensor.a", "b", "c"]), {})

    assert station.source == OcppMeterSettings(charge_point_id="north", identity="CP9", interval_s=10.0)
    assert orphan.source == OcppMeterSettings(charge_point_id="north", identity=None, interval_s=10.0)
    assert modbus.source == ModbusMeterSettings(host="10.0.0.9", port=502, unit=3, profile="eastron_sdm630")
    assert (modbus.scope, modbus.ratio, modbus.inverted, modbus.timeout_s) == (MeterScope.ALL_BUT_EVS, 40.0, True, 20)
    assert entities.source == EntityMeterSettings(powers=("sensor.a", "b", "c"))


def test_every_rotation_is_one_that_the_proof_accepts() -> None:
    for name in ROTATIONS:
        entry = a_site(9000, a_charge_point("CP1", rotations=[name]))
        assert check(site_settings(entry)) == ()


def test_clusters_are_remembered_as_they_are() -> None:
    first = a_cluster("Cluster A", sharing="equal", base_load=3.0, margin=1.5)
    entry = a_site(9000, first, a_cluster("Cluster B"))
    settings = site_settings(entry)

    again = a_site(9000, known_clusters=clusters_to_remember(settings))

    assert remembered_clusters(again) == settings.circuits[1:]
    assert remembered_clusters(again)[0].sharing is SharingRule.EQUAL
    assert site_settings(again).circuits[1:] == ()


FIGURES: dict[str, Any] = {
    "neutral": 30,
    "unbalance": 20.0,
    "power": 25,
    "demand": 20.0,
    "demand_window": "30",
    "generation": 12.0,
    "generation_credit": True,
    "device_kind": "mccb",
    "device_rated": 63,
    "long_delay": 5,
}


def test_circuits_are_read_as_they_are() -> None:
    entry = a_site(9000, a_cluster("Cluster A", **FIGURES), restart_stagger=0)
    settings = site_settings(entry)

    supply, cluster = settings.circuits
    assert (cluster.neutral_a, cluster.unbalance_a, cluster.power_kva) == (30.0, 20.0, 25.0)
    assert (cluster.demand_kw, cluster.demand_window_min) == (20.0, 30)
    assert (cluster.generation_a, cluster.generation_credit) == ((12.0, 12.0, 12.0), True)
    assert cluster.device == ProtectiveDevice(kind=DeviceKind.MCCB, rated_a=63.0, long_delay_s=5.0)
    assert (supply.neutral_a, supply.power_kva, supply.demand_kw, supply.generation_a, supply.device) == (None,) * 5
    assert settings.restart_stagger_s == 0.0
    assert site_settings(a_site(9000)).restart_stagger_s == 60.0


def test_clusters_are_remembered_with_all_their_figures() -> None:
    settings = site_settings(a_site(9000, a_cluster("Cluster A", **FIGURES)))
    stored_again = json.loads(json.dumps(clusters_to_remember(settings)))

    assert remembered_clusters(a_site(9000, known_clusters=stored_again)) == settings.circuits[1:]


def test_clusters_that_were_remembered_before_there_were_figures_still_load() -> None:
    old = {
        "name": "Cluster A",
        "parent_id": SUPPLY,
        "rating_a": [40.0] * 3,
        "margin_a": None,
        "declared_base_load_a": None,
        "sharing": None,
    }

    [cluster] = remembered_clusters(a_site(9000, known_clusters={"gone": old}))

    assert (cluster.neutral_a, cluster.demand_window_min, cluster.generation_a, cluster.device) == (
        None,
        15,
        None,
        None,
    )


def test_the_whole_line_above_a_lost_cluster_is_kept() -> None:
    whole = a_site(9000, a_cluster("Cluster A"))
    upper = subentry_called(whole, "Cluster A").subentry_id
    remembered = clusters_to_remember(site_settings(whole))
    remembered["lower"] = remembered[upper] | {"name": "Cluster B", "parent_id": upper}

    entry = a_site(9000, a_charge_point("CP1", cluster="lower"), known_clusters=remembered)

    assert [(c.name, c.lost) for c in site_settings(entry).circuits] == [
        ("Depot", False),
        ("Cluster B", True),
        ("Cluster A", True),
    ]


@pytest.mark.parametrize("hanging", [a_charge_point("CP1", cluster="?"), a_meter("M", "abc", circuit="?")])
def test_what_hangs_on_a_cluster_that_nobody_remembers_is_given_nothing(hanging: Any) -> None:
    settings = site_settings(a_site(9000, hanging))

    assert settings.circuits[1].lost
    assert settings.circuits[1].rating_a == (UNKNOWN_CLUSTER_RATING_A,) * 3
    assert check(settings) == ()
