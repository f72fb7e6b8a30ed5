"""A conversation and a charge point joined in memory, in virtual time: time-outs pass at once and exactly."""

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from typing import Any, override

import pytest

from custom_components.charge_cluster.ocpp.conversation import Report, Terminals
from custom_components.charge_cluster.ocpp.dialogue import Dialogue
from custom_components.charge_cluster.ocpp.rpc import RpcLink
from custom_components.charge_cluster.ocpp.standing import Services
from custom_components.charge_cluster.ocpp.v2.conversation import Conversation2
from custom_components.charge_cluster.ocpp.v16.conversation import Conversation16
from custom_components.charge_cluster.ocpp.versions import OcppVersion
from tests.virtual_time import VirtualClock, VirtualLoop, run_virtually

from .charge_point import ChargePoint
from .charge_point_2 import ChargePoint2
from .surroundings import MemoryJournal, Tags


class MemoryClient:
    """The charge point's end of a link, in place of a websocket."""

    def __init__(self) -> None:
        self.link: RpcLink | None = None
        self._inbox: asyncio.Queue[Any] = asyncio.Queue()

    async def put(self, frame: bytes) -> None:
        self._inbox.put_nowait(json.loads(frame))

    async def send(self, message: Any) -> None:
        assert self.link is not None
        await self.link.receive(json.dumps(message))

    async def receive(self) -> Any:
        return await self._inbox.get()

    def abort(self) -> None:
        assert self.link is not None
        self.link.close()
        self._inbox.put_nowait(None)


class AnyStage[ConversationT: Dialogue, PointT: ChargePoint](ABC):
    """What a story plays on, in whichever version."""

    version = OcppVersion.V16

    def __init__(self, loop: VirtualLoop) -> None:
        self.clock = VirtualClock(loop)
        self.journal = MemoryJournal()
        self.tags = Tags()
        self.services = Services(journal=self.journal, authoriser=self.tags, clock=self.clock)
        self.conversation = self.begin()
        self.reports: list[Report] = []
        self.end_listening = self.conversation.listen(self.reports.append)
        self.reports.clear()
        self.points: list[PointT] = []
        self._ticking = asyncio.ensure_future(self._tick())

    @abstractmethod
    def begin(self) -> ConversationT:
        """Begin the conversation with the charge point."""

    @abstractmethod
    def point(self, client: MemoryClient) -> PointT:
        """Return a charge point at its end of a connection."""

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(1)
            self.conversation.tick()

    def restart(self) -> None:
        """Begin anew as after a restart of ours: the journal is all that is left."""
        for point in self.points:
            point.client.abort()
        self.conversation = self.begin()
        self.conversation.listen(self.reports.append)
        self.reports.clear()

    async def connect(self, **answers: Callable[[Any], Any]) -> PointT:
        client = MemoryClient()
        client.link = RpcLink(client.put, {}, monotonic=self.clock.monotonic, version=self.version)
        point = self.point(client)
        point.answers.update(answers)
        self.points.append(point)
        self.conversation.attach(client.link)
        return point

    async def booted(self, **answers: Callable[[Any], Any]) -> PointT:
        """Connect a charge point that boots, and wait until it is set up."""
        point = await self.connect(**answers)
        await point.boot()
        await self.settle()
        return point

    async def hang_up(self, point: PointT) -> None:
        link = point.client.link
        point.client.abort()
        self.conversation.detach(link)
        await self.settle()

    async def settle(self) -> None:
        """Let everything happen that needs no time."""
        for _ in range(200):
            await asyncio.sleep(0)

    def is_online(self) -> bool:
        return self.conversation.online

    def heard[R](self, kind: type[R]) -> list[R]:
        return [report for report in self.reports if isinstance(report, kind)]

    async def close(self) -> None:
        self._ticking.cancel()
        for point in self.points:
            await point.close()
        await self.conversation.close()


class Stage(AnyStage[Conversation16, ChargePoint]):
    """What a story in OCPP 1.6 plays on."""

    @override
    def begin(self) -> Conversation16:
        conversation = Conversation16("CP1", self.services)
        conversation.describe(Terminals(connector=1))
        return conversation

    @override
    def point(self, client: MemoryClient) -> ChargePoint:
        return ChargePoint(client, wall=self.clock.time)


class Stage2(AnyStage[Conversation2, ChargePoint2]):
    """What a story in OCPP 2.0.1 plays on."""

    version = OcppVersion.V201

    @override
    def begin(self) -> Conversation2:
        conversation = Conversation2("CP1", self.services, self.version)
        conversation.describe(Terminals(connector=1))
        return conversation

    @override
    def point(self, client: MemoryClient) -> ChargePoint2:
        return ChargePoint2(client, wall=self.clock.time, version=self.version)


class Stage21(Stage2):
    """What a story in OCPP 2.1 plays on."""

    version = OcppVersion.V21


async def _play[StageT: AnyStage[Any, Any]](
    story: Callable[[StageT], Coroutine[Any, Any, None]], stage: StageT
) -> None:
    try:
        await story(stage)
    finally:
        await stage.close()


def virtually(story: Callable[[Stage], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Make a test of a story on a stage."""

    def test() -> None:
        loop = VirtualLoop()

        async def play() -> None:
            await _play(story, Stage(loop))

        run_virtually(play(), loop)

    test.__name__ = story.__name__
    test.__doc__ = story.__doc__
    test.__module__ = story.__module__
    return test


def virtually_2(story: Callable[[Stage2], Coroutine[Any, Any, None]]) -> Callable[[type[Stage2]], None]:
    """Make a test of a story on a stage, once in OCPP 2.0.1 and once in 2.1."""

    @pytest.mark.parametrize("kind", [Stage2, Stage21], ids=["2.0.1", "2.1"])
    def test(kind: type[Stage2]) -> None:
        loop = VirtualLoop()

        async def play() -> None:
            await _play(story, kind(loop))

        run_virtually(play(), loop)

    test.__name__ = story.__name__
    test.__doc__ = story.__doc__
    test.__module__ = story.__module__
    return test
