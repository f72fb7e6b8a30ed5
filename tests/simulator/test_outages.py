"""Lost connections, lost power, lost answers: what is kept, what is said afterwards, and with which times."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from aiohttp import WSMsgType

from simulator import Scenario
from simulator.charge_point.spec import AfterPowerCut
from simulator.vehicle import CarSpec

from .central_system import CentralSystem
from .conftest import RunSite
from .stories import OUTLET, OnePoint, a_car, limit


def utc(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


async def begun(central: CentralSystem, run_site: RunSite, scenario: Scenario, car: CarSpec | None = None) -> Any:
    site = await run_site(scenario)
    await site.all_accepted()
    site.plug(OUTLET, car or a_car())
    await central.wait_action("StartTransaction")
    await site.until(lambda: site.truth.outlets[OUTLET].drawn[0] > 0.0)
    return site


def stops_answering(central: CentralSystem) -> Callable[[], None]:
    """Refuse connections until the returned function is called."""
    central.admits = lambda _: False

    def again() -> None:
        central.admits = lambda _: True

    return again


async def test_a_transaction_and_its_end_are_told_after_an_outage_with_their_own_times(
    central: CentralSystem, run_site: RunSite, one_point: OnePoint
) -> None:
    site = await begun(central, run_site, one_point())
    site.fault("drops", "CP-01")
    await site.until(lambda: not site.charge_points["CP-01"].connected)
    before = len(central.heard)
    await site.clock.sleep(12.0)
    site.unplug(OUTLET)
    left_at = site.clock.utc()
    await site.clock.sleep(30.0)
    site.mend("drops", "CP-01")
    stopped = await central.wait_action("StopTransaction", after=before, transactionId=1)
    assert utc(stopped.payload["timestamp"]) == pytest.approx(left_at, abs=2.0)
    kept = [one.action for one in central.heard[before : central.heard.index(stopped)]]
    assert kept.count("MeterValues") >= 2
    await site.until(lambda: site.charge_points["CP-01"].conversation.stored_messages == 0)


async def test_a_whole_transaction_that_ran_offline_is_told_in_order_under_its_new_id(
    central: CentralSystem, run_site: RunSite, one_point: OnePoint
) -> None:
    site = await run_site(one_point())
    await site.all_accepted()
    site.fault("drops", "CP-01")
    await site.until(lambda: not site.charge_points["CP-01"].connected)
    site.plug(OUTLET, a_car())
    await site.until(lambda: site.truth.outlets[OUTLET].drawn[0] > 0.0)
    site.unplug(OUTLET)
    await site.clock.sleep(3.0)
    before = len(central.heard)
    site.mend("drops", "CP-01")
    stopped = await central.wait_action("StopTransaction", after=before)
    started = await central.wait_action("StartTransaction", after=before)
    assert stopped.payload["transactionId"] == 1
    assert central.heard.index(started) < central.heard.index(stopped)
    assert utc(started.payload["timestamp"]) < utc(stopped.payload["timestamp"])


async def test_the_limit_holds_without_a_connection(
    central: CentralSystem, run_site: RunSite, one_point: OnePoint
) -> None:
    site = await begun(central, run_site, one_point())
    await limit(central, (0, 9.0))
    site.fault("drops", "CP-01")
    await site.until(lambda: site.truth.outlets[OUTLET].drawn[0] == 9.0)


async def test_after_a_mere_reconnect_it_does_not_boot_and_tells_only_what_changed(
    central: CentralSystem, run_site: RunSite, one_point: OnePoint
) -> None:
    site = await run_site(one_point())
    await site.all_accepted()
    await central.wait_action("StatusNotification", connectorId=1)
    before = len(central.heard)
    site.fault("drops", "CP-01")
    await site.until(lambda: not site.charge_points["CP-01"].connected)
    site.plug(OUTLET, a_car())
    await site.clock.sleep(15.0)
    site.mend("drops", "CP-01")
    await central.wait_action("StatusNotification", after=before, status="Charging")
    statuses = [one for one in central.heard[before:] if one.action == "StatusNotification"]
    assert [one.payload["connectorId"] for one in statuses] == [1]
    assert all(one.action != "BootNotification" for one in central.heard[before:])


async def test_some_boot_on_every_connection(central: CentralSystem, run_site: RunSite, one_point: OnePoint) -> None:
    site = await run_site(one_point(boots_on_reconnect=True))
    await site.all_accepted()
    before = len(central.heard)
    site.fault("drops", "CP-01", for_s=2.0)
    await central.wait_action("BootNotification", after=before)


async def test_a_lost_answer_is_asked_for_again_with_the_same_message(
    central: CentralSystem, run_site: RunSite, one_point: OnePoint
) -> None:
    site = await run_site(one_point())
    await site.all_accepted()
    answers = central.answers["StartTransaction"]
    central.answers["StartTransaction"] = lambda _: None
    site.plug(OUTLET, a_car())
    first = await central.wait_action("StartTransaction")
    central.answers["StartTransaction"] = answers
    await central.peers["CP-01"].websocket.close()
    second = await central.wait_action("StartTransaction", after=central.heard.index(first) + 1)
    assert second.message_id == first.message_id
    assert second.payload == first.payload


async def test_a_refused_message_of_a_transaction_is_given_up_after_the_configured_attempts(
    central: CentralSystem, run_site: RunSite, one_point: OnePoint
) -> None:
    site = await run_site(one_point())
    await site.all_accepted()
    for key, value in (("TransactionMessageAttempts", "2"), ("TransactionMessageRetryInterval", "2")):
        await central.call("CP-01", "ChangeConfiguration", {"key": key, "value": value})
    refused: list[str] = []

    def refuse(heard: Any) -> None:
        refused.append(heard.message_id)
        peer = central.peers["CP-01"]
        error = f'[4,"{heard.message_id}","InternalError","",{{}}]'
        central_tasks.append(asyncio.create_task(peer.websocket.send_str(error)))

    central_tasks: list[asyncio.Task[None]] = []
    central.answers["StartTransaction"] = refuse
    site.plug(OUTLET, a_car())
    await site.until(lambda: site.charge_points["CP-01"].tally["gave up StartTransaction"] == 1)
    assert len(refused) == 2
    await central.wait_action("MeterValues")


class TestPower:
    async def test_a_power_cut_says_nothing_and_stops_the_current_at_once(
        self, central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        site = await begun(central, run_site, one_point())
        before = len(central.heard)
        site.fault("power_cut", "CP-01")
        await site.clock.sleep(1.0)
        assert site.truth.outlets[OUTLET].drawn == (0.0, 0.0, 0.0)
        await site.clock.sleep(30.0)
        assert central.heard[before:] == []
        assert not central.peers["CP-01"].websocket.closed

    async def test_after_it_the_transaction_ends_with_the_time_of_the_cut(
        self, central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        site = await begun(central, run_site, one_point())
        before = len(central.heard)
        site.fault("power_cut", "CP-01", for_s=20.0)
        cut_at = site.clock.utc()
        boot = await central.wait_action("BootNotification", after=before)
        stopped = await central.wait_action("StopTransaction", after=before, reason="PowerLoss")
        assert central.heard.index(boot) < central.heard.index(stopped)
        assert utc(stopped.payload["timestamp"]) == pytest.approx(cut_at, abs=2.0)
        await central.wait_action("StartTransaction", after=before)
        assert len(central.connections) == 2

    async def test_on_some_models_the_transaction_goes_on_under_its_id(
        self, central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        site = await begun(central, run_site, one_point(after_power_cut=AfterPowerCut.RESUMES))
        before = len(central.heard)
        site.fault("power_cut", "CP-01", for_s=10.0)
        await central.wait_action("BootNotification", after=before)
        await central.wait_action("MeterValues", after=before, transactionId=1)
        assert not {"StopTransaction", "StartTransaction"} & {one.action for one in central.heard[before:]}

    async def test_a_car_that_left_in_the_dark_ends_the_transaction(
        self, central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        site = await begun(central, run_site, one_point(after_power_cut=AfterPowerCut.RESUMES))
        site.fault("power_cut", "CP-01", for_s=10.0)
        site.unplug(OUTLET)
        await central.wait_action("StopTransaction", reason="EVDisconnected")

    @pytest.mark.parametrize(("survive", "amps"), [(True, 8.0), (False, 16.0)])
    async def test_the_default_limit_survives_or_not_by_model(
        self, survive: bool, amps: float, central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        site = await begun(central, run_site, one_point(defaults_survive_power=survive))
        await limit(central, (0, 8.0))
        again = stops_answering(central)
        site.fault("power_cut", "CP-01", for_s=5.0)
        await site.until(lambda: site.truth.outlets[OUTLET].drawn[0] == 0.0)
        await site.until(lambda: site.truth.outlets[OUTLET].drawn[0] == amps)
        again()

    async def test_a_transactions_limit_never_survives(
        self, central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        site = await begun(central, run_site, one_point(after_power_cut=AfterPowerCut.RESUMES))
        await limit(central, (0, 8.0), purpose="TxProfile", transactionId=1)
        await site.until(lambda: site.truth.outlets[OUTLET].drawn[0] == 8.0)
        site.fault("power_cut", "CP-01", for_s=5.0)
        await site.until(lambda: site.truth.outlets[OUTLET].drawn[0] == 16.0)

    async def test_a_reboot_ends_the_connection_and_the_transaction(
        self, central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        site = await begun(central, run_site, one_point())
        before = len(central.heard)
        site.fault("reboots", "CP-01")
        await central.wait_action("BootNotification", after=before)
        await central.wait_action("StopTransaction", after=before, reason="Reboot")

    async def test_everything_can_lose_power_together(
        self, central: CentralSystem, run_site: RunSite, quiet: Scenario
    ) -> None:
        site = await run_site(quiet)
        await site.all_accepted()
        before = len(central.heard)
        site.fault("power_cut", "*", for_s=5.0)
        await site.until(
            lambda: (
                {one.identity for one in central.heard[before:] if one.action == "BootNotification"}
                == set(site.charge_points)
            )
        )


class TestHalfOpen:
    async def test_it_hears_and_says_nothing_while_the_connection_stays(
        self, central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        site = await begun(central, run_site, one_point())
        site.fault("half_open", "CP-01")
        await site.clock.sleep(1.0)
        before = len(central.heard)
        peer = central.peers["CP-01"]
        await peer.websocket.send_str('[2,"ask","GetConfiguration",{}]')
        await peer.websocket.ping()
        await site.clock.sleep(30.0)
        assert central.heard[before:] == []
        assert not peer.websocket.closed
        assert site.charge_points["CP-01"].tally["received GetConfiguration"] == 0

    async def test_afterwards_it_comes_back_on_a_new_connection_with_all_it_kept(
        self, central: CentralSystem, run_site: RunSite, one_point: OnePoint
    ) -> None:
        site = await begun(central, run_site, one_point())
        before = len(central.heard)
        site.fault("half_open", "CP-01", for_s=30.0)
        await central.wait_connections(2)
        await central.wait_action("MeterValues", after=before, transactionId=1)


async def test_pings_are_answered_unless_the_model_does_not(
    central: CentralSystem, run_site: RunSite, one_point: OnePoint
) -> None:
    site = await run_site(one_point())
    await site.all_accepted()
    peer = central.peers["CP-01"]
    pongs: list[bytes] = []
    central.on_pong = pongs.append
    await peer.websocket.ping(b"one")
    await site.until(lambda: pongs == [b"one"])
    site.fault("ignores_pings", "CP-01")
    await peer.websocket.ping(b"two")
    await central.call("CP-01", "GetConfiguration", {})
    assert pongs == [b"one"]


async def test_it_pings_by_itself_where_configured(
    central: CentralSystem, run_site: RunSite, one_point: OnePoint
) -> None:
    site = await run_site(one_point())
    await site.all_accepted()
    await central.call("CP-01", "ChangeConfiguration", {"key": "WebSocketPingInterval", "value": "5"})
    site.fault("drops", "CP-01", for_s=1.0)
    await central.wait_connections(2)
    await site.until(lambda: WSMsgType.PING in central.frames_seen)
