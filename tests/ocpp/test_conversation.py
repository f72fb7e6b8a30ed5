"""The conversation with one charge point: boots, setting up, states, time."""

import asyncio

import pytest

from custom_components.charge_cluster.ocpp.conversation import (
    LimitWish,
    Measured,
    NotReachable,
    Outcome,
    Reachable,
    Rebooted,
    Refused,
    StatusReported,
    TransactionOpened,
    Unreachable,
)
from custom_components.charge_cluster.ocpp.times import read_stamp

from .charge_point import energy, sampled
from .stage import Stage, virtually

WISH = LimitWish(amps=10, fallback_a=0, validity_s=30)


@virtually
async def test_a_boot_is_answered_before_anything_is_asked(stage: Stage) -> None:
    point = await stage.connect()
    answer = await point.boot()
    assert point.asked == []
    assert (answer["status"], answer["interval"]) == ("Accepted", 60)
    assert read_stamp(answer["currentTime"]) == pytest.approx(stage.clock.time(), abs=1)
    await stage.settle()
    assert [type(report) for report in stage.reports[:2]] == [Rebooted, Reachable]
    assert stage.conversation.device.model == "One"


@virtually
async def test_a_charger_that_never_boots_is_used_after_five_seconds(stage: Stage) -> None:
    point = await stage.connect()
    await asyncio.sleep(4)
    assert point.asked == []
    assert not stage.is_online()
    await asyncio.sleep(2)
    assert stage.is_online()
    triggers = [payload["requestedMessage"] for payload in point.calls("TriggerMessage")]
    assert triggers[:2] == ["BootNotification", "StatusNotification"]


@virtually
async def test_a_charger_that_goes_on_where_it_was_is_used_at_once(stage: Stage) -> None:
    point = await stage.connect()
    await point.tell("Heartbeat", {})
    await stage.settle()
    assert stage.is_online()
    assert stage.heard(Rebooted) == []


@virtually
async def test_a_boot_that_we_asked_for_is_no_restart(stage: Stage) -> None:
    point = await stage.connect()
    await asyncio.sleep(6)
    await point.boot()
    await stage.settle()
    assert stage.heard(Rebooted) == []
    assert stage.conversation.device.vendor == "Sample"


@virtually
async def test_boot_and_status_sent_together_are_both_answered(stage: Stage) -> None:
    point = await stage.connect()
    await asyncio.gather(point.status(1, "Available"), point.boot())
    await stage.settle()
    assert [report.status for report in stage.heard(StatusReported)] == ["Available"]


@virtually
async def test_while_our_clock_is_wrong_a_boot_waits_and_nothing_goes_out(stage: Stage) -> None:
    stage.clock.right = False
    point = await stage.connect()
    assert (await point.boot())["status"] == "Pending"
    await asyncio.sleep(30)
    assert not stage.is_online()
    assert await stage.conversation.hold_limit(1, WISH) is Outcome.NOT_SENT
    assert point.asked == []
    stage.clock.right = True
    assert (await point.boot())["status"] == "Accepted"
    await stage.settle()
    assert stage.is_online()


@virtually
async def test_a_charger_without_boot_waits_for_our_clock_as_well(stage: Stage) -> None:
    stage.clock.right = False
    point = await stage.connect()
    await point.tell("Heartbeat", {})
    await asyncio.sleep(30)
    assert point.asked == []
    stage.clock.right = True
    await asyncio.sleep(2)
    assert stage.is_online()


