"""Charging profiles and schedules in the words of OCPP 2.0.1 and 2.1."""

import math
from collections import defaultdict
from typing import TYPE_CHECKING

from ...clock import utc_text
from ...profile_store import WHOLE_STATION, Installed
from ...profiles import WORDS_2, ImpossibleProfile, Kind, Profile, Purpose, RateUnit, composite, profile_of
from ..arguments import group, group_or_none, items, whole, whole_or_none
from ..link import CallFault, Payload, Reply
from ..misbehaviour import Refusal
from .replies import refusal, status_info, status_reply

if TYPE_CHECKING:
    from ..station import ChargePoint
    from .voice import Voice2

OWN_SOURCE = "CSO"
"""Who set the profiles that the central system sent."""

PURPOSES = {purpose: name for name, purpose in WORDS_2.purposes.items()}

UNSUPPORTED = frozenset({"ChargingStationExternalConstraints", "LocalGeneration", "PriorityCharging"})
"""Purposes that a central system may not set, or that this charge point has no use for."""


def profile_of_2(station: ChargePoint, payload: Payload) -> Profile:
    """Return the profile that a payload states.

    Raises:
        CallFault: it states none.
    """
    try:
        return profile_of(payload, installed_at=station.utc(), words=WORDS_2)
    except ImpossibleProfile as impossible:
        raise CallFault(impossible.code, str(impossible)) from None


def set_profile(station: ChargePoint, voice: Voice2, payload: Payload) -> Reply:
    """Install a profile."""
    number, wording = whole(payload, "evseId"), group(payload, "chargingProfile")
    if wording.get("chargingProfilePurpose") in UNSUPPORTED or wording.get("chargingProfileKind") == "Dynamic":
        return refusal("InvalidProfile")
    profile = profile_of_2(station, wording)
    station.tally[f"profiles {profile.purpose}"] += 1
    match station.misbehaviour.refuses_profiles:
        case Refusal.REJECTED:
            return refusal("NotEnabled")
        case Refusal.ERROR:
            raise CallFault("NotSupported", "smart charging is not available on this charge point")
        case None:
            pass
    why = _unfit(station, number, profile) or _unfit_for_transaction(station, number, profile)
    if why is not None:
        station.tally[f"refused: {why}"] += 1
        return refusal(why)
    station.install(number, profile, wording)
    return status_reply("Accepted", lambda: voice.say_schedule(number))


def fits_start(station: ChargePoint, number: int, profile: Profile) -> bool:
    """Return whether a profile may come with a remote start."""
    return profile.purpose is Purpose.TRANSACTION and _unfit(station, number, profile) is None


def _unfit(station: ChargePoint, number: int, profile: Profile) -> str | None:
    """Return why a profile is not taken, None when it is."""
    spec = station.spec
    if number != WHOLE_STATION and number not in station.connectors:
        return "UnknownEvse"
    unit = "Current" if profile.schedule.unit is RateUnit.AMPS else "Power"
    if unit not in spec.rate_units:
        return "UnsupportedRateUnit"
    if profile.stack_level > spec.stack_levels or profile.stack_level < 0:
        return "InvalidStackLevel"
    if len(profile.schedule.periods) > spec.schedule_periods:
        return "InvalidSchedule"
    if profile.purpose is Purpose.STATION and (number != WHOLE_STATION or profile.kind is Kind.RELATIVE):
        return "InvalidProfile"
    if profile.purpose is Purpose.TRANSACTION and number == WHOLE_STATION:
        return "InvalidProfile"
    held = station.profiles.installed
    if any(_clashes(one, number, profile) for one in held):
        return "DuplicateProfile"
    if len(held) >= spec.profiles and all(one.profile.profile_id != profile.profile_id for one in held):
        return "TooManyElements"
    return None


def _clashes(one: Installed, number: int, profile: Profile) -> bool:
    """Return whether another profile has the same place at the same time: OCPP 2.x refuses that, 1.6 replaces it."""
    other = one.profile
    return (
        one.connector == number
        and other.profile_id != profile.profile_id
        and other.purpose is profile.purpose
        and other.stack_level == profile.stack_level
        and other.transaction_id == profile.transaction_id
        and _begins(other) < _ends(profile)
        and _begins(profile) < _ends(other)
    )


def _begins(profile: Profile) -> float:
    return -math.inf if profile.valid_from is None else profile.valid_from


