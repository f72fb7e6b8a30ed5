"""What we send fulfils the schemas of the Open Charge Alliance, whatever it is made of."""

import pytest
from hypothesis import given, strategies as st

from custom_components.charge_cluster.ocpp.conversation import LimitWish, Terminals
from custom_components.charge_cluster.ocpp.frames import JsonObject
from custom_components.charge_cluster.ocpp.profiles import (
    ProfileAbilities,
    RateUnit,
    fallback_wordings,
    permanent_profile,
    temporary_profile,
    transaction_wordings,
)
from custom_components.charge_cluster.ocpp.times import ClockOffset
from custom_components.charge_cluster.ocpp.v16 import requests
from custom_components.charge_cluster.ocpp.v16.requests import ResetKind, Triggered

from .schemas import conforms

LONG = "x" * 600

ABILITIES = st.builds(
    ProfileAbilities,
    units=st.sampled_from([(RateUnit.AMPS,), (RateUnit.WATTS,), (RateUnit.AMPS, RateUnit.WATTS)]),
    max_level=st.none() | st.integers(0, 9),
)
AMPS = st.floats(min_value=0, max_value=500)


@pytest.mark.parametrize(
    ("action", "payload"),
    [
        ("GetConfiguration", requests.get_configuration()),
        ("GetConfiguration", requests.get_configuration([LONG, "HeartbeatInterval"])),
        ("ChangeConfiguration", requests.change_configuration(LONG, LONG)),
        ("TriggerMessage", requests.trigger_message(Triggered.STATUS)),
        ("TriggerMessage", requests.trigger_message(Triggered.METER_VALUES, 2)),
        ("RemoteStartTransaction", requests.remote_start_transaction(1, LONG)),
        ("RemoteStopTransaction", requests.remote_stop_transaction(77)),
        ("Reset", requests.reset(ResetKind.HARD)),
        ("UnlockConnector", requests.unlock_connector(1)),
        ("ChangeAvailability", requests.change_availability(0, operative=False)),
        ("ClearChargingProfile", requests.clear_charging_profile(1)),
        ("GetCompositeSchedule", requests.get_composite_schedule(1, 86400, RateUnit.WATTS)),
        ("DataTransfer", requests.data_transfer(LONG, LONG, LONG)),
        ("DataTransfer", requests.data_transfer("vendor")),
        ("ClearCache", {}),
    ],
    ids=str,
)
def test_every_request_fulfils_its_schema(action: str, payload: JsonObject) -> None:
    assert conforms(action, payload)


@given(ABILITIES, AMPS, AMPS, st.floats(1, 3600), st.floats(-1e9, 1e9), st.floats(0, 60), st.integers(1, 3), st.data())
def test_every_limit_fulfils_its_schema(  # noqa: PLR0917 - one argument for each thing that varies
    abilities: ProfileAbilities,
    amps: float,
    fallback_a: float,
    validity_s: float,
    offset_s: float,
    uncertainty_s: float,
    phases: int,
    data: st.DataObject,
) -> None:
    profile = temporary_profile(
        LimitWish(amps=amps, fallback_a=fallback_a, validity_s=validity_s),
        data.draw(st.sampled_from(transaction_wordings(abilities))),
        Terminals(connector=1, phases=phases, maximum_a=125),
        now=1.8e9,
        offset=ClockOffset(offset_s=offset_s, uncertainty_s=uncertainty_s),
        proved_phases=phases,
        transaction=7,
    )
    assert conforms("SetChargingProfile", requests.set_charging_profile(1, profile))


@given(ABILITIES, AMPS, st.integers(1, 3), st.data())
def test_every_fallback_fulfils_its_schema(
    abilities: ProfileAbilities, fallback_a: float, phases: int, data: st.DataObject
) -> None:
    wording = data.draw(st.sampled_from(fallback_wordings(abilities)))
    profile = permanent_profile(fallback_a, wording, Terminals(connector=1, phases=phases, maximum_a=125))
    assert conforms("SetChargingProfile", requests.set_charging_profile(1, profile))