@virtually
async def test_setting_up_reads_changes_and_reads_back(stage: Stage) -> None:
    keys = {
        "MeterValueSampleInterval": "60",
        "MeterValuesSampledData": "Energy.Active.Import.Register",
        "HeartbeatInterval": "60",
        "WebSocketPingInterval": "0",
        "NumberOfConnectors": "2",
        "AuthorizationKey": "TOPSECRET",
    }

    def get(payload: dict[str, list[str]]) -> object:
        wanted = payload.get("key", list(keys))
        return {"configurationKey": [{"key": k, "readonly": False, "value": keys[k]} for k in wanted]}

    def change(payload: dict[str, str]) -> object:
        keys[payload["key"]] = payload["value"]
        return {"status": "Accepted"}

    point = await stage.booted(GetConfiguration=get, ChangeConfiguration=change)
    changed = {payload["key"] for payload in point.calls("ChangeConfiguration")}
    assert changed == {"MeterValueSampleInterval", "MeterValuesSampledData", "WebSocketPingInterval"}
    assert keys["MeterValueSampleInterval"] == "10"
    assert keys["MeterValuesSampledData"].startswith("Current.Import,Power.Active.Import")
    assert stage.conversation.configuration.whole("MeterValueSampleInterval") == 10
    assert stage.conversation.configuration.connectors == 2
    assert "TOPSECRET" not in repr(stage.conversation.configuration)


@virtually
async def test_measurands_are_tried_one_by_one_where_all_are_refused(stage: Stage) -> None:
    def change(payload: dict[str, str]) -> object:
        taken = {"Current.Import", "Energy.Active.Import.Register"}
        good = payload["key"] != "MeterValuesSampledData" or set(payload["value"].split(",")) <= taken
        return {"status": "Accepted" if good else "Rejected"}

    point = await stage.booted(ChangeConfiguration=change)
    tried = [p["value"] for p in point.calls("ChangeConfiguration") if p["key"] == "MeterValuesSampledData"]
    assert tried[1] == "Current.Import"
    assert "Current.Import,Energy.Active.Import.Register" in tried


@virtually
async def test_a_charger_that_cannot_tell_all_keys_is_asked_for_some(stage: Stage) -> None:
    def get(payload: dict[str, list[str]]) -> object:
        return {"configurationKey": []} if payload else "InternalError"

    point = await stage.booted(GetConfiguration=get)
    assert "MeterValueSampleInterval" in point.calls("GetConfiguration")[1]["key"]
    assert stage.is_online()


@virtually
async def test_it_is_set_up_once_for_each_boot(stage: Stage) -> None:
    point = await stage.booted()
    reads = len(point.calls("GetConfiguration"))
    await stage.hang_up(point)
    again = await stage.connect()
    await again.tell("Heartbeat", {})
    await stage.settle()
    assert again.calls("GetConfiguration") == []
    assert again.calls("TriggerMessage") != []
    await again.boot()
    await stage.settle()
    assert len(again.calls("GetConfiguration")) == reads


@virtually
async def test_a_silent_charger_does_not_spoil_setting_up_for_good(stage: Stage) -> None:
    point = await stage.connect()
    point.silent_on = {"TriggerMessage", "GetConfiguration"}
    await point.boot()
    await asyncio.sleep(30)
    assert stage.is_online()
    await stage.hang_up(point)
    again = await stage.booted()
    assert again.calls("ChangeConfiguration") != []


@virtually
async def test_an_ended_connection_is_told_at_once(stage: Stage) -> None:
    point = await stage.booted()
    await stage.hang_up(point)
    assert isinstance(stage.reports[-1], Unreachable)
    with pytest.raises(NotReachable):
        await stage.conversation.reset(hard=False)


@virtually
async def test_a_newer_connection_takes_over(stage: Stage) -> None:
    old = await stage.booted()
    new = await stage.booted()
    stage.conversation.detach(old.client.link)
    assert stage.is_online()
    assert await stage.conversation.store_fallback(1, 0) is Outcome.ACCEPTED
    assert new.calls("SetChargingProfile") != []
    assert old.calls("SetChargingProfile") == []


@virtually
async def test_a_limit_without_answer_makes_it_unreachable_until_it_answers_something(stage: Stage) -> None:
    point = await stage.booted()
    await point.status(1, "Charging")
    transaction = await point.start()
    point.silent_on = {"SetChargingProfile", "GetConfiguration"}
    assert await stage.conversation.hold_limit(1, WISH) is Outcome.UNKNOWN
    await stage.settle()
    assert not stage.is_online()
    assert isinstance(stage.reports[-1], Unreachable)
    assert await stage.conversation.hold_limit(1, WISH) is Outcome.NOT_SENT
    await point.measure(sampled(L1=9), transaction_id=transaction)
    assert not stage.is_online()
    point.silent_on = set()
    await asyncio.sleep(30)
    assert stage.is_online()
    assert isinstance(stage.reports[-1], Reachable)