def _ends(profile: Profile) -> float:
    return math.inf if profile.valid_to is None else profile.valid_to


def _unfit_for_transaction(station: ChargePoint, number: int, profile: Profile) -> str | None:
    if profile.purpose is not Purpose.TRANSACTION:
        return None
    if profile.transaction_id is None:
        return "MissingParam"
    running = station.connectors[number].transaction_id
    return None if running == profile.transaction_id else "TxNotFound"


def clear_profile(station: ChargePoint, voice: Voice2, payload: Payload) -> Reply:  # noqa: ARG001 - commands are alike
    """Remove the profile with a number, or those that meet criteria."""
    criteria = group_or_none(payload, "chargingProfileCriteria") or {}
    purpose = criteria.get("chargingProfilePurpose")
    if purpose is not None and purpose not in WORDS_2.purposes:
        return status_reply("Unknown")
    cleared = station.profiles.clear(
        profile_id=whole_or_none(payload, "chargingProfileId"),
        connector=whole_or_none(criteria, "evseId"),
        purpose=None if purpose is None else WORDS_2.purposes[purpose],
        stack_level=whole_or_none(criteria, "stackLevel"),
    )
    return status_reply("Accepted" if cleared else "Unknown")


def get_profiles(station: ChargePoint, voice: Voice2, payload: Payload) -> Reply:  # noqa: ARG001 - commands are alike
    """Report the installed profiles that meet criteria."""
    request_id, number = whole(payload, "requestId"), whole_or_none(payload, "evseId")
    criterion = group(payload, "chargingProfile")
    ids, sources = items(criterion, "chargingProfileId"), items(criterion, "chargingLimitSource")
    purpose, level = criterion.get("chargingProfilePurpose"), whole_or_none(criterion, "stackLevel")

    def met(one: Installed) -> bool:
        profile = one.profile
        return (
            (number is None or one.connector == number)
            and (not ids or profile.profile_id in ids)
            and (not sources or OWN_SOURCE in sources)
            and (purpose is None or PURPOSES[profile.purpose] == purpose)
            and (level is None or profile.stack_level == level)
        )

    found: defaultdict[int, list[Payload]] = defaultdict(list)
    for one in filter(met, station.profiles.installed):
        found[one.connector].append(one.payload)
    if not found:
        return status_reply("NoProfiles")

    def report() -> None:
        for left, (evse, profiles) in zip(range(len(found) - 1, -1, -1), found.items(), strict=True):
            payload = {
                "requestId": request_id,
                "chargingLimitSource": OWN_SOURCE,
                "evseId": evse,
                "chargingProfile": profiles,
                "tbc": left > 0,
            }
            station.say("ReportChargingProfiles", payload)

    return status_reply("Accepted", report)


def composite_schedule(station: ChargePoint, voice: Voice2, payload: Payload) -> Reply:  # noqa: ARG001 - as above
    """Show what all profiles together allow."""
    number, duration = whole(payload, "evseId"), whole(payload, "duration")
    asked = payload.get("chargingRateUnit")
    unit = asked if asked in ("A", "W") else ("A" if "Current" in station.spec.rate_units else "W")
    if number != WHOLE_STATION and number not in station.connectors:
        return refusal("UnknownEvse")
    if ("Current" if unit == "A" else "Power") not in station.spec.rate_units:
        return Reply({"status": "Rejected", "statusInfo": status_info("UnsupportedRateUnit")})
    schedule = {
        "evseId": number,
        "duration": duration,
        "scheduleStart": utc_text(station.utc()),
        "chargingRateUnit": unit,
        "chargingSchedulePeriod": composite_periods(station, number, float(duration), unit),
    }
    return Reply({"status": "Accepted", "schedule": schedule})


def composite_periods(station: ChargePoint, number: int, duration: float, unit: str) -> list[Payload]:
    """Return the periods of a composite schedule from now on."""
    stacks, wiring = station.stacks(number), station.wiring(number)
    factor = 1.0 if unit == "A" else wiring.voltage_v * wiring.phases
    return [
        {
            "startPeriod": round(period.start_s),
            "limit": math.floor(period.amps * factor * 10.0 + 1e-6) / 10.0,
            "numberPhases": wiring.phases,
        }
        for period in composite(stacks, station.utc(), duration, wiring)
    ]
