"""Actions that ask something of charge points: each returns when all have answered.

One that is away or refuses fails the action and is named. Where several are asked, none waits for another and the
failure of one keeps nobody else from being asked.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import homeassistant.helpers.config_validation as cv
import voluptuous as vol
from homeassistant.core import ServiceCall, ServiceResponse
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError

from ..chargers import Charger, ChargerEvent, ChargerOffline, TransactionStarted
from ..const import DOMAIN
from ..coordinator import ChargeClusterConfigEntry, SubjectKind
from ..entity import translated_errors
from ..ocpp.protocols import AuthorisationStatus, Purpose
from ..site.authorisation import WITHOUT_A_NAME
from ..site.authoriser import FREE_TAG
from ..site.settings import ChargePointSettings
from ..site.site import Site
from .fields import id_tag
from .target import DEVICES, Place, Target, targets_of, the_charge_points, the_connector

ID_TAG = "id_tag"
KIND = "kind"
OPERATIVE = "operative"
WAIT = "wait"

USUAL_WAIT_S = 30.0
"""A charge point was seen to agree, and to begin a quarter of a minute later."""
LONGEST_WAIT_S = 300.0

SOFT: Final = "soft"
HARD: Final = "hard"

MOST_NAMED = 10
"""Of those that failed, as many are named."""

WHOLE_CHARGE_POINT = 0
"""In place of the number of a connector."""

COMMAND = vol.Schema(DEVICES)
START = vol.Schema(
    {
        **DEVICES,
        vol.Optional(ID_TAG): id_tag,
        vol.Optional(WAIT, default=USUAL_WAIT_S): vol.All(vol.Coerce(float), vol.Range(min=0, max=LONGEST_WAIT_S)),
    }
)
RESET = vol.Schema({**DEVICES, vol.Optional(KIND, default=SOFT): vol.In((SOFT, HARD))})
SET_AVAILABILITY = vol.Schema({**DEVICES, vol.Required(OPERATIVE): cv.boolean})


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """What is asked of one charge point."""

    name: str
    """Of whom it is asked."""
    site: Site
    charge_point_id: str
    ask: Callable[[Charger], Awaitable[None]]

    @translated_errors
    async def run(self) -> None:
        """Ask, and wait for the answer. Raises HomeAssistantError."""
        try:
            charger = self.site.charger(self.charge_point_id)
        except KeyError as gone:
            raise ChargerOffline from gone
        if not charger.online:
            raise ChargerOffline
        await self.ask(charger)


async def carry_out(errands: Iterable[Errand]) -> None:
    """Run all errands side by side. Raises HomeAssistantError: some failed."""
    waiting = list(errands)
    if len(waiting) == 1:
        await waiting[0].run()
        return
    failures = [failure for failure in await asyncio.gather(*map(_failure, waiting)) if failure is not None]
    if not failures:
        return
    raise fail_of_several(failures, len(waiting))


def fail_of_several(failures: Sequence[str], asked: int) -> HomeAssistantError:
    """Return the error that says which of several that were asked failed."""
    named = "; ".join(failures[:MOST_NAMED])
    return HomeAssistantError(
        translation_domain=DOMAIN,
        translation_key="some_failed",
        translation_placeholders={
            "failed": str(len(failures)),
            "asked": str(asked),
            "failures": named if len(failures) <= MOST_NAMED else f"{named}; …",
        },
    )


async def _failure(errand: Errand) -> str | None:
    """Run an errand; return what kept it from being done."""
    try:
        await errand.run()
    except HomeAssistantError as error:
        return f"{errand.name}: {error}"
    return None


def _at_connector(place: Place, ask: Callable[[Charger], Awaitable[None]]) -> Errand:
    return Errand(
        name=place.name,
        site=place.entry.runtime_data.site,
        charge_point_id=place.charge_point.charge_point_id,
        ask=ask,
    )


def _at_charge_points(targets: Iterable[Target], ask: Callable[[Charger], Awaitable[None]]) -> list[Errand]:
    """Return an errand to each charge point that the targets stand for, once."""
    errands: dict[str, Errand] = {}
    for target in targets:
        for point in the_charge_points(target):
            errands[point.charge_point_id] = Errand(
                name=point.name, site=target.site, charge_point_id=point.charge_point_id, ask=ask
            )
    return list(errands.values())


# The actions --------------------------------------------------------------------------------------------------------


async def start_charging(call: ServiceCall) -> ServiceResponse:
    """Start transactions, with the idTag that was given or in nobody's name where everybody may charge."""
    places = [the_connector(target) for target in targets_of(call.hass, call)]
    tags = {place.key: _tag(place, call.data) for place in places}
    begun: dict[str, str | None] = {}

    def starting(place: Place) -> Errand:
        async def start(charger: Charger) -> None:
            begun[place.key] = await _started(charger, place, tags[place.key], call.data[WAIT])

        return _at_connector(place, start)

    await carry_out(map(starting, places))
    return {
        "started": [
            {
                "connector": place.name,
                "device_id": place.device_id,
                # Told only where it was waited for.
                "transaction_id": begun[place.key],
            }
            for place in places
        ]
    }


