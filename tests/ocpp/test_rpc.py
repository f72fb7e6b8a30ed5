"""Calls and answers over one link, in virtual time."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import pytest

from custom_components.charge_cluster.ocpp.frames import ErrorCode, JsonObject
from custom_components.charge_cluster.ocpp.pacing import Allowance
from custom_components.charge_cluster.ocpp.rpc import (
    MAX_QUEUED,
    MAX_UNANSWERED,
    Action,
    CallFault,
    CallNotSent,
    CallRefused,
    CallTimedOut,
    LinkClosed,
    Priority,
    QueueFull,
    RpcLink,
    Superseded,
)
from tests.virtual_time import VirtualLoop, run_virtually


class Peer:
    """The other end: what was put on the wire, and a way to answer."""

    def __init__(self, loop: VirtualLoop, actions: Mapping[str, Action] | None = None, **more: Any) -> None:
        self.loop = loop
        self.frames: list[Any] = []
        self.broken = False
        self.link = RpcLink(self._put, actions or {}, monotonic=loop.time, **more)

    async def _put(self, frame: bytes) -> None:
        if self.broken:
            raise ConnectionResetError
        self.frames.append(json.loads(frame))

    async def says(self, *parts: Any) -> None:
        await self.link.receive(json.dumps(list(parts)))

    async def answers(self, payload: JsonObject, frame: int = -1) -> None:
        await self.says(3, self.frames[frame][1], payload)

    def ask(self, action: str = "Reset", payload: Any = None, **how: Any) -> asyncio.Task[JsonObject]:
        return self.loop.create_task(self.link.call(action, payload or {}, **how))

    @property
    def asked(self) -> list[str]:
        return [frame[2] for frame in self.frames if frame[0] == 2]


def virtually(story: Callable[[VirtualLoop], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def test() -> None:
        loop = VirtualLoop()

        async def play() -> None:
            try:
                await story(loop)
            finally:
                left = asyncio.all_tasks() - {asyncio.current_task()}
                for task in left:
                    task.cancel()
                await asyncio.gather(*left, return_exceptions=True)

        run_virtually(play(), loop)

    test.__name__ = story.__name__
    return test


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def told(action: Callable[[JsonObject], Any], *, once: bool = False) -> dict[str, Action]:
    return {"Tell": Action(action, once)}


@virtually
async def test_a_call_is_answered_with_its_own_id(loop: VirtualLoop) -> None:
    peer = Peer(loop, told(lambda payload: {"got": payload["x"]}))
    await peer.says(2, 17, "Tell", {"x": 1})
    assert peer.frames == [[3, 17, {"got": 1}]]


@virtually
async def test_an_unknown_action_is_not_implemented(loop: VirtualLoop) -> None:
    peer = Peer(loop)
    await peer.says(2, "a", "Dance", {})
    assert peer.frames == [[4, "a", "NotImplemented", "unknown action", {}]]


@virtually
async def test_a_broken_call_is_answered_and_the_next_one_too(loop: VirtualLoop) -> None:
    peer = Peer(loop, told(lambda _: {}))
    await peer.says(2, "a", "Tell")
    await peer.link.receive("garbage")
    await peer.says(2, "b", "Tell", {})
    assert [frame[:3] for frame in peer.frames] == [[4, "a", "FormationViolation"], [3, "b", {}]]
    assert peer.link.statistics.malformed == 2


@virtually
async def test_a_fault_becomes_a_refusal(loop: VirtualLoop) -> None:
    def refuse(_: JsonObject) -> JsonObject:
        raise CallFault(ErrorCode.OCCURRENCE_CONSTRAINT_VIOLATION, "x is missing")

    peer = Peer(loop, told(refuse))
    await peer.says(2, "a", "Tell", {})
    assert peer.frames == [[4, "a", "OccurenceConstraintViolation", "x is missing", {}]]


@virtually
async def test_an_answer_that_waits_holds_up_no_other(loop: VirtualLoop) -> None:
    disk = asyncio.Event()

    async def slow(_: JsonObject) -> JsonObject:
        await disk.wait()
        return {"stored": True}

    peer = Peer(loop, {"Store": Action(slow), "Tell": Action(lambda _: {})})
    await peer.says(2, "a", "Store", {})
    await peer.says(2, "b", "Tell", {})
    limit = peer.ask("Limit", priority=Priority.LIMIT)
    await settle()
    assert [frame[1] for frame in peer.frames[:1]] == ["b"]
    await peer.answers({"status": "Accepted"})
    assert await limit == {"status": "Accepted"}
    disk.set()
    await settle()
    assert peer.frames[-1] == [3, "a", {"stored": True}]


@virtually
async def test_only_so_many_calls_are_in_work(loop: VirtualLoop) -> None:
    async def never(_: JsonObject) -> JsonObject:
        await asyncio.Event().wait()
        return {}

    peer = Peer(loop, told(never))
    for number in range(MAX_UNANSWERED + 1):
        await peer.says(2, str(number), "Tell", {})
    await settle()
    assert [frame[1:3] for frame in peer.frames] == [[str(MAX_UNANSWERED), "InternalError"]]


@virtually
async def test_the_same_call_twice_is_carried_out_once(loop: VirtualLoop) -> None:
    count = 0

    def number(_: JsonObject) -> JsonObject:
        nonlocal count
        count += 1
        return {"number": count}

    peer = Peer(loop, told(number, once=True))
    await peer.says(2, "a", "Tell", {"x": 1})
    await peer.says(2, "a", "Tell", {"x": 1})
    assert peer.frames == [[3, "a", {"number": 1}]] * 2


@virtually
async def test_the_same_id_with_other_content_is_another_call(loop: VirtualLoop) -> None:
    seen: list[int] = []

    def note(payload: JsonObject) -> JsonObject:
        seen.append(payload["x"])
        return {}

    peer = Peer(loop, told(note, once=True))
    await peer.says(2, "a", "Tell", {"x": 1})
    await peer.says(2, "a", "Tell", {"x": 2})
    assert seen == [1, 2]


@virtually
async def test_a_call_that_comes_again_while_in_work_is_answered_once(loop: VirtualLoop) -> None:
    disk = asyncio.Event()
    begun = 0

    async def slow(_: JsonObject) -> JsonObject:
        nonlocal begun
        begun += 1
        await disk.wait()
        return {}

    peer = Peer(loop, told(slow, once=True))
    await peer.says(2, "a", "Tell", {})
    await peer.says(2, "a", "Tell", {})
    disk.set()
    await settle()
    assert (begun, peer.frames) == (1, [[3, "a", {}]])


@virtually
async def test_a_failed_call_may_be_tried_again(loop: VirtualLoop) -> None:
    outcomes: list[Any] = [CallFault(ErrorCode.INTERNAL_ERROR, "later"), {}]

    async def flaky(_: JsonObject) -> JsonObject:
        outcome = outcomes.pop(0)
        if isinstance(outcome, CallFault):
            raise outcome
        return {"done": True}

    peer = Peer(loop, told(flaky, once=True))
    for _ in range(2):
        await peer.says(2, "a", "Tell", {})
        await settle()
    assert [frame[2] for frame in peer.frames] == ["InternalError", {"done": True}]


@virtually
async def test_one_call_at_a_time_is_on_the_wire(loop: VirtualLoop) -> None:
    peer = Peer(loop)
    first, second = peer.ask("First"), peer.ask("Second")
    await settle()
    assert peer.asked == ["First"]
    await peer.answers({"n": 1})
    assert await first == {"n": 1}
    await settle()
    assert peer.asked == ["First", "Second"]
    await peer.answers({"n": 2})
    assert await second == {"n": 2}


@virtually
async def test_limits_go_before_everything(loop: VirtualLoop) -> None:
    peer = Peer(loop)
    on_wire = peer.ask("OnWire")
    await settle()
    tasks = [
        on_wire,
        peer.ask("Routine", priority=Priority.ROUTINE),
        peer.ask("Command"),
        peer.ask("Limit", priority=Priority.LIMIT),
    ]
    for _ in tasks:
        await settle()
        await peer.answers({})
    await asyncio.gather(*tasks)
    assert peer.asked == ["OnWire", "Limit", "Command", "Routine"]


@virtually
async def test_a_newer_limit_replaces_one_that_waits(loop: VirtualLoop) -> None:
    peer = Peer(loop)
    blocking = peer.ask("OnWire")
    await settle()
    old = peer.ask("Limit", {"amps": 16}, priority=Priority.LIMIT, replaces="1")
    other = peer.ask("Limit", {"amps": 10}, priority=Priority.LIMIT, replaces="2")
    await settle()
    new = peer.ask("Limit", {"amps": 6}, priority=Priority.LIMIT, replaces="1")
    await settle()
    with pytest.raises(Superseded):
        await old
    for _ in range(3):
        await peer.answers({})
        await settle()
    await asyncio.gather(blocking, other, new)
    assert [frame[3] for frame in peer.frames] == [{}, {"amps": 10}, {"amps": 6}]


@virtually
async def test_a_payload_is_composed_when_it_is_sent(loop: VirtualLoop) -> None:
    peer = Peer(loop)
    blocking = peer.ask("OnWire")
    await settle()
    late = peer.ask("Late", lambda: {"at": loop.time()})
    await asyncio.sleep(3)
    await peer.answers({})
    await settle()
    assert peer.frames[-1][3] == {"at": 1003.0}
    await peer.answers({})
    await asyncio.gather(blocking, late)


@virtually
async def test_a_call_without_an_answer_ends_after_five_seconds(loop: VirtualLoop) -> None:
    peer = Peer(loop)
    begun = loop.time()
    with pytest.raises(CallTimedOut):
        await peer.link.call("Reset", {})
    assert loop.time() - begun == pytest.approx(5, abs=0.1)
    assert peer.link.responsive


@virtually
async def test_a_limit_without_an_answer_makes_the_charger_unresponsive_until_it_answers(loop: VirtualLoop) -> None:
    changes: list[bool] = []
    late: list[JsonObject | None] = []
    peer = Peer(loop)
    peer.link.responsive_changed = lambda: changes.append(peer.link.responsive)
    begun = loop.time()
    with pytest.raises(CallTimedOut):
        await peer.link.call("Limit", {}, priority=Priority.LIMIT, late=late.append)
    assert loop.time() - begun == pytest.approx(10, abs=0.1)
    assert changes == [False]
    await peer.answers({"status": "Accepted"})
    assert changes == [False, True]
    assert late == [{"status": "Accepted"}]


@virtually
async def test_a_late_refusal_is_told_too(loop: VirtualLoop) -> None:
    late: list[JsonObject | None] = []
    peer = Peer(loop)
    with pytest.raises(CallTimedOut):
        await peer.link.call("Limit", {}, late=late.append)
    await peer.says(4, peer.frames[0][1], "NotSupported", "", {})
    assert late == [None]


@virtually
async def test_a_refusal_is_raised_with_its_code(loop: VirtualLoop) -> None:
    peer = Peer(loop)
    task = peer.ask()
    await settle()
    await peer.says(4, peer.frames[0][1], "VendorTrouble", "why", {})
    with pytest.raises(CallRefused) as caught:
        await task
    assert caught.value.code == "VendorTrouble"


@virtually
async def test_answers_that_nobody_waits_for_change_nothing(loop: VirtualLoop) -> None:
    peer = Peer(loop)
    task = peer.ask()
    await settle()
    for number in range(50):
        await peer.says(3, f"x{number}", {})
    assert not task.done()
    assert peer.link.statistics.unexpected == 50
    await peer.answers({"status": "Accepted"})
    assert await task == {"status": "Accepted"}


@virtually
async def test_everything_that_waits_fails_when_the_link_ends(loop: VirtualLoop) -> None:
    peer = Peer(loop)
    on_wire, queued = peer.ask("A"), peer.ask("B")
    await settle()
    begun = loop.time()
    peer.link.close()
    with pytest.raises(LinkClosed):
        await on_wire
    with pytest.raises(CallNotSent):
        await queued
    with pytest.raises(CallNotSent):
        await peer.link.call("C", {})
    assert loop.time() == begun


@virtually
async def test_a_broken_wire_ends_the_link(loop: VirtualLoop) -> None:
    peer = Peer(loop)
    peer.broken = True
    with pytest.raises(LinkClosed):
        await peer.link.call("A", {})
    assert peer.link.closed


@virtually
async def test_the_queue_is_bounded_and_a_limit_always_gets_in(loop: VirtualLoop) -> None:
    peer = Peer(loop)
    on_wire = peer.ask("OnWire")
    await settle()
    tasks = [peer.ask(f"Command{number}") for number in range(MAX_QUEUED)]
    await settle()
    with pytest.raises(QueueFull):
        await peer.link.call("OneTooMany", {})
    limit = peer.ask("Limit", priority=Priority.LIMIT)
    await settle()
    with pytest.raises(QueueFull):
        await tasks[-1]
    await peer.answers({})
    await settle()
    assert peer.asked[-1] == "Limit"
    peer.link.close()
    await asyncio.gather(on_wire, *tasks, limit, return_exceptions=True)


@virtually
async def test_a_call_that_cannot_be_sent_for_long_is_given_up(loop: VirtualLoop) -> None:
    peer = Peer(loop)
    blockers = [peer.ask(f"Limit{number}", priority=Priority.LIMIT) for number in range(5)]
    command = peer.ask("Command")
    results = await asyncio.gather(*blockers, command, return_exceptions=True)
    assert isinstance(results[-1], CallNotSent)
    assert "Command" not in peer.asked


@virtually
async def test_a_caller_that_goes_away_leaves_the_order_of_the_wire(loop: VirtualLoop) -> None:
    peer = Peer(loop)
    first, second = peer.ask("First"), peer.ask("Second")
    await settle()
    first.cancel()
    await settle()
    assert peer.asked == ["First"]
    await peer.answers({})
    await settle()
    await peer.answers({"n": 2})
    assert await second == {"n": 2}


@virtually
async def test_a_flood_is_read_slowly_and_loses_nothing(loop: VirtualLoop) -> None:
    count = 0

    def note(_: JsonObject) -> JsonObject:
        nonlocal count
        count += 1
        return {}

    peer = Peer(loop, told(note), allowance=Allowance(rate_per_s=10, burst=10))
    begun = loop.time()
    for number in range(60):
        await peer.says(2, str(number), "Tell", {})
    assert count == 60
    assert loop.time() - begun == pytest.approx(5, abs=0.2)


@virtually
async def test_garbage_costs_more_than_messages(loop: VirtualLoop) -> None:
    peer = Peer(loop, allowance=Allowance(rate_per_s=10, burst=10))
    begun = loop.time()
    for _ in range(12):
        await peer.link.receive("garbage")
    assert loop.time() - begun > 10


@virtually
async def test_a_peer_can_provoke_only_a_few_lines_in_the_log(loop: VirtualLoop) -> None:
    lines: list[str] = []
    peer = Peer(loop, allowance=Allowance(rate_per_s=1e9, burst=1e9))
    peer.link._log._logger = type("Ear", (), {"warning": lambda _, text, *v: lines.append(text % v)})()
    for _ in range(1000):
        await peer.link.receive('[2,"1",{"idTag":"SECRET"},{}]')
    assert len(lines) == 5
    assert "SECRET" not in "".join(lines)
