"""What comes after the answer: reports in parts, and word of how far something is.

A charge point answers an operation at once and sends the rest as calls of its own, under the number of the request
where the version has one. Whoever waits says which messages it waits for before it asks, for the first part may come
before the answer. All waiting is bounded, in time and in what is kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from contextlib import contextmanager

import orjson

from .frames import JsonObject

MOST_PARTS = 1000
"""Of one report; a device model of a large station comes in some hundreds."""
MOST_BYTES = 4 * 1024 * 1024
"""Of one report, however few its parts are."""
MOST_WAITING = 8
"""That wait for something of one charge point at the same time."""
QUIET_S = 15.0
"""A report of which no part has come for so long is not coming any more."""
REPORT_S = 120.0
"""No report is waited for longer than this."""


class TooManyWait(Exception):
    """So many wait for this charge point already that no more are let in."""


class Awaited:
    """What came for one who waits."""

    def __init__(self, messages: Collection[str], request_id: int | None) -> None:
        """Wait for messages of these names; without a request id for all of them."""
        self._messages = frozenset(messages)
        self._request_id = request_id
        self._news = asyncio.Event()
        self._bytes_left = MOST_BYTES
        self.parts: list[JsonObject] = []
        self.complete = False
        """Whether a part said that it is the last."""

    def take(self, message: str, payload: JsonObject) -> None:
        """Take over a message if it is one of those that are waited for."""
        if message not in self._messages or len(self.parts) >= MOST_PARTS:
            return
        told = payload.get("requestId")
        if self._request_id is not None and told is not None and told != self._request_id:
            return
        self._bytes_left -= len(orjson.dumps(payload))
        if self._bytes_left < 0:
            return
        self.parts.append(payload)
        self.complete = payload.get("tbc") is not True
        self._news.set()

    async def whole(self, quiet_s: float = QUIET_S, longest_s: float = REPORT_S) -> None:
        """Return when the last part has come, or when none is to be expected any more."""
        try:
            async with asyncio.timeout(longest_s):
                while not self.complete and len(self.parts) < MOST_PARTS:
                    self._news.clear()
                    async with asyncio.timeout(quiet_s):
                        await self._news.wait()
        except TimeoutError:
            return

    async def until(self, last_words: Collection[str], longest_s: float) -> None:
        """Return when a status is one of the last words, or when the time is over."""
        try:
            async with asyncio.timeout(longest_s):
                while self.status not in last_words:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return

    @property
    def status(self) -> str | None:
        """Return the last status that was told."""
        told = [part["status"] for part in self.parts if isinstance(part.get("status"), str)]
        return told[-1] if told else None


class Following:
    """Who waits for what of one charge point."""

    def __init__(self) -> None:
        """Begin with nobody waiting."""
        self._awaited: list[Awaited] = []

    @contextmanager
    def awaiting(self, messages: Collection[str], request_id: int | None = None) -> Iterator[Awaited]:
        """Collect messages as long as this is held. Raises TooManyWait."""
        if len(self._awaited) >= MOST_WAITING:
            raise TooManyWait
        awaited = Awaited(messages, request_id)
        self._awaited.append(awaited)
        try:
            yield awaited
        finally:
            self._awaited.remove(awaited)

    def take(self, message: str, payload: JsonObject) -> None:
        """Hand a message to those who wait for it."""
        for awaited in self._awaited:
            awaited.take(message, payload)
