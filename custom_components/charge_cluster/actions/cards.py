"""Actions about cards that were shown: deciding on one, seeing which nobody is known by, and taking one up.

The text of a token is as good as the card, so all of this is for administrators.
"""

import homeassistant.helpers.config_validation as cv
import voluptuous as vol
from homeassistant.const import ATTR_DEVICE_ID
from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse
from homeassistant.exceptions import ServiceValidationError
from homeassistant.util.json import JsonObjectType

from ..const import DOMAIN
from ..coordinator import ChargeClusterConfigEntry
from ..newcomers import loaded_sites
from ..site.cards import Question, ShownCard, UnknownDecision
from ..site.settings import ChargePointSettings
from .drivers import OF_DRIVER, driver_of, put, spoken_driver
from .ledger_errors import told
from .sentences import spoken
from .target import (
    DEVICES_OR_SITE,
    charge_points_below,
    device_id_of,
    targets_of,
    the_charge_points,
    the_installation,
)

DECISION_ID = "decision_id"
ACCEPT = "accept"

ANSWER_AUTHORISATION = vol.Schema(
    {vol.Required(DECISION_ID): vol.Match(r"^[0-9a-f]{32}\Z"), vol.Required(ACCEPT): cv.boolean}
)
GET_CARDS = vol.Schema(DEVICES_OR_SITE)
TAKE_UP_CARD = vol.Schema(
    {vol.Required(ATTR_DEVICE_ID): vol.All(cv.ensure_list, [cv.string], vol.Length(min=1, max=1)), **OF_DRIVER}
)


async def answer_authorisation(call: ServiceCall) -> ServiceResponse:
    """Accept or refuse a card that Home Assistant was asked about; return whether it was in time."""
    for entry in loaded_sites(call.hass):
        try:
            in_time = entry.runtime_data.site.cards.answer(call.data[DECISION_ID], accepted=call.data[ACCEPT])
        except UnknownDecision:
            continue
        return {"in_time": in_time}
    raise ServiceValidationError(translation_domain=DOMAIN, translation_key="nothing_to_decide")


async def get_cards(call: ServiceCall) -> ServiceResponse:
    """Return the cards that nobody is known by, shown lately, and those that wait for a decision."""
    cards: list[JsonObjectType] = []
    questions: list[JsonObjectType] = []
    points: dict[str, tuple[ChargeClusterConfigEntry, ChargePointSettings]] = {}
    for target in targets_of(call.hass, call):
        points |= {point.charge_point_id: (target.entry, point) for point in charge_points_below(target)}
    for entry in {entry.entry_id: entry for entry, _ in points.values()}.values():
        desk = entry.runtime_data.site.cards
        cards.extend(_card(*points[shown.charge_point_id], shown) for shown in desk.unknown() if _of(shown, points))
        questions.extend(
            _question(*points[asked.charge_point_id], asked) for asked in desk.questions() if _of(asked, points)
        )
    return {"cards": list(cards), "questions": list(questions)}


def _of(subject: ShownCard | Question, points: dict[str, tuple[ChargeClusterConfigEntry, ChargePointSettings]]) -> bool:
    return subject.charge_point_id in points


def _card(entry: ChargeClusterConfigEntry, point: ChargePointSettings, shown: ShownCard) -> JsonObjectType:
    return {
        **_where(entry, point, shown.connector),
        "id_tag": shown.id_tag,
        "type": None if shown.kind is None else shown.kind.value,
        "shown_at": spoken(shown.shown_at),
        "answer": shown.status.value,
    }


def _question(entry: ChargeClusterConfigEntry, point: ChargePointSettings, asked: Question) -> JsonObjectType:
    return {
        **_where(entry, point, asked.connector),
        DECISION_ID: asked.decision_id,
        "id_tag": asked.id_tag,
        "driver": asked.driver,
        "asked_at": spoken(asked.asked_at),
        "until": spoken(asked.until),
    }


def _where(entry: ChargeClusterConfigEntry, point: ChargePointSettings, connector: int | None) -> JsonObjectType:
    return {
        "charge_point": point.name,
        "device_id": device_id_of(entry, point.charge_point_id),
        "connector": connector,
    }


@told
async def take_up_card(call: ServiceCall) -> ServiceResponse:
    """Make a driver of the card that was shown last at a charge point; return the driver."""
    shown = _shown_last(call.hass, call)
    driver = driver_of(shown.id_tag, call.data, kind=shown.kind)
    await put(the_installation(call.hass), driver)
    known = the_installation(call.hass).ledger.drivers.known(shown.id_tag) or driver
    return {"driver": spoken_driver(known)}


def _shown_last(hass: HomeAssistant, call: ServiceCall) -> ShownCard:
    """Return the card that nobody is known by and that was shown last. Raises ServiceValidationError: there is none."""
    [target] = targets_of(hass, call)
    points = {point.charge_point_id for point in the_charge_points(target)}
    for shown in target.site.cards.unknown():
        if shown.charge_point_id in points:
            return shown
    raise ServiceValidationError(
        translation_domain=DOMAIN, translation_key="no_card_shown", translation_placeholders={"device": target.name}
    )