@virtually
async def test_a_listener_hears_the_present_state_at_once(stage: Stage) -> None:
    point = await stage.booted()
    await point.status(1, "Charging")
    await point.start()
    await point.measure([*sampled(L1=9), energy(1500)])
    await stage.settle()
    replayed: list[object] = []
    stage.conversation.listen(replayed.append)
    assert [type(report).__name__ for report in replayed] == [
        "Reachable",
        "StatusReported",
        "Measured",
        "TransactionOpened",
    ]


@virtually
async def test_who_stopped_listening_hears_no_more(stage: Stage) -> None:
    stage.end_listening()
    await stage.booted()
    assert stage.reports == []


@virtually
async def test_one_listener_that_fails_disturbs_neither_the_charger_nor_the_others(stage: Stage) -> None:
    failures: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context["exception"]))

    def broken(_: object) -> None:
        if _ != Unreachable():
            raise RuntimeError("a listener's own trouble")

    end = stage.conversation.listen(broken)
    point = await stage.booted()
    await point.status(1, "Available")
    await stage.settle()
    end()
    assert failures
    assert [report.status for report in stage.heard(StatusReported)] == ["Available"]


@virtually
async def test_a_status_without_a_time_or_with_odd_fields_counts(stage: Stage) -> None:
    point = await stage.booted()
    answer = await point.tell(
        "StatusNotification",
        {"connectorId": 1.0, "status": "Charging", "errorCode": None, "vendorStuff": {"x": [1]}, "timestamp": None},
    )
    assert answer[0] == 3
    await stage.settle()
    assert stage.heard(StatusReported) == [StatusReported(connector=1, status="Charging", error=None)]


@pytest.mark.parametrize(
    ("action", "payload"),
    [
        ("StatusNotification", {"connectorId": 1}),
        ("StatusNotification", {"status": "Available"}),
        ("StatusNotification", {"connectorId": -1, "status": "Available"}),
        ("StatusNotification", {"connectorId": 10**9, "status": "Available"}),
        ("StartTransaction", {"idTag": "A", "meterStart": 0}),
        ("StartTransaction", {"connectorId": 0, "idTag": "A", "meterStart": 0}),
        ("StopTransaction", {"meterStop": 0}),
        ("MeterValues", {"meterValue": []}),
    ],
    ids=str,
)
def test_a_message_without_what_it_is_about_is_refused(action: str, payload: dict[str, object]) -> None:
    @virtually
    async def story(stage: Stage) -> None:
        point = await stage.booted()
        answer = await point.tell(action, payload)
        assert answer[0] == 4
        assert answer[4] == {}

    story()


@virtually
async def test_every_other_message_of_the_vocabulary_is_answered(stage: Stage) -> None:
    point = await stage.booted()
    assert (await point.tell("DataTransfer", {"vendorId": "x"}))[2] == {"status": "UnknownVendorId"}
    for action in ("FirmwareStatusNotification", "DiagnosticsStatusNotification", "SecurityEventNotification"):
        assert (await point.tell(action, {"status": "Idle"}))[0] == 3
    assert (await point.tell("Dance", {}))[2] == "NotImplemented"


@virtually
async def test_a_measurement_is_as_old_as_its_stamp_says(stage: Stage) -> None:
    point = await stage.booted()
    await point.status(1, "Charging")
    stamp = point.stamp(ago_s=20)
    value = [{"timestamp": stamp, "sampledValue": sampled(L1=9)}]
    await point.tell("MeterValues", {"connectorId": 1, "meterValue": value})
    await stage.settle()
    (measured,) = stage.heard(Measured)
    assert measured.at == pytest.approx(stage.clock.monotonic() - 20, abs=0.1)


