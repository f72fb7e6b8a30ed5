"""Actions that ask charge points for what OCPP offers beyond charging, and answer with what they said.

Each charge point is asked over its own connection and side by side with the others. Where a caller wants the answers
and several were asked, one that fails is in the answer with its reason; where nobody was told anything else, and where
no answer is wanted, the action fails. Which version is spoken is asked by nobody here.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import homeassistant.helpers.config_validation as cv
import voluptuous as vol
from homeassistant.core import ServiceCall, ServiceResponse
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.util.json import JsonObjectType, JsonValueType

from ..chargers import ChargerOffline, operations_of
from ..const import DOMAIN
from ..coordinator import ChargeClusterConfigEntry
from ..entity import translated_errors
from ..ocpp.asking import NOT_KNOWN
from ..ocpp.conversation import NoAnswer, NotReachable, Refused
from ..ocpp.following import TooManyWait
from ..ocpp.forbidden import Forbidden
from ..ocpp.operations import (
    WHOLE_STATION,
    CertificateName,
    CertificateUse,
    FirmwareWish,
    LogKind,
    LogWish,
    Message,
    NoReservation,
    NotInThisVersion,
    Operations,
    ScheduleUnit,
    Undertaking,
)
from ..ocpp.protocols import Purpose
from ..ocpp.vocabulary import PayloadFault
from ..site.settings import ChargePointSettings
from .commands import fail_of_several, is_one_of_several, refuse_unwelcome
from .fields import id_tag, posix
from .sentences import spoken
from .target import DEVICES, Target, device_id_of, targets_of, the_charge_points, the_connector

KEYS: Final = "keys"
KEY: Final = "key"
VALUE: Final = "value"
MESSAGE: Final = "message"
ID_TAG: Final = "id_tag"
GROUP_ID_TAG: Final = "group_id_tag"
EXPIRES: Final = "expires"
RESERVATION_ID: Final = "reservation_id"
LOG: Final = "log"
ADDRESS: Final = "address"
START: Final = "start"
END: Final = "end"
RETRIES: Final = "retries"
RETRY_INTERVAL: Final = "retry_interval"
WAIT: Final = "wait"
RETRIEVE: Final = "retrieve"
INSTALL: Final = "install"
CERTIFICATE: Final = "certificate"
SIGNATURE: Final = "signature"
USE: Final = "use"
HASH_ALGORITHM: Final = "hash_algorithm"
ISSUER_NAME_HASH: Final = "issuer_name_hash"
ISSUER_KEY_HASH: Final = "issuer_key_hash"
SERIAL_NUMBER: Final = "serial_number"
DURATION: Final = "duration"
UNIT: Final = "unit"
VENDOR: Final = "vendor"
MESSAGE_ID: Final = "message_id"
DATA: Final = "data"
OPERATION: Final = "operation"
PAYLOAD: Final = "payload"

LONGEST_WAIT_S = 1800
LONGEST_SCHEDULE_S = 7 * 86_400
USUAL_SCHEDULE_S = 3600
LONGEST_RESERVATION_S = 7 * 86_400
MOST_KEYS = 100
MOST_CERTIFICATE = 10_000
MOST_DATA = 10_000


def _text(most: int) -> Callable[[Any], Any]:
    return vol.All(cv.string, vol.Length(min=1, max=most))


def _whole(least: int, most: int) -> Callable[[Any], Any]:
    return vol.All(vol.Coerce(float), vol.Range(min=least, max=most), vol.Coerce(int))


_address = vol.All(cv.string, vol.Strip, vol.Match(r"^[A-Za-z][A-Za-z0-9+.-]*://[^\s/][^\s]{0,500}\Z"))
_pem = vol.All(
    cv.string,
    vol.Strip,
    vol.Length(max=MOST_CERTIFICATE),
    vol.Match(r"^-----BEGIN CERTIFICATE-----[\sA-Za-z0-9+/=-]+-----END CERTIFICATE-----\Z"),
)
_hash = vol.All(cv.string, vol.Match(r"^[0-9A-Fa-f]{1,128}\Z"))
_LATER = {
    vol.Required(ADDRESS): _address,
    vol.Optional(RETRIES): _whole(0, 10),
    vol.Optional(RETRY_INTERVAL): _whole(1, 86_400),
    vol.Optional(WAIT, default=0): _whole(0, LONGEST_WAIT_S),
}

GET_SETTINGS = vol.Schema(
    {**DEVICES, vol.Optional(KEYS): vol.All(cv.ensure_list, [_text(200)], vol.Length(min=1, max=MOST_KEYS))}
)
CHANGE_SETTING = vol.Schema({**DEVICES, vol.Required(KEY): _text(200), vol.Required(VALUE): cv.string})
TRIGGER_MESSAGE = vol.Schema({**DEVICES, vol.Required(MESSAGE): vol.Coerce(Message)})
RESERVE = vol.Schema(
    {
        **DEVICES,
        vol.Required(ID_TAG): id_tag,
        vol.Required(EXPIRES): posix,
        vol.Optional(GROUP_ID_TAG): id_tag,
    }
)
CANCEL_RESERVATION = vol.Schema({**DEVICES, vol.Optional(RESERVATION_ID): _whole(0, 2**31 - 1)})
GET_LOG = vol.Schema(
    {
        **DEVICES,
        **_LATER,
        vol.Optional(LOG, default=LogKind.DIAGNOSTICS): vol.Coerce(LogKind),
        vol.Optional(START): posix,
        vol.Optional(END): posix,
    }
)
UPDATE_FIRMWARE = vol.Schema(
    {
        **DEVICES,
        **_LATER,
        vol.Optional(RETRIEVE): posix,
        vol.Optional(INSTALL): posix,
        vol.Inclusive(CERTIFICATE, "signed"): _pem,
        vol.Inclusive(SIGNATURE, "signed"): vol.All(cv.string, vol.Match(r"^[A-Za-z0-9+/=]{1,800}\Z")),
    }
)
INSTALL_CERTIFICATE = vol.Schema(
    {**DEVICES, vol.Required(USE): vol.Coerce(CertificateUse), vol.Required(CERTIFICATE): _pem}
)
GET_CERTIFICATES = vol.Schema({**DEVICES, vol.Optional(USE): vol.Coerce(CertificateUse)})
DELETE_CERTIFICATE = vol.Schema(
    {
        **DEVICES,
        vol.Required(HASH_ALGORITHM): vol.In(("SHA256", "SHA384", "SHA512")),
        vol.Required(ISSUER_NAME_HASH): _hash,
        vol.Required(ISSUER_KEY_HASH): _hash,
        vol.Required(SERIAL_NUMBER): vol.All(cv.string, vol.Match(r"^[0-9A-Fa-f]{1,40}\Z")),
    }
)
GET_COMPOSITE_SCHEDULE = vol.Schema(
    {
        **DEVICES,
        vol.Optional(DURATION, default=USUAL_SCHEDULE_S): _whole(1, LONGEST_SCHEDULE_S),
        vol.Optional(UNIT): vol.Coerce(ScheduleUnit),
    }
)
ONLY_DEVICES = vol.Schema(DEVICES)
TRANSFER_DATA = vol.Schema(
    {
        **DEVICES,
        vol.Required(VENDOR): _text(255),
        vol.Optional(MESSAGE_ID): _text(50),
        vol.Optional(DATA): vol.All(cv.string, vol.Length(max=MOST_DATA)),
    }
)
OCPP_CALL = vol.Schema(
    {
        **DEVICES,
        vol.Required(OPERATION): vol.All(cv.string, vol.Strip, vol.Match(r"^[A-Za-z0-9]{1,50}\Z")),
        vol.Optional(PAYLOAD, default=dict): dict,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A charge point that is asked, or a connector of it."""

    entry: ChargeClusterConfigEntry
    charge_point: ChargePointSettings
    connector: int | None = None
    """None: the device stands for the whole charge point."""

    @property
    def name(self) -> str:
        """Return how it is called."""
        name = self.charge_point.name
        return name if self.connector is None else f"{name} ({self.connector})"

    @property
    def device_id(self) -> str | None:
        """Return the id of its charge point's device."""
        return device_id_of(self.entry, self.charge_point.charge_point_id)

    @property
    def number(self) -> int:
        """Return the connector that is meant: of a charge point with one that, of one with several the whole."""
        if self.connector is not None:
            return self.connector
        connectors = self.charge_point.connectors
        return connectors[0].number if len(connectors) == 1 else WHOLE_STATION


