"""The actions that put charge points and meters to commissioning tests, and that tell what was found."""

from collections.abc import Iterator
from dataclasses import dataclass

import homeassistant.helpers.config_validation as cv
import voluptuous as vol
from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse, callback
from homeassistant.exceptions import ServiceValidationError
from homeassistant.util.json import JsonValueType

from ..const import DOMAIN
from ..coordinator import SubjectKind
from ..report.finding_words import FindingWords
from ..site.commissioning.findings import CommissioningTest, Finding
from ..site.commissioning.runner import AlreadyRunning, UnknownSubject
from ..site.site import Site
from ..words import words_of
from .sentences import spoken
from .target import DEVICES, DEVICES_OR_SITE, Target, places_below, targets_of

COMMISSION = vol.Schema(
    {
        **DEVICES,
        vol.Optional("tests", default=list): vol.All(cv.ensure_list, [vol.Coerce(CommissioningTest)]),
        vol.Optional("simulate", default=False): cv.boolean,
    }
)
GET_COMMISSIONING = vol.Schema(DEVICES_OR_SITE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """A connector or a meter that can be put to tests."""

    site: Site
    subject: str
    name: str
    device_id: str | None


async def commission(call: ServiceCall) -> ServiceResponse:
    """Put connectors and meters to tests, one after the other, and return what was found."""
    hass, wanted = call.hass, call.data["tests"]
    tested = list(_tested(hass, call))
    for each in tested:
        _check(each, wanted)
    words = FindingWords(await words_of(hass))
    findings: list[JsonValueType] = []
    for each in tested:
        try:
            found = await each.site.commissioning.run(each.subject, wanted, simulate=call.data["simulate"])
        except AlreadyRunning as error:
            raise _refused("commissioning_runs", each.name) from error
        except UnknownSubject as error:
            raise _refused("device_gone", each.name) from error
        findings.extend(_told(each, finding, words) for finding in found)
    return {"findings": findings}


async def get_commissioning(call: ServiceCall) -> ServiceResponse:
    """Return what was found last about connectors and meters."""
    words = FindingWords(await words_of(call.hass))
    return {
        "findings": [
            _told(each, finding, words)
            for each in _tested(call.hass, call, whole_sites=True)
            for finding in each.site.findings(each.subject)
        ]
    }


def _tested(hass: HomeAssistant, call: ServiceCall, *, whole_sites: bool = False) -> Iterator[Tested]:
    """Find the connectors and meters that a call is about, each once. Raises ServiceValidationError."""
    seen: set[tuple[str, str]] = set()
    for target in targets_of(hass, call):
        for each in _on(target, whole_sites=whole_sites):
            key = (each.site.site_id, each.subject)
            if key not in seen:
                seen.add(key)
                yield each


@callback
def _on(target: Target, *, whole_sites: bool) -> Iterator[Tested]:
    site = target.site
    if SubjectKind.METER in target.subjects:
        yield Tested(site=site, subject=target.subjects[SubjectKind.METER], name=target.name, device_id=None)
        return
    if not whole_sites and not {SubjectKind.CONNECTOR, SubjectKind.CHARGE_POINT} & target.subjects.keys():
        raise _refused("needs_charge_point_or_meter", target.name)
    for place in places_below(target):
        yield Tested(site=site, subject=place.key, name=place.name, device_id=place.device_id)
    if SubjectKind.SITE in target.subjects:
        for meter in site.settings.meters:
            yield Tested(site=site, subject=meter.meter_id, name=meter.name, device_id=None)


def _check(tested: Tested, wanted: list[CommissioningTest]) -> None:
    """Raise ServiceValidationError where a test is not one for this kind of device, or something is tested now."""
    commissioning = tested.site.commissioning
    try:
        possible = commissioning.tests_for(tested.subject)
    except UnknownSubject as error:
        raise _refused("device_gone", tested.name) from error
    impossible = [test.value for test in wanted if test not in possible]
    if impossible:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="impossible_test",
            translation_placeholders={"device": tested.name, "tests": ", ".join(impossible)},
        )
    if commissioning.progress is not None:
        raise _refused("commissioning_runs", tested.name)


def _told(tested: Tested, finding: Finding, words: FindingWords) -> ServiceResponse:
    return {
        "device": tested.name,
        "device_id": tested.device_id,
        "test": finding.test.value,
        "verdict": finding.verdict.value,
        "at": spoken(finding.at),
        "firmware": finding.firmware,
        "outdated": finding.outdated,
        "figures": dict(finding.figures),
        "sentence": f"{words.test(finding.test)}: {words.sentence(finding)}",
    }


def _refused(key: str, device: str) -> ServiceValidationError:
    return ServiceValidationError(
        translation_domain=DOMAIN, translation_key=key, translation_placeholders={"device": device}
    )
