"""Charge points that do everything right, beside others that do not; they must not notice."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from custom_components.charge_cluster.ocpp.conversation import LimitWish, Outcome, Terminals
from custom_components.charge_cluster.ocpp.listener import CentralSystem
from tests.ocpp.charge_point import ChargePoint, limits_of, sampled
from tests.ocpp.raw_client import RawClient

TELLS_EVERY_S = 0.05
PROMPT_S = 3.0
"""An answer or a limit that takes longer has been held up, also on a machine with much else to do."""
LIMITS_A = (16.0, 8.0)


class Disturbed(AssertionError):
    """A well-behaved charge point noticed what others did."""


class Bystander:
    """One charge point with a vehicle that charges, measured all the time, and limited anew all the time."""

    def __init__(self, point: ChargePoint, central: CentralSystem, identity: str) -> None:
        """Take a seat."""
        self.point = point
        self.identity = identity
        self.answers = 0
        self.limits = 0
        self.slowest_s = 0.0
        self._conversation = central.conversation(identity)
        self._conversation.describe(Terminals(connector=1))

    async def settle_in(self) -> int:
        """Boot, and begin to charge."""
        await self.point.boot()
        await self.point.status(1, "Charging")
        return await self.point.start()

    async def live(self, transaction_id: int) -> None:
        """Measure and be limited until cancelled."""
        while True:
            for limit_a in LIMITS_A:
                begun = time.monotonic()
                answer = await self.point.measure(sampled(L1=limit_a), 1, transaction_id)
                self._took("an answer", time.monotonic() - begun)
                if answer[0] != 3:
                    raise Disturbed(f"{self.identity} was refused: {answer[2]}")
                self.answers += 1
                await self._limit(limit_a)
                await asyncio.sleep(TELLS_EVERY_S)

    async def _limit(self, limit_a: float) -> None:
        begun = time.monotonic()
        outcome = await self._conversation.hold_limit(1, LimitWish(amps=limit_a, fallback_a=6.0, validity_s=30.0))
        self._took("a limit", time.monotonic() - begun)
        if outcome is not Outcome.ACCEPTED:
            raise Disturbed(f"{self.identity} lost a limit: {outcome}")
        held_a = limits_of(self.point.profiles("TxProfile")[-1])[0][1]
        if held_a != limit_a:
            raise Disturbed(f"{self.identity} holds {held_a} A instead of {limit_a} A")
        del self.point.asked[:-2]
        self.limits += 1

    def _took(self, what: str, seconds: float) -> None:
        self.slowest_s = max(self.slowest_s, seconds)
        if seconds > PROMPT_S:
            raise Disturbed(f"{self.identity} waited {seconds:.1f} s for {what}")
        if self.point.ended.is_set():
            raise Disturbed(f"{self.identity} was hung up on")


@asynccontextmanager
async def watching(
    central: CentralSystem, identities: Sequence[str], *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Sequence[Bystander]]:
    """Have bystanders live meanwhile; what disturbed one is raised at the end. All but the first come through TLS."""
    bystanders: list[Bystander] = []
    lives = []
    try:
        for identity in identities:
            client = await RawClient.dial(central.port, f"/ocpp/{identity}", tls=tls if bystanders else None)
            bystander = Bystander(ChargePoint(client), central, identity)
            bystanders.append(bystander)
            lives.append(asyncio.create_task(bystander.live(await bystander.settle_in())))
        yield bystanders
    finally:
        for life in lives:
            life.cancel()
        outcomes = await asyncio.gather(*lives, return_exceptions=True)
        for bystander in bystanders:
            await bystander.point.close()
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            raise outcome