type Ask = Callable[[Spot, Operations], Awaitable[JsonObjectType]]


async def _answers(call: ServiceCall, ask: Ask, spots: Iterable[Spot] | None = None) -> ServiceResponse:
    """Ask all that a call is about and return what they answered. Raises HomeAssistantError."""
    asked = list(_charge_points(targets_of(call.hass, call)) if spots is None else spots)
    outcomes = await asyncio.gather(*(_outcome(spot, ask) for spot in asked))
    failures = [
        (spot, outcome) for spot, outcome in zip(asked, outcomes, strict=True) if isinstance(outcome, Exception)
    ]
    if failures and (len(failures) == len(asked) or not call.return_response):
        if len(asked) == 1:
            raise failures[0][1]
        raise fail_of_several([f"{spot.name}: {failure}" for spot, failure in failures], len(asked))
    answers: list[JsonValueType] = []
    for spot, outcome in zip(asked, outcomes, strict=True):
        told: JsonObjectType = {"error": str(outcome)} if isinstance(outcome, Exception) else outcome
        answers.append({"charge_point": spot.name, "device_id": spot.device_id, **told})
    return {"answers": answers}


async def answers_of(call: ServiceCall, ask: Ask) -> ServiceResponse:
    """Ask the charge points that a call is about and return what they answered. Raises HomeAssistantError."""
    return await _answers(call, ask)


