"""Promises about transaction events in OCPP 2.x: the record is the same in whatever order they come, and how often."""

from typing import Any

from hypothesis import given, settings, strategies as st

from custom_components.charge_cluster.ocpp.conversation import TransactionClosed, TransactionOpened
from tests.virtual_time import VirtualLoop, run_virtually

from .charge_point_2 import CHARGING, CONNECTED, PAUSED, energy_2
from .stage import Stage2

APART_S = 3600.0
"""Between the starts of two transactions."""


@st.composite
def histories(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Return the events of some transactions, one after the other at an EVSE, as their charger stored them."""
    count = draw(st.integers(1, 3))
    events: list[dict[str, Any]] = []
    for number in range(count):
        began_ago_s, register = (count - number) * APART_S + 600.0, 1000 + number * 5000
        tag = draw(st.booleans())
        start: dict[str, Any] = {"kind": "Started", "evse": 1, "state": CONNECTED, "values": [energy_2(register)]}
        events.append({**start, "own_id": f"tx-{number}", "ago_s": began_ago_s, **({"tag": "TAG"} if tag else {})})
        for step in range(1, draw(st.integers(1, 3))):
            state = draw(st.sampled_from([CHARGING, PAUSED, None]))
            values = [energy_2(register + step * 100)]
            events.append(
                {
                    "kind": "Updated",
                    "own_id": f"tx-{number}",
                    "state": state,
                    "values": values,
                    "ago_s": began_ago_s - step * 60,
                }
            )
        events.append(
            {
                "kind": "Ended",
                "own_id": f"tx-{number}",
                "values": [energy_2(register + 1000)],
                "ago_s": began_ago_s - 1800,
            }
        )
    return events


@settings(deadline=None, max_examples=60)
@given(histories(), st.data())
def test_the_record_is_the_same_whatever_the_order(history: list[dict[str, Any]], data: st.DataObject) -> None:
    order = data.draw(st.permutations(history))
    again = data.draw(st.lists(st.sampled_from(history), max_size=4))
    restarts = data.draw(st.sets(st.integers(0, len(order)), max_size=2))
    offline = data.draw(st.booleans())
    loop = VirtualLoop()

    async def story() -> None:
        stage = Stage2(loop)
        try:
            point = await stage.booted()
            for position, event in enumerate([*order, *again]):
                if position in restarts:
                    stage.restart()
                    point = await stage.booted()
                answer = await point.event(**event, offline=offline)
                assert answer[0] == 3
            await stage.settle()
            judge(stage, history)
        finally:
            await stage.close()

    run_virtually(story(), loop)


def judge(stage: Stage2, history: list[dict[str, Any]]) -> None:
    """See that each transaction is recorded once, as it was, and that none runs."""
    recorded = {stored.charger_id: stored for stored in stage.journal.stored.values()}
    assert len(recorded) == len(stage.journal.stored)
    for event in history:
        stored = recorded[event["own_id"]]
        register = event["values"][0]["value"]
        if event["kind"] == "Started":
            assert (stored.connector, stored.meter_start_wh, stored.id_tag) == (1, register, event.get("tag"))
        if event["kind"] == "Ended":
            assert stored.meter_stop_wh == register
    assert stage.conversation.running_transaction(1) is None
    assert stage.conversation.own_id_at(1) is None
    opened = {report.transaction_id for report in stage.heard(TransactionOpened)}
    closed = {report.transaction_id for report in stage.heard(TransactionClosed)}
    assert opened <= closed


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.fixed_dictionaries(
            {"kind": st.sampled_from(["Started", "Updated", "Ended"]), "own_id": st.sampled_from(["a", "b", "c"])},
            optional={
                "evse": st.sampled_from([1, 2]),
                "tag": st.sampled_from(["T", "U"]),
                "state": st.sampled_from([CHARGING, CONNECTED, PAUSED, "Idle", "Odd"]),
                "ago_s": st.sampled_from([0.0, 5.0, 4000.0]),
                "values": st.just([energy_2(500)]),
                "offline": st.booleans(),
            },
        ),
        max_size=12,
    ),
    st.booleans(),
)
def test_nonsense_is_answered_and_leaves_one_transaction_at_most_at_an_evse(
    events: list[dict[str, Any]], broken: bool
) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        stage = Stage2(loop)
        try:
            point = await stage.booted()
            for number, event in enumerate(events):
                stage.journal.broken = broken and number % 3 == 1
                answer = await point.event(**event)
                assert answer[0] == 3 or answer[2] == "InternalError"
            stage.journal.broken = False
            for evse in (1, 2):
                own_id = stage.conversation.own_id_at(evse)
                assert own_id in {None, "a", "b", "c"}
            for report in stage.reports:
                assert getattr(report, "connector", 1) in {0, 1, 2}
            assert (await point.tell("Heartbeat", {}))[0] == 3
        finally:
            await stage.close()

    run_virtually(story(), loop)