async def _started(charger: Charger, place: Place, tag: str, wait_s: float) -> str | None:
    """Start a transaction and wait so long for it; return its id. Raises HomeAssistantError: it does not begin."""
    begun: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    listening = False

    def heard(event: ChargerEvent) -> None:
        # What ran before is told while we begin to listen; one that a cable began has no token.
        if not listening or begun.done() or not isinstance(event, TransactionStarted):
            return
        if event.connector == place.number and event.id_tag is not None:
            begun.set_result(event.transaction_id)

    end = charger.listen(heard)
    listening = True
    try:
        await charger.start(place.number, tag)
        if not wait_s:
            return None
        async with asyncio.timeout(wait_s):
            return await begun
    except TimeoutError:
        raise HomeAssistantError(
            translation_domain=DOMAIN,
            translation_key="start_not_followed",
            translation_placeholders={"connector": place.name, "seconds": f"{wait_s:g}"},
        ) from None
    finally:
        end()


def _tag(place: Place, data: Mapping[str, Any]) -> str:
    """Return the token of a transaction. Raises ServiceValidationError: it may not charge there."""
    runtime = place.entry.runtime_data
    settings = runtime.site.settings
    tag: str | None = data.get(ID_TAG)
    if tag is None:
        if settings.mode_at(place.charge_point) not in WITHOUT_A_NAME:
            raise ServiceValidationError(translation_domain=DOMAIN, translation_key="id_tag_needed")
        return FREE_TAG
    refuse_unwelcome(place.entry, place.charge_point, place.name, tag, connector=place.number, purpose=Purpose.START)
    return tag


def refuse_unwelcome(
    entry: ChargeClusterConfigEntry,
    point: ChargePointSettings,
    name: str,
    tag: str,
    *,
    connector: int | None,
    purpose: Purpose,
) -> None:
    """Refuse a token that would not be accepted at a charge point. Raises ServiceValidationError."""
    runtime = entry.runtime_data
    status = runtime.installation.may_start(runtime.site.settings, point, tag, connector=connector, purpose=purpose)
    if status is AuthorisationStatus.CONCURRENT_TX:
        raise ServiceValidationError(
            translation_domain=DOMAIN, translation_key="id_tag_in_use", translation_placeholders={"connector": name}
        )
    if status is not AuthorisationStatus.ACCEPTED:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="id_tag_refused",
            translation_placeholders={"connector": name, "answer": status.value},
        )
    # Where Home Assistant decides, it has done so by this.
    runtime.site.cards.decide(point.charge_point_id, tag, accepted=True)


async def stop_charging(call: ServiceCall) -> None:
    """Stop the transactions that run."""

    def stopping(place: Place) -> Errand:
        return _at_connector(place, lambda charger: charger.stop(place.number))

    await carry_out([stopping(the_connector(target)) for target in targets_of(call.hass, call)])


async def unlock(call: ServiceCall) -> None:
    """Release plugs."""

    def unlocking(place: Place) -> Errand:
        return _at_connector(place, lambda charger: charger.unlock(place.number))

    await carry_out([unlocking(the_connector(target)) for target in targets_of(call.hass, call)])


async def reset(call: ServiceCall) -> None:
    """Restart charge points, after the end of what they do or at once."""
    hard = call.data[KIND] == HARD
    await carry_out(_at_charge_points(targets_of(call.hass, call), lambda charger: charger.reset(hard=hard)))


async def refresh(call: ServiceCall) -> None:
    """Have charge points tell their present state and measurements."""
    await carry_out(_at_charge_points(targets_of(call.hass, call), lambda charger: charger.refresh()))


async def set_availability(call: ServiceCall) -> None:
    """Take connectors or whole charge points out of service, or back."""
    operative: bool = call.data[OPERATIVE]

    def at(number: int) -> Callable[[Charger], Awaitable[None]]:
        return lambda charger: charger.set_availability(number, operative=operative)

    targets = targets_of(call.hass, call)
    single = [target for target in targets if is_one_of_several(target)]
    whole = [target for target in targets if not is_one_of_several(target)]
    places = [the_connector(target) for target in single]
    errands = [_at_connector(place, at(place.number)) for place in places]
    await carry_out([*errands, *_at_charge_points(whole, at(WHOLE_CHARGE_POINT))])


def is_one_of_several(target: Target) -> bool:
    """Return whether a target is a connector with a device of its own."""
    return SubjectKind.CONNECTOR in target.subjects and SubjectKind.CHARGE_POINT not in target.subjects
