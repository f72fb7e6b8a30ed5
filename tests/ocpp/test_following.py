"""Whoever waits for what comes later waits for a bounded time and keeps a bounded amount."""

from typing import Any

import pytest

from custom_components.charge_cluster.ocpp.following import MOST_BYTES, MOST_PARTS, MOST_WAITING, Following, TooManyWait
from tests.virtual_time import VirtualLoop, run_virtually


def part(number: int, *, tbc: bool = True, **more: Any) -> dict[str, Any]:
    return {"requestId": number, "tbc": tbc, **more}


def test_parts_are_told_by_the_number_of_their_request() -> None:
    following = Following()
    with following.awaiting(["NotifyReport"], 1) as mine, following.awaiting(["NotifyReport"], 2) as yours:
        following.take("NotifyReport", part(1))
        following.take("NotifyReport", part(2, tbc=False))
        following.take("NotifyEvent", part(1, tbc=False))

        assert (len(mine.parts), mine.complete) == (1, False)
        assert (len(yours.parts), yours.complete) == (1, True)


def test_what_has_no_number_is_for_everybody_who_waits() -> None:
    following = Following()
    with following.awaiting(["FirmwareStatusNotification"], 7) as awaited:
        following.take("FirmwareStatusNotification", {"status": "Installed"})

        assert awaited.status == "Installed"


def test_nothing_is_kept_for_who_does_not_wait_any_more() -> None:
    following = Following()
    with following.awaiting(["NotifyReport"], 1) as awaited:
        pass
    following.take("NotifyReport", part(1))

    assert awaited.parts == []


def test_a_flood_of_parts_is_cut() -> None:
    following = Following()
    with following.awaiting(["NotifyReport"], 1) as awaited:
        for _ in range(MOST_PARTS + 100):
            following.take("NotifyReport", part(1))

        assert (len(awaited.parts), awaited.complete) == (MOST_PARTS, False)


def test_few_parts_that_are_huge_are_cut_as_well() -> None:
    following = Following()
    huge = part(1, reportData="x" * 200_000)
    with following.awaiting(["NotifyReport"], 1) as awaited:
        for _ in range(100):
            following.take("NotifyReport", huge)

        assert len(awaited.parts) == MOST_BYTES // 200_000


def test_so_many_may_wait_and_no_more() -> None:
    following = Following()
    waiting = [following.awaiting(["NotifyReport"], number) for number in range(MOST_WAITING)]
    for one in waiting:
        one.__enter__()
    with pytest.raises(TooManyWait), following.awaiting(["NotifyReport"], 99):
        pass
    waiting[0].__exit__(None, None, None)
    with following.awaiting(["NotifyReport"], 99):
        pass


@pytest.mark.parametrize(("tbc", "waited_s"), [(False, 0.0), (True, 3.0)])
def test_the_last_part_ends_the_waiting(tbc: bool, waited_s: float) -> None:
    loop = VirtualLoop()

    async def story() -> None:
        following = Following()
        with following.awaiting(["NotifyReport"], 1) as awaited:
            following.take("NotifyReport", part(1, tbc=tbc))
            began = loop.time()
            await awaited.whole(quiet_s=3.0, longest_s=10.0)
            assert loop.time() - began == pytest.approx(waited_s)

    run_virtually(story(), loop)
