"""Actions that ask something of charge points: each returns when all have answered.

One that is away or refuses fails the action and is named. Where several are asked, none waits for another and the
failure of one keeps nobody else from being asked.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import homeassistant.helpers.config_validation as cv
import voluptuous as vol
from homeassistant.core import ServiceCall
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError

from ..chargers import Charger, ChargerOffline
from ..const import DOMAIN
from ..coordinator import SubjectKind
from ..entity import translated_errors
from ..ocpp.protocols import AuthorisationStatus
from ..site.door import Door, TagAuthoriser
from ..site.installation import FREE_TAG
from ..site.site import Site
from .fields import id_tag
from .target import DEVICES, Place, Target, targets_of, the_charge_points, the_connector

ID_TAG = "id_tag"
KIND = "kind"
OPERATIVE = "operative"

SOFT: Final = "soft"
HARD: Final = "hard"

MOST_NAMED = 10
"""Of those that failed, as many are named."""

WHOLE_CHARGE_POINT = 0
"""In place of the number of a connector."""

COMMAND = vol.Schema(DEVICES)
START = vol.Schema({**DEVICES, vol.Optional(ID_TAG): id_tag})
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
    named = "; ".join(failures[:MOST_NAMED])
    raise HomeAssistantError(
        translation_domain=DOMAIN,
        translation_key="some_failed",
        translation_placeholders={
            "failed": str(len(failures)),
            "asked": str(len(waiting)),
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


async def start_charging(call: ServiceCall) -> None:
    """Start transactions, with the idTag that was given or in nobody's name where everybody may charge."""
    places = [the_connector(target) for target in targets_of(call.hass, call)]
    tags = {place.key: await _tag(place, call.data) for place in places}

    def starting(place: Place) -> Errand:
        return _at_connector(place, lambda charger: charger.start(place.number, tags[place.key]))

    await carry_out(map(starting, places))


async def _tag(place: Place, data: Mapping[str, Any]) -> str:
    """Return the idTag of a transaction. Raises ServiceValidationError: it may not charge there."""
    runtime = place.entry.runtime_data
    tag: str | None = data.get(ID_TAG)
    if tag is None:
        if not runtime.site.settings.accept_all_tags:
            raise ServiceValidationError(translation_domain=DOMAIN, translation_key="id_tag_needed")
        return FREE_TAG
    installation = runtime.installation
    door = Door(lambda: [runtime.site.settings])
    authoriser = TagAuthoriser(door, installation.ledger.drivers, installation.clock.time)
    status = (await authoriser.authorise(place.charge_point.identity, tag)).status
    if status is not AuthorisationStatus.ACCEPTED:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="id_tag_refused",
            translation_placeholders={"connector": place.name, "answer": status.value},
        )
    return tag


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
    single = [target for target in targets if _is_one_of_several(target)]
    whole = [target for target in targets if not _is_one_of_several(target)]
    places = [the_connector(target) for target in single]
    errands = [_at_connector(place, at(place.number)) for place in places]
    await carry_out([*errands, *_at_charge_points(whole, at(WHOLE_CHARGE_POINT))])


def _is_one_of_several(target: Target) -> bool:
    """Return whether a target is a connector with a device of its own."""
    return SubjectKind.CONNECTOR in target.subjects and SubjectKind.CHARGE_POINT not in target.subjects
