"""What a charge point that speaks OCPP 2.x holds: its profiles, asked for and told in as many messages as it likes.

A charger answers GetChargingProfiles first and tells the profiles afterwards, each message with the number of the
request and a word whether there is more. An answer that never becomes whole says nothing.
"""

from __future__ import annotations

import asyncio
from itertools import count

from ..frames import JsonObject
from ..held import DAY_S, WEEK_S, HeldProfile
from ..profiles import Kind, Purpose
from ..rpc import Ask, CallRefused
from ..schedules import Schedule, read_schedule
from ..times import read_stamp
from .profiles import PURPOSES, TRANSACTION_ID_LENGTH

PATIENCE_S = 30.0
"""Longer than a slow charger was seen to need for a report of another kind; nothing waits for it."""
MAX_PROFILES = 500
MAX_SCHEDULES = 3

_PURPOSES = {
    **{name: purpose for purpose, name in PURPOSES.items()},
    "ChargingStationExternalConstraints": Purpose.EXTERNAL,
    "PriorityCharging": Purpose.PRIORITY,
    "LocalGeneration": Purpose.GENERATION,
}
_RECURRENCE_S = {"Daily": DAY_S, "Weekly": WEEK_S}


class Inventory:
    """Asks one charge point for the profiles that it holds."""

    def __init__(self, ask: Ask) -> None:
        """Begin without a request."""
        self._ask = ask
        self._numbers = count(1)
        self._request: int | None = None
        self._told: list[HeldProfile] = []
        self._unread = False
        """Whether something was told that cannot be read."""
        self._whole = asyncio.Event()

    async def read(self) -> tuple[HeldProfile, ...] | None:
        """Return all profiles that it holds; None: it cannot tell them, or not in a way that can be read.

        Raises:
            CallFailed: it cannot be asked.
        """
        self._request, self._told, self._unread = next(self._numbers), [], False
        self._whole.clear()
        try:
            answer = await self._ask("GetChargingProfiles", get_charging_profiles(self._request))
            if answer.get("status") == "NoProfiles":
                return ()
            if answer.get("status") != "Accepted":
                return None
            async with asyncio.timeout(PATIENCE_S):
                await self._whole.wait()
        except CallRefused, TimeoutError:
            return None
        finally:
            self._request = None
        return None if self._unread else tuple(self._told)

    def reported(self, payload: JsonObject) -> JsonObject:
        """Take profiles that the charger tells; what nobody asked for is answered and not kept."""
        if self._request is not None and payload.get("requestId") == self._request:
            self._take(payload)
        return {}

    def _take(self, payload: JsonObject) -> None:
        entries = payload.get("chargingProfile")
        for entry in entries if isinstance(entries, list) else []:
            profile = read_profile(entry, payload)
            if profile is None or len(self._told) >= MAX_PROFILES:
                self._unread = True
            else:
                self._told.append(profile)
        if payload.get("tbc") is not True:
            self._whole.set()


def get_charging_profiles(request_id: int) -> JsonObject:
    """Ask for all profiles, whoever wrote them."""
    return {"requestId": request_id, "chargingProfile": {}}


def read_profile(entry: object, report: JsonObject) -> HeldProfile | None:
    """Return a profile of a report; None: it cannot be read."""
    if not isinstance(entry, dict):
        return None
    purpose, kind = _PURPOSES.get(str(entry.get("chargingProfilePurpose"))), _kind(entry)
    number, level, connector = _whole(entry.get("id")), _whole(entry.get("stackLevel")), _whole(report.get("evseId"))
    if purpose is None or kind is None or number is None or level is None or connector is None:
        return None
    transaction, source = entry.get("transactionId"), report.get("chargingLimitSource")
    return HeldProfile(
        profile_id=number,
        connector=connector,
        level=level,
        purpose=purpose,
        kind=kind,
        schedules=_schedules(entry.get("chargingSchedule")),
        transaction=transaction[:TRANSACTION_ID_LENGTH] if isinstance(transaction, str) else None,
        valid_from=read_stamp(entry.get("validFrom")),
        valid_to=read_stamp(entry.get("validTo")),
        recurs_s=_RECURRENCE_S.get(str(entry.get("recurrencyKind"))) if kind is Kind.RECURRING else None,
        source=source[:20] if isinstance(source, str) else None,
    )


def _schedules(raw: object) -> tuple[Schedule, ...]:
    """Return the schedules of a profile; none where one of them cannot be read."""
    entries = [raw] if isinstance(raw, dict) else raw if isinstance(raw, list) else []
    read = [schedule for entry in entries[:MAX_SCHEDULES] if (schedule := read_schedule(entry)) is not None]
    return tuple(read) if len(read) == len(entries) else ()


def _kind(entry: JsonObject) -> Kind | None:
    told = entry.get("chargingProfileKind")
    return Kind(told) if isinstance(told, str) and told in set(Kind) else None


def _whole(raw: object) -> int | None:
    """Return a whole number; ids from outside may be negative."""
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not abs(raw) < 2**31 or raw != int(raw):
        return None
    return int(raw)