async def _outcome(spot: Spot, ask: Ask) -> JsonObjectType | HomeAssistantError:
    try:
        return await _asked(spot, ask)
    except HomeAssistantError as error:
        return error


@translated_errors
async def _asked(spot: Spot, ask: Ask) -> JsonObjectType:
    """Ask one charge point. Raises HomeAssistantError."""
    try:
        charger = spot.entry.runtime_data.site.charger(spot.charge_point.charge_point_id)
    except KeyError as gone:
        raise ChargerOffline from gone
    operations = operations_of(charger)
    if operations is None:
        raise ServiceValidationError(
            translation_domain=DOMAIN, translation_key="needs_ocpp", translation_placeholders={"name": spot.name}
        )
    try:
        return await ask(spot, operations)
    except (NotReachable, Refused, TooManyWait, NoReservation, NotInThisVersion, Forbidden, PayloadFault) as failure:
        raise _in_words(failure) from failure


def _in_words(failure: Exception) -> HomeAssistantError:
    """Return a failure as one that Home Assistant shows in the user's language."""
    match failure:
        case NoAnswer():
            return HomeAssistantError(translation_domain=DOMAIN, translation_key="charger_silent")
        case NotReachable():
            return HomeAssistantError(translation_domain=DOMAIN, translation_key="charger_offline")
        case Refused(answer=answer) if answer in NOT_KNOWN:
            return HomeAssistantError(translation_domain=DOMAIN, translation_key="operation_not_known")
        case Refused(answer=answer):
            return HomeAssistantError(
                translation_domain=DOMAIN,
                translation_key="operation_refused",
                translation_placeholders={"answer": answer},
            )
        case NoReservation():
            return ServiceValidationError(translation_domain=DOMAIN, translation_key="no_reservation")
        case NotInThisVersion(version=version):
            return ServiceValidationError(
                translation_domain=DOMAIN,
                translation_key="not_in_this_version",
                translation_placeholders={"version": version},
            )
        case Forbidden(instead=instead, what=what):
            return ServiceValidationError(
                translation_domain=DOMAIN, translation_key=instead.value, translation_placeholders={"what": what}
            )
        case PayloadFault(fault=fault, place=place, wanted=wanted):
            return ServiceValidationError(
                translation_domain=DOMAIN,
                translation_key=fault.value,
                translation_placeholders={"place": place, "wanted": wanted},
            )
        case _:
            return HomeAssistantError(translation_domain=DOMAIN, translation_key="too_many_wait")


def _charge_points(targets: Iterable[Target]) -> list[Spot]:
    """Return each charge point that the targets stand for, once. Raises ServiceValidationError."""
    spots: dict[str, Spot] = {}
    for target in targets:
        for point in the_charge_points(target):
            spots[point.charge_point_id] = Spot(entry=target.entry, charge_point=point)
    return list(spots.values())


