"""Quirks of makes: each with a source, each used, and none stronger than what is observed."""

import json
import re
from pathlib import Path

import pytest
from jsonschema import validate

from custom_components.charge_cluster.ocpp import quirks
from custom_components.charge_cluster.ocpp.conversation import DeviceFacts, LimitWish, Outcome, Terminals
from custom_components.charge_cluster.ocpp.profiles import ProfileAbilities, RateUnit
from custom_components.charge_cluster.ocpp.quirks import Quirk, begun_with, known_quirks, quirks_of
from tests.ocpp.stage import Stage, virtually

FOLDER = Path(quirks.__file__).parent
INTEGRATION = FOLDER.parents[1]
FILES = sorted(FOLDER.glob("*.json"))

TEXT = {"type": "string", "minLength": 1}
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["maker", "makes"],
    "properties": {
        "maker": TEXT,
        "makes": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["vendor", "model", "quirks"],
                "properties": {
                    "vendor": {"type": "string"},
                    "model": TEXT,
                    "quirks": {
                        "type": "array",
                        "minItems": 1,
                        "items": {
                            "type": "object",
                            "additionalProperties": False,
                            "required": ["quirk", "seen", "source"],
                            "properties": {
                                "quirk": {"enum": [quirk.value for quirk in Quirk]},
                                "firmware_up_to": {"type": "string", "pattern": "[0-9]"},
                                "seen": {"type": "string", "minLength": 20},
                                "source": {"type": "string", "pattern": "^https://[^ ]+/[^ ]+$"},
                            },
                        },
                    },
                },
            },
        },
    },
}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_quirk_says_what_was_seen_and_where_that_can_be_read(file: Path) -> None:
    validate(json.loads(file.read_text()), SCHEMA)


def test_every_kind_of_quirk_is_known_of_somebody_and_used_by_the_code() -> None:
    assert {known.quirk for known in known_quirks()} == set(Quirk)
    code = "\n".join(path.read_text() for path in INTEGRATION.rglob("*.py"))
    for quirk in Quirk:
        assert len(re.findall(rf"Quirk\.{quirk.name}\b", code)) >= 1, quirk


def test_no_make_is_meant_by_everybody() -> None:
    assert quirks_of(DeviceFacts()) == frozenset()
    assert quirks_of(DeviceFacts(vendor="Acme", model="Wall 11", firmware="1.0")) == frozenset()


@pytest.mark.parametrize(
    ("device", "known"),
    [
        (("ABB", "TACW1142521G1487", "1.8.0"), {Quirk.NEEDED_MEASURANDS_ONLY, Quirk.LOWEST_LEVEL_ONLY}),
        (("ABB", "Terra AC W22-T-R-0", "v1.8.21"), {Quirk.NEEDED_MEASURANDS_ONLY, Quirk.LOWEST_LEVEL_ONLY}),
        (("abb", "TerraAC", "1.8.32"), {Quirk.LOWEST_LEVEL_ONLY}),
        (("ABB", "TerraAC", None), {Quirk.LOWEST_LEVEL_ONLY}),
        (("ABB", "Terra 54 CJG", "1.0"), set()),
        (("United Chargers", "GRS-*", "05.633:A3A5:2A3C"), {Quirk.LOWEST_LEVEL_ONLY}),
        (("", "ACChargePoint", "V100R023C10SPC220"), {Quirk.WATTS_FIRST}),
        ((None, "ACChargePoint", None), {Quirk.WATTS_FIRST}),
        (("Other", "ACChargePoint", None), set()),
    ],
)
def test_makes_are_known_by_what_they_say_of_themselves(
    device: tuple[str | None, str, str | None], known: set[Quirk]
) -> None:
    vendor, model, firmware = device
    assert quirks_of(DeviceFacts(vendor=vendor, model=model, firmware=firmware)) == known


def test_what_a_charger_says_it_can_do_is_begun_with_as_its_make_is_known() -> None:
    said = ProfileAbilities(units=(RateUnit.AMPS, RateUnit.WATTS), max_level=8)
    assert begun_with(said, frozenset()) == said
    assert begun_with(said, frozenset({Quirk.LOWEST_LEVEL_ONLY})).max_level == 0
    assert begun_with(said, frozenset({Quirk.WATTS_FIRST})).units == (RateUnit.WATTS, RateUnit.AMPS)
    only_amps = ProfileAbilities(units=(RateUnit.AMPS,))
    assert begun_with(only_amps, frozenset({Quirk.WATTS_FIRST})).units == (RateUnit.WATTS, RateUnit.AMPS)


WISH = LimitWish(amps=10.0, fallback_a=0.0, validity_s=30)


async def boots_as(stage: Stage, vendor: str, model: str, firmware: str = "1.0", **answers: object) -> object:
    point = await stage.connect()
    point.answers.update(answers)  # type: ignore[arg-type]  # they are what a test says they are
    await point.tell(
        "BootNotification", {"chargePointVendor": vendor, "chargePointModel": model, "firmwareVersion": firmware}
    )
    await stage.settle()
    return point


def level_of(payload: object) -> int:
    return int(payload["csChargingProfiles"]["stackLevel"])  # type: ignore[index]  # a payload


@virtually
async def test_who_obeys_on_the_lowest_level_only_is_never_limited_on_another(stage: Stage) -> None:
    point = await boots_as(stage, "United Chargers", "GRS-1")
    stage.conversation.describe(Terminals(connector=1))
    await stage.conversation.store_fallback(1, 6.0)
    await stage.points[-1].start()
    assert await stage.conversation.hold_limit(1, WISH) is Outcome.ACCEPTED
    levels = {level_of(payload) for payload in stage.points[-1].calls("SetChargingProfile")}
    assert levels == {0}
    assert point is stage.points[-1]


@virtually
async def test_one_that_is_unlike_its_make_is_limited_as_it_says_itself(stage: Stage) -> None:
    def takes_above_zero(payload: object) -> object:
        return {"status": "Accepted" if level_of(payload) > 0 else "Rejected"}

    await boots_as(stage, "United Chargers", "GRS-1", SetChargingProfile=takes_above_zero)
    await stage.points[-1].start()
    assert await stage.conversation.hold_limit(1, WISH) is Outcome.REFUSED
    assert await stage.conversation.hold_limit(1, WISH) is Outcome.ACCEPTED


@virtually
async def test_who_is_limited_in_watts_is_asked_in_watts_first(stage: Stage) -> None:
    await boots_as(stage, "", "ACChargePoint")
    await stage.points[-1].start()
    assert await stage.conversation.hold_limit(1, WISH) is Outcome.ACCEPTED
    units = [
        payload["csChargingProfiles"]["chargingSchedule"]["chargingRateUnit"]
        for payload in stage.points[-1].calls("SetChargingProfile")
    ]
    assert set(units) == {"W"}


@virtually
async def test_who_is_not_to_be_asked_for_much_is_asked_for_what_is_needed(stage: Stage) -> None:
    await boots_as(stage, "ABB", "Terra AC W22", "1.8.21")
    [asked] = [
        call["value"]
        for call in stage.points[-1].calls("ChangeConfiguration")
        if call["key"] == "MeterValuesSampledData"
    ]
    assert asked == "Current.Import,Power.Active.Import,Energy.Active.Import.Register,Voltage"
