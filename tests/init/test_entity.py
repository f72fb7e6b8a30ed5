"""When an entity writes its state: at once, in its time, or not at all."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, override

import pytest
from homeassistant.components.sensor import SensorEntity, SensorEntityDescription
from homeassistant.const import STATE_UNAVAILABLE
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    MockEntityPlatform,
    async_fire_time_changed,
)

from custom_components.charge_cluster.chargers import ChargerOffline, OperationRefused
from custom_components.charge_cluster.coordinator import SiteCoordinator, Subject, SubjectKind, WishBook
from custom_components.charge_cluster.engine.model import Reason, VehicleState
from custom_components.charge_cluster.entity import ConnectorEntity, Shows, described, translated_errors
from custom_components.charge_cluster.ocpp.protocols import JournalUnavailable
from custom_components.charge_cluster.site.proof import SettingsError
from custom_components.charge_cluster.site.views import ConnectorView

KEY = "cp/1"

CONNECTOR = ConnectorView(
    key=KEY,
    online=True,
    vehicle=VehicleState.WANTS,
    status="Charging",
    error=None,
    limit_a=16.0,
    target_a=16.0,
    reason=Reason.FULL_POWER,
    reason_circuit=None,
    expected_at=None,
    queue_position=None,
    drawn_a=(15.8, 15.8, 15.8),
    power_w=10_000.0,
    energy_wh=1_000_000.0,
    soc_percent=None,
    worst_case_a=16.0,
    fallback_a=6.0,
    fallback_confirmed=True,
    cap_a=32.0,
    enabled=True,
    priority=0,
    session=None,
)


@dataclass(frozen=True, kw_only=True)
class Description(SensorEntityDescription, Shows[ConnectorView]):
    """A sensor of a connector."""


class Sensor(ConnectorEntity, SensorEntity):
    """A sensor of a connector."""

    @property
    @override
    def native_value(self) -> Any:
        return self.value


LIMIT = Description(
    key="limit",
    name="Limit",
    value_fn=lambda view: view.limit_a,
    attributes_fn=lambda view: {"reason": view.reason},
    available_fn=lambda _view: True,
)
POWER = Description(key="power", name="Power", value_fn=lambda view: view.power_w, measured=True, least_change=20.0)


class OneConnector:
    """As much of a site as an entity of a connector needs."""

    def __init__(self) -> None:
        """Begin with a connector that charges."""
        self.connectors = {KEY: CONNECTOR}
        self.listeners: list[Callable[[], None]] = []

    def subscribe(self, subject: str, changed: Callable[[], None]) -> Callable[[], None]:
        """Note who listens to the connector."""
        assert subject == f"connector:{KEY}"
        self.listeners.append(changed)
        return lambda: self.listeners.remove(changed)

    def show(self, **changes: Any) -> None:
        """Change the connector and tell."""
        self.connectors[KEY] = replace(self.connectors[KEY], **changes)
        for listener in self.listeners:
            listener()


class Shown:
    """A connector with its sensors, and what they write."""

    def __init__(self, hass: HomeAssistant, site: OneConnector, sensors: list[Sensor]) -> None:
        """Watch the state machine."""
        self.hass = hass
        self.site = site
        self.sensors = sensors
        self.writes = 0
        hass.bus.async_listen("state_changed", self._written)

    @callback
    def _written(self, _event: Event[EventStateChangedData]) -> None:
        self.writes += 1

    async def show(self, **changes: Any) -> None:
        """Change the connector and let everything settle."""
        self.site.show(**changes)
        await self.hass.async_block_till_done()

    async def pass_time(self, seconds: float) -> None:
        """Let the timers fire that are due within that time."""
        async_fire_time_changed(self.hass, dt_util.utcnow() + timedelta(seconds=seconds))
        await self.hass.async_block_till_done()

    @property
    def state(self) -> str:
        """Return the state of the first sensor."""
        state = self.hass.states.get(self.sensors[0].entity_id)
        assert state is not None
        return state.state


async def shown(hass: HomeAssistant, *descriptions: Description) -> Shown:
    """Return sensors of a connector that are added."""
    site = OneConnector()
    entry = MockConfigEntry(domain="charge_cluster")
    coordinator = SiteCoordinator(hass=hass, entry=entry, site=site, wishes=WishBook(hass, "x"))  # type: ignore[arg-type]  # as much of a site as is needed
    subject = Subject(kind=SubjectKind.CONNECTOR, subject_id=KEY, subentry_id="cp", device_id="cp")
    sensors = [sensor for sensor in described(Sensor, descriptions)(coordinator, subject) if isinstance(sensor, Sensor)]
    await MockEntityPlatform(hass, domain="sensor", platform_name="charge_cluster").async_add_entities(sensors)
    await hass.async_block_till_done()
    return Shown(hass, site, sensors)


async def test_a_decision_is_written_at_once_and_only_when_it_differs(hass: HomeAssistant) -> None:
    connector = await shown(hass, LIMIT)

    await connector.show(limit_a=10.0)
    await connector.show(power_w=2.0)

    assert connector.state == "10.0"
    assert connector.writes == 1


async def test_an_attribute_that_changes_is_written(hass: HomeAssistant) -> None:
    connector = await shown(hass, LIMIT)

    await connector.show(reason=Reason.SHARED)

    assert connector.writes == 1


async def test_a_small_change_of_a_measurement_waits_for_its_minute(hass: HomeAssistant) -> None:
    connector = await shown(hass, POWER)

    for watts in (10_100.0, 10_200.0, 10_300.0):
        await connector.show(power_w=watts)
    assert connector.writes == 0
    await connector.pass_time(59)
    assert connector.writes == 0
    await connector.pass_time(61)

    assert connector.writes == 1
    assert connector.state == "10300.0"


async def test_a_large_change_of_a_measurement_waits_ten_seconds_at_most(hass: HomeAssistant) -> None:
    connector = await shown(hass, POWER)

    await connector.show(power_w=10_100.0)
    await connector.show(power_w=5_000.0)
    assert connector.writes == 0
    await connector.pass_time(11)

    assert connector.writes == 1
    assert connector.state == "5000.0"


async def test_a_measurement_that_returned_to_what_is_shown_writes_nothing(hass: HomeAssistant) -> None:
    connector = await shown(hass, POWER)

    await connector.show(power_w=5_000.0)
    await connector.show(power_w=10_000.0)
    await connector.pass_time(120)

    assert connector.writes == 0


async def test_a_measurement_that_is_lost_is_written_at_once(hass: HomeAssistant) -> None:
    connector = await shown(hass, POWER)

    await connector.show(power_w=None)
    assert connector.state == "unknown"
    await connector.show(online=False)

    assert connector.state == STATE_UNAVAILABLE
    assert connector.writes == 2


async def test_a_minute_of_noise_stays_within_the_recorders_budget(hass: HomeAssistant) -> None:
    connector = await shown(hass, POWER)

    for step in range(1, 61):
        await connector.show(power_w=10_000.0 + (2_000.0 if step % 2 else -2_000.0))
        if step % 10 == 0:
            await connector.pass_time(11)

    assert connector.writes <= 6


async def test_a_removed_entity_listens_no_more_and_writes_nothing_later(hass: HomeAssistant) -> None:
    connector = await shown(hass, POWER)
    await connector.show(power_w=5_000.0)

    await connector.sensors[0].async_remove()
    before = connector.writes
    await connector.pass_time(120)

    assert connector.site.listeners == []
    assert connector.writes == before


async def test_unique_ids_carry_the_connector_number(hass: HomeAssistant) -> None:
    connector = await shown(hass, LIMIT, POWER)

    assert [sensor.unique_id for sensor in connector.sensors] == ["cp/1-limit", "cp/1-power"]


async def test_a_connector_that_the_site_does_not_have_is_unavailable(hass: HomeAssistant) -> None:
    connector = await shown(hass, LIMIT)

    connector.site.connectors.clear()
    for listener in connector.site.listeners:
        listener()
    await hass.async_block_till_done()

    assert connector.state == STATE_UNAVAILABLE


@pytest.mark.parametrize(
    ("error", "key", "placeholders"),
    [
        (ChargerOffline(), "charger_offline", None),
        (OperationRefused("Rejected"), "operation_refused", {"answer": "Rejected"}),
        (JournalUnavailable(), "ledger_unavailable", None),
        (SettingsError(()), "impossible_settings", {"fault": ""}),
    ],
)
async def test_errors_of_ours_become_translated_ones(
    error: Exception, key: str, placeholders: dict[str, str] | None
) -> None:
    @translated_errors
    async def fails() -> None:
        await asyncio.sleep(0)
        raise error

    with pytest.raises(HomeAssistantError) as raised:
        await fails()

    assert raised.value.translation_key == key
    assert raised.value.translation_placeholders == placeholders


async def test_other_errors_pass() -> None:
    @translated_errors
    async def fails() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fails()
