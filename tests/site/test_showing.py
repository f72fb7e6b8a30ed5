"""What a pass has moved is shown a few connectors at a time, each as it is then, and nothing after the end."""

import asyncio
from types import SimpleNamespace
from typing import Any

from custom_components.charge_cluster.site.showing import SHOWN_AT_A_TIME, Showing


def connectors(count: int) -> list[Any]:
    return [SimpleNamespace(key=f"P{number}", leaving=False) for number in range(count)]


async def test_a_few_are_shown_at_once_and_the_others_in_their_turns() -> None:
    shown: list[str] = []
    showing = Showing(lambda state: shown.append(state.key))
    showing.show(connectors(SHOWN_AT_A_TIME))
    assert len(shown) == SHOWN_AT_A_TIME
    shown.clear()
    showing.show(connectors(3 * SHOWN_AT_A_TIME + 1))
    for turn in (1, 2, 3):
        assert len(shown) == turn * SHOWN_AT_A_TIME
        await asyncio.sleep(0)
    assert shown == [f"P{number}" for number in range(3 * SHOWN_AT_A_TIME + 1)]


async def test_who_is_moved_again_is_shown_once_and_who_left_meanwhile_is_not() -> None:
    shown: list[str] = []
    showing = Showing(lambda state: shown.append(state.key))
    fleet = connectors(2 * SHOWN_AT_A_TIME)
    showing.show(fleet)
    fleet[-1].leaving = True
    showing.show([fleet[-2]])
    await asyncio.sleep(0)
    assert sorted(shown) == sorted(state.key for state in fleet[:-1])


async def test_nothing_is_shown_after_the_end() -> None:
    shown: list[str] = []
    showing = Showing(lambda state: shown.append(state.key))
    showing.show(connectors(2 * SHOWN_AT_A_TIME))
    showing.close()
    await asyncio.sleep(0)
    assert len(shown) == SHOWN_AT_A_TIME