@virtually
async def test_a_measurement_of_a_charger_with_a_wrong_clock_is_fresh_once_the_clock_is_known(stage: Stage) -> None:
    point = await stage.booted()
    point.clock_error_s = -7200
    for _ in range(4):
        await asyncio.sleep(10)
        await point.measure(sampled(L1=9))
    await stage.settle()
    assert stage.heard(Measured)[-1].at == pytest.approx(stage.clock.monotonic(), abs=1)


@virtually
async def test_an_older_measurement_does_not_replace_a_newer_one(stage: Stage) -> None:
    point = await stage.booted()
    await point.measure(sampled(L1=9))
    value = [{"timestamp": point.stamp(ago_s=60), "sampledValue": sampled(L1=1)}]
    await point.tell("MeterValues", {"connectorId": 1, "meterValue": value})
    await stage.settle()
    assert [report.amps[0] for report in stage.heard(Measured)] == [9]


@virtually
async def test_energy_is_monotonic_over_transactions_that_count_from_zero(stage: Stage) -> None:
    point = await stage.booted()
    for register in (5000, 0, 20, 40):
        await asyncio.sleep(60)
        await point.measure([*sampled(L1=9), energy(register)])
    await stage.settle()
    assert [report.energy_wh for report in stage.heard(Measured)] == [5000, 5000, 5020, 5040]


@virtually
async def test_commands_are_carried_out_or_refused_in_the_chargers_own_word(stage: Stage) -> None:
    point = await stage.booted(
        Reset=lambda _: {"status": "Accepted"},
        UnlockConnector=lambda _: {"status": "UnlockFailed"},
        ChangeAvailability=lambda _: {"status": "Scheduled"},
        ClearCache=lambda _: "NotSupported",
    )
    conversation = stage.conversation
    await conversation.reset(hard=True)
    await conversation.set_availability(0, operative=False)
    await conversation.start(1, "TAG")
    assert point.calls("Reset") == [{"type": "Hard"}]
    assert point.calls("ChangeAvailability") == [{"connectorId": 0, "type": "Inoperative"}]
    assert point.calls("RemoteStartTransaction") == [{"connectorId": 1, "idTag": "TAG"}]
    for command, word in (
        (conversation.unlock(1), "UnlockFailed"),
        (conversation.operations.clear_cache(), "NotSupported"),
    ):
        with pytest.raises(Refused) as caught:
            await command
        assert caught.value.answer == word
    with pytest.raises(Refused, match="NoTransaction"):
        await conversation.stop(1)


@virtually
async def test_a_key_is_given_once_it_is_set_up_and_confirmed_when_taken(stage: Stage) -> None:
    given: list[str] = []
    stage.conversation.provision_key("0123456789abcdef0123", lambda: given.append("done"))
    point = await stage.booted()
    keys = [p["value"] for p in point.calls("ChangeConfiguration") if p["key"] == "AuthorizationKey"]
    assert (keys, given) == (["0123456789abcdef0123"], ["done"])


@virtually
async def test_a_key_that_counts_after_a_restart_is_not_yet_taken(stage: Stage) -> None:
    given: list[str] = []
    stage.conversation.provision_key("0123456789abcdef0123", lambda: given.append("done"))
    await stage.booted(ChangeConfiguration=lambda _: {"status": "RebootRequired"})
    assert given == []


@virtually
async def test_while_somebody_decides_on_a_start_no_limit_goes_out_for_a_transaction_that_is_not_answered(
    stage: Stage,
) -> None:
    point = await stage.booted()
    await stage.conversation.store_fallback(1, 0.0)
    stage.tags.decides_after_s = 8.0
    starting = asyncio.ensure_future(point.tell("StartTransaction", point.start_payload()))
    await asyncio.sleep(5)
    assert len(stage.journal.stored) == 1  # it is on the disk all the same
    assert stage.heard(TransactionOpened) == []
    await stage.conversation.hold_limit(1, WISH)
    assert point.profiles("TxProfile") == []

    answered = (await starting)[2]
    await stage.settle()
    assert [report.transaction_id for report in stage.heard(TransactionOpened)] == [answered["transactionId"]]
    assert await stage.conversation.hold_limit(1, WISH) is Outcome.ACCEPTED
    assert point.profiles("TxProfile")[-1]["transactionId"] == answered["transactionId"]