def _connectors(targets: Iterable[Target]) -> list[Spot]:
    """Return each charge point that the targets stand for, or one of its connectors. Raises ServiceValidationError."""
    spots: dict[tuple[str, int | None], Spot] = {}
    for target in targets:
        if is_one_of_several(target):
            place = the_connector(target)
            found = [Spot(entry=place.entry, charge_point=place.charge_point, connector=place.number)]
        else:
            found = _charge_points([target])
        spots |= {(spot.charge_point.charge_point_id, spot.connector): spot for spot in found}
    return list(spots.values())


# The actions --------------------------------------------------------------------------------------------------------


async def get_settings(call: ServiceCall) -> ServiceResponse:
    """Read the settings of charge points."""
    keys: Sequence[str] = call.data.get(KEYS, ())

    async def ask(_spot: Spot, operations: Operations) -> JsonObjectType:
        read = await operations.settings(keys)
        return {
            "settings": [_told(asdict(setting)) for setting in read.settings],
            "unknown": list(read.unknown),
            "complete": read.complete,
        }

    return await _answers(call, ask)


async def change_setting(call: ServiceCall) -> ServiceResponse:
    """Set one setting of charge points."""

    async def ask(_spot: Spot, operations: Operations) -> JsonObjectType:
        return {"outcome": await operations.change_setting(call.data[KEY], call.data[VALUE])}

    return await _answers(call, ask)


async def trigger_message(call: ServiceCall) -> ServiceResponse:
    """Have charge points send a message now."""

    async def ask(spot: Spot, operations: Operations) -> JsonObjectType:
        await operations.trigger(call.data[MESSAGE], spot.connector)
        return {}

    return await _answers(call, ask, _connectors(targets_of(call.hass, call)))


async def reserve(call: ServiceCall) -> ServiceResponse:
    """Keep connectors for an idTag."""
    spots = _connectors(targets_of(call.hass, call))
    expires: float = call.data[EXPIRES]
    for spot in spots:
        now = spot.entry.runtime_data.installation.clock.time()
        if not now < expires <= now + LONGEST_RESERVATION_S:
            raise ServiceValidationError(translation_domain=DOMAIN, translation_key="impossible_expiry")
        refuse_unwelcome(
            spot.entry,
            spot.charge_point,
            spot.name,
            call.data[ID_TAG],
            connector=spot.number,
            purpose=Purpose.ASK,
        )

    async def ask(spot: Spot, operations: Operations) -> JsonObjectType:
        kept = await operations.reserve(
            spot.number, call.data[ID_TAG], expires, group_id_tag=call.data.get(GROUP_ID_TAG)
        )
        return {
            "reservation_id": kept.reservation_id,
            "connector": kept.connector,
            "expires": spoken(kept.expires_at),
        }

    return await _answers(call, ask, spots)


async def cancel_reservation(call: ServiceCall) -> ServiceResponse:
    """Give up reservations."""

    async def ask(spot: Spot, operations: Operations) -> JsonObjectType:
        given_up = await operations.cancel_reservation(
            reservation_id=call.data.get(RESERVATION_ID), connector=spot.connector
        )
        return {"reservation_id": given_up}

    return await _answers(call, ask, _connectors(targets_of(call.hass, call)))


async def get_log(call: ServiceCall) -> ServiceResponse:
    """Have charge points upload a log."""
    start, end = call.data.get(START), call.data.get(END)
    if start is not None and end is not None and start >= end:
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="ends_before_it_starts")
    wish = LogWish(
        kind=call.data[LOG],
        address=call.data[ADDRESS],
        since=start,
        until=end,
        retries=call.data.get(RETRIES),
        retry_interval_s=call.data.get(RETRY_INTERVAL),
        wait_s=call.data[WAIT],
    )

    async def ask(_spot: Spot, operations: Operations) -> JsonObjectType:
        return _undertaking(await operations.fetch_log(wish))

    return await _answers(call, ask)


async def update_firmware(call: ServiceCall) -> ServiceResponse:
    """Have charge points install a firmware."""

    async def ask(spot: Spot, operations: Operations) -> JsonObjectType:
        retrieve_at: float | None = call.data.get(RETRIEVE)
        wish = FirmwareWish(
            address=call.data[ADDRESS],
            retrieve_at=spot.entry.runtime_data.installation.clock.time() if retrieve_at is None else retrieve_at,
            install_at=call.data.get(INSTALL),
            certificate=call.data.get(CERTIFICATE),
            signature=call.data.get(SIGNATURE),
            retries=call.data.get(RETRIES),
            retry_interval_s=call.data.get(RETRY_INTERVAL),
            wait_s=call.data[WAIT],
        )
        return _undertaking(await operations.update_firmware(wish))

    return await _answers(call, ask)


