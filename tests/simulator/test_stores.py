"""What a charge point keeps: whatever waits is said once in any order, and lists follow their changes."""

from hypothesis import given, strategies as st

from simulator.charge_point.local_list import LocalList
from simulator.charge_point.misbehaviour import Backlog
from simulator.charge_point.outbox import STORED_MESSAGES, Message, Outbox

ORDERS = st.one_of(st.none(), st.sampled_from(list(Backlog)))


def a_message(action: str, *, of_transaction: bool = True, minor: bool = False) -> Message:
    return Message(action=action, payload=dict, of_transaction=of_transaction, minor=minor)


@given(before=st.integers(0, 30), after=st.integers(0, 30), fresh=st.integers(0, 5), order=ORDERS)
def test_whatever_the_order_each_message_comes_once(before: int, after: int, fresh: int, order: Backlog | None) -> None:
    outbox = Outbox()
    for number in range(before):
        outbox.put(a_message(f"old {number}"))
    outbox.connection_made()
    for number in range(after):
        outbox.put(a_message(f"new {number}"))
    for number in range(fresh):
        outbox.put(a_message(f"fresh {number}", of_transaction=False))
    said = []
    while (message := outbox.next(0.0, registered=True, backlog=order)) is not None:
        said.append(message.action)
        message.in_flight = True
        outbox.remove(message)
    assert sorted(said) == sorted(
        [
            *(f"old {n}" for n in range(before)),
            *(f"new {n}" for n in range(after)),
            *(f"fresh {n}" for n in range(fresh)),
        ]
    )
    if order is None:
        assert said == [
            *(f"old {n}" for n in range(before)),
            *(f"new {n}" for n in range(after)),
            *(f"fresh {n}" for n in range(fresh)),
        ]


def test_where_there_is_no_room_measured_values_are_given_up_and_nothing_else() -> None:
    outbox = Outbox()
    outbox.put(a_message("Started"))
    for number in range(STORED_MESSAGES):
        outbox.put(a_message(f"value {number}", minor=True))
    outbox.put(a_message("Ended"))
    said = []
    while (message := outbox.next(0.0, registered=True)) is not None:
        said.append(message.action)
        message.in_flight = True
    assert len(said) == STORED_MESSAGES
    assert (said[0], said[1], said[-1]) == ("Started", "value 2", "Ended")


@given(
    changes=st.lists(
        st.dictionaries(st.sampled_from("ABCDE"), st.one_of(st.none(), st.sampled_from(["Accepted", "Blocked"]))),
        max_size=8,
    )
)
def test_a_list_is_what_its_changes_make_of_it(changes: list[dict[str, str | None]]) -> None:
    held = LocalList()
    expected: dict[str, str] = {}
    for version, change in enumerate(changes, start=1):
        assert held.update(version, change) == "Accepted"
        assert held.update(version, change) == "VersionMismatch"
        merged = {**expected, **change}
        expected = {tag: status for tag, status in merged.items() if status is not None}
    assert {tag: held.status_of(tag) for tag in "ABCDE"} == {tag: expected.get(tag) for tag in "ABCDE"}
    assert (held.version, len(held)) == (len(changes), len(expected))
