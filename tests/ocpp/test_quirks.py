"""Quirks of makes: each with a source, each used, and none stronger than what is observed."""

import asyncio
import json
import re
from pathlib import Path

import pytest
from jsonschema import validate

from custom_components.charge_cluster.chargers import ChargerEvent, LimitOrder, QuirkShown
from custom_components.charge_cluster.chargers.ocpp import OcppCharger
from custom_components.charge_cluster.ocpp import quirks
from custom_components.charge_cluster.ocpp.conversation import (
    DeviceFacts,
    LimitWish,
    Measured,
    Outcome,
    Report,
    Terminals,
)
from custom_components.charge_cluster.ocpp.experience import ABLE, Topic
from custom_components.charge_cluster.ocpp.profiles import ProfileAbilities, RateUnit
from custom_components.charge_cluster.ocpp.quirks import Quirk, begun_with, known_quirks, quirks_of
from tests.ocpp.charge_point import energy, sampled
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
        (("", "ACChargePoint", "V100R023C10SPC220"), {Quirk.WATTS_FIRST, Quirk.ZERO_ENDS_TRANSACTIONS}),
        ((None, "ACChargePoint", None), {Quirk.WATTS_FIRST, Quirk.ZERO_ENDS_TRANSACTIONS}),
        (("go-e", "go-eCharger_V4", "055.5"), {Quirk.LIMIT_LOST_IN_PAUSE}),
        (("OpenEVSE", "Advanced Series", "4.2.2"), {Quirk.KWH_AS_WH}),
        (("OpenEVSE", "Advanced Series", "v5.0.0"), set()),
        (("OpenEVSE", "Advanced Series", None), set()),
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


OPENEVSE = ("OpenEVSE", "Advanced Series", "4.2.1")


async def energies(stage: Stage, *values: float, unit: str = "Wh", every_s: float = 10.0) -> list[float | None]:
    """Tell registers one after the other; return what they were taken for."""
    reports: list[Report] = []
    stage.conversation.listen(reports.append)
    for register in values:
        await stage.points[-1].measure([*sampled(L1=30.0), energy(register) | {"unit": unit}])
        await stage.settle()
        await asyncio.sleep(every_s)
    return [report.register_wh for report in reports if isinstance(report, Measured)]


@virtually
async def test_who_means_kwh_by_wh_is_understood(stage: Stage) -> None:
    await boots_as(stage, *OPENEVSE)
    assert await energies(stage, 361, 361, 362, every_s=200.0) == [361_000, 361_000, 362_000]
    assert (await energies(stage, 362.5, unit="kWh"))[-1] == 362_500


@virtually
async def test_who_meant_kwh_by_wh_once_and_means_wh_now_is_believed(stage: Stage) -> None:
    await boots_as(stage, *OPENEVSE)
    assert (await energies(stage, 361_000, *range(361_050, 361_500, 50)))[-3:] == [361_350, 361_400, 361_450]


@virtually
async def test_a_make_that_ends_transactions_at_0_a_and_outlives_a_pause_is_known_for_that(stage: Stage) -> None:
    await boots_as(stage, "", "ACChargePoint")
    charger = OcppCharger(stage.conversation, [Terminals(connector=1)], monotonic=stage.clock.monotonic)
    events: list[ChargerEvent] = []
    charger.listen(events.append)
    await stage.points[-1].start()
    for amps in (0, 10):
        await charger.apply_limit(1, LimitOrder(amps=amps, fallback_a=0, validity_s=300))
        await asyncio.sleep(90)
    told = [event.gone for event in events if isinstance(event, QuirkShown)]
    assert told == [False, True]
    assert stage.conversation.known[Topic.ZERO].finding == ABLE
    await charger.close()