async def install_certificate(call: ServiceCall) -> ServiceResponse:
    """Have charge points trust a certificate."""

    async def ask(_spot: Spot, operations: Operations) -> JsonObjectType:
        await operations.install_certificate(call.data[USE], call.data[CERTIFICATE])
        return {}

    return await _answers(call, ask)


async def get_certificates(call: ServiceCall) -> ServiceResponse:
    """Tell which certificates charge points trust."""

    async def ask(_spot: Spot, operations: Operations) -> JsonObjectType:
        held = await operations.certificates(call.data.get(USE))
        return {
            "certificates": [
                {
                    USE: certificate.use,
                    HASH_ALGORITHM: certificate.name.algorithm,
                    ISSUER_NAME_HASH: certificate.name.issuer_name_hash,
                    ISSUER_KEY_HASH: certificate.name.issuer_key_hash,
                    SERIAL_NUMBER: certificate.name.serial_number,
                }
                for certificate in held
            ]
        }

    return await _answers(call, ask)


async def delete_certificate(call: ServiceCall) -> ServiceResponse:
    """Have charge points trust a certificate no more."""
    name = CertificateName(
        algorithm=call.data[HASH_ALGORITHM],
        issuer_name_hash=call.data[ISSUER_NAME_HASH],
        issuer_key_hash=call.data[ISSUER_KEY_HASH],
        serial_number=call.data[SERIAL_NUMBER],
    )

    async def ask(_spot: Spot, operations: Operations) -> JsonObjectType:
        await operations.delete_certificate(name)
        return {}

    return await _answers(call, ask)


async def get_composite_schedule(call: ServiceCall) -> ServiceResponse:
    """Tell what limits follow from the profiles that charge points hold."""

    async def ask(spot: Spot, operations: Operations) -> JsonObjectType:
        schedule = await operations.composite_schedule(spot.number, call.data[DURATION], call.data.get(UNIT))
        return {
            "connector": schedule.connector,
            "unit": schedule.unit,
            "starts_at": spoken(schedule.starts_at),
            "duration_s": schedule.duration_s,
            "periods": [_told(asdict(period)) for period in schedule.periods],
        }

    return await _answers(call, ask, _connectors(targets_of(call.hass, call)))


async def get_charging_profiles(call: ServiceCall) -> ServiceResponse:
    """Tell which charging profiles charge points hold."""

    async def ask(spot: Spot, operations: Operations) -> JsonObjectType:
        held = await operations.held_profiles(spot.connector)
        return {"profiles": [_told(profile) for profile in held.profiles], "complete": held.complete}

    return await _answers(call, ask, _connectors(targets_of(call.hass, call)))


async def clear_cache(call: ServiceCall) -> ServiceResponse:
    """Make charge points forget the idTags that they remember."""

    async def ask(_spot: Spot, operations: Operations) -> JsonObjectType:
        await operations.clear_cache()
        return {}

    return await _answers(call, ask)


async def transfer_data(call: ServiceCall) -> ServiceResponse:
    """Send charge points something of a vendor's own."""

    async def ask(_spot: Spot, operations: Operations) -> JsonObjectType:
        returned = await operations.transfer(call.data[VENDOR], call.data.get(MESSAGE_ID), call.data.get(DATA))
        return {"data": returned}

    return await _answers(call, ask)


async def ocpp_call(call: ServiceCall) -> ServiceResponse:
    """Start an operation of OCPP by its own name."""

    async def ask(_spot: Spot, operations: Operations) -> JsonObjectType:
        came = await operations.call(call.data[OPERATION], dict(call.data[PAYLOAD]))
        return {
            "version": operations.version,
            "answer": _told(came.answer),
            "parts": [_told(part) for part in came.parts],
            "complete": came.complete,
        }

    return await _answers(call, ask)


def _undertaking(undertaking: Undertaking) -> JsonObjectType:
    return _told(asdict(undertaking))


def _told(content: Mapping[str, Any]) -> JsonObjectType:
    """Return what came from a charge point or from ourselves, all of it JSON already, as part of an answer."""
    return dict(content)
