"""Sampled values as the field sends them."""

from typing import Any

import pytest
from hypothesis import given, strategies as st

from custom_components.charge_cluster.ocpp.conversation import Amps, Terminals
from custom_components.charge_cluster.ocpp.metering import EnergyRegister, Sample, drawn_amps, read_samples

THREE = Terminals(connector=1, phases=3, maximum_a=32)
SINGLE = Terminals(connector=1, phases=1, maximum_a=32)


def value(
    number: Any, measurand: str | None = None, unit: str | None = None, phase: str | None = None, **more: Any
) -> Any:
    told = {"value": number, "measurand": measurand, "unit": unit, "phase": phase, **more}
    return {key: content for key, content in told.items() if content is not None}


def amps(number: Any, phase: str | None = None, **more: Any) -> Any:
    return value(number, "Current.Import", "A", phase, **more)


def watts(number: Any, phase: str | None = None, unit: str = "W") -> Any:
    return value(number, "Power.Active.Import", unit, phase)


def volts(number: Any, phase: str | None = None) -> Any:
    return value(number, "Voltage", "V", phase)


def sample(*values: Any) -> Sample:
    (found,) = read_samples(({"timestamp": "2026-11-23T12:00:00Z", "sampledValue": list(values)},))
    return found


def drawn(*values: Any, terminals: Terminals = THREE) -> Amps | None:
    return drawn_amps(sample(*values), terminals)


def test_three_phase_currents_are_taken_as_they_are() -> None:
    assert drawn(amps("10.1", "L1"), amps("10.2", "L2"), amps("10.3", "L3")) == (10.1, 10.2, 10.3)


def test_phases_named_against_neutral_are_the_same_phases() -> None:
    assert drawn(amps("10", "L1-N"), amps("11", "L2-N"), amps("12", "L3-N")) == (10, 11, 12)


def test_the_neutral_is_no_phase() -> None:
    assert drawn(amps("10", "L1"), amps("9", "N")) == (10, 0, 0)


@pytest.mark.parametrize(
    ("raw", "found"),
    [(7, 7.0), (7.5, 7.5), ("7.50", 7.5), (" 7.5 ", 7.5), ("7,5", 7.5), ("7.5e0", 7.5)],
    ids=str,
)
def test_numbers_come_as_numbers_and_as_text(raw: Any, found: float) -> None:
    assert drawn(amps(raw, "L1")) == (found, 0, 0)


@pytest.mark.parametrize("odd", ["", "abc", None, True, [], {}, "NaN", "inf", 1e300, "1,234.5,6"], ids=repr)
def test_one_odd_value_loses_only_itself(odd: Any) -> None:
    assert drawn(amps(odd, "L1"), amps("8", "L2")) == (0, 8, 0)


def test_an_unknown_measurand_unit_or_phase_loses_only_itself() -> None:
    found = sample(value("1", "Flux.Capacitor"), value("2", measurand=None), value("x", "SoC"), volts("230", "L1"))
    assert (found.volts, found.energy_wh) == ([230.0, None, None], 2.0)


def test_units_count_for_each_value() -> None:
    found = sample(watts("7.2", unit="kW"), value("12.5", "Energy.Active.Import.Register", "kWh"))
    assert (found.power_w, found.energy_wh) == (7200, 12500)


def test_the_default_measurand_is_the_energy_register_in_watt_hours() -> None:
    assert sample({"value": "1234"}).energy_wh == 1234


def test_energy_of_one_phase_stands_for_all_where_there_is_no_other() -> None:
    assert sample(value("1234", "Energy.Active.Import.Register", "Wh", "L1")).energy_wh == 1234


def test_a_value_of_the_beginning_does_not_hide_the_present_one() -> None:
    register = "Energy.Active.Import.Register"
    found = sample(value("200", register), value("100", register, context="Transaction.Begin"))
    assert found.energy_wh == 200


def test_a_beginning_alone_counts() -> None:
    assert sample(value("100", "Energy.Active.Import.Register", context="Transaction.Begin")).energy_wh == 100


def test_an_export_is_no_draw() -> None:
    assert drawn(amps("-5", "L1"), value("9", "Current.Export", "A", "L2")) == (0, 0, 0)


def test_a_current_without_phase_may_flow_on_every_phase() -> None:
    assert drawn(amps("10")) == (10, 10, 10)


def test_a_current_beyond_the_hardware_is_the_sum_of_the_phases() -> None:
    assert drawn(amps("48"), terminals=Terminals(connector=1, phases=3, maximum_a=16)) == (16, 16, 16)


def test_a_single_phase_connector_draws_on_its_first_phase_however_it_is_named() -> None:
    assert drawn(amps("10", "L2"), terminals=SINGLE) == (10, 0, 0)
    assert drawn(amps("10"), terminals=SINGLE) == (10, 0, 0)
    assert drawn(watts("2162"), terminals=SINGLE) == pytest.approx((10, 0, 0))


def test_power_alone_may_flow_on_any_one_phase_at_the_lowest_voltage() -> None:
    assert drawn(watts("4324")) == pytest.approx((20, 20, 20))


def test_power_alone_counts_no_more_than_the_hardware_allows() -> None:
    assert drawn(watts("22000")) == (32, 32, 32)


def test_power_of_each_phase_is_divided_by_its_voltage() -> None:
    found = drawn(watts("2400", "L1"), watts("2162", "L2"), volts("240", "L1"))
    assert found == pytest.approx((10, 10, 0))


def test_an_induced_voltage_divides_nothing() -> None:
    assert drawn(watts("2162", "L1"), volts("130", "L1")) == pytest.approx((10, 0, 0))


def test_an_induced_current_is_none() -> None:
    found = drawn(amps("16", "L1"), amps("0.3", "L2"), volts("230", "L1"), volts("130", "L2"))
    assert found == (16, 0, 0)


def test_power_that_one_phase_cannot_explain_shows_that_the_others_carry_the_same() -> None:
    assert drawn(amps("16", "L1"), watts("11000"), volts("230", "L1")) == (16, 16, 16)


def test_power_that_no_current_explains_counts_by_itself() -> None:
    found = drawn(amps("0", "L1"), amps("0", "L2"), amps("0", "L3"), watts("4324"))
    assert found == pytest.approx((20, 20, 20))


def test_a_message_that_tells_nothing_of_current_tells_no_draw() -> None:
    assert drawn(value("1234"), volts("230", "L1")) is None


def test_temperatures_come_in_several_units() -> None:
    assert sample(value("41", "Temperature", "Celcius")).temperature_c == 41
    assert sample(value("104", "Temperature", "Fahrenheit")).temperature_c == pytest.approx(40)
    assert sample(value("313.15", "Temperature", "K")).temperature_c == pytest.approx(40)


def test_what_is_offered_is_the_highest_of_the_phases_and_no_draw() -> None:
    told = sample(value("10", "Current.Offered"), value("13500", "Current.Offered", "mA"))
    assert told.offered_a == 13.5
    assert told.total_a is None


def test_a_state_of_charge_is_a_percentage() -> None:
    assert sample(value("55", "SoC", "Percent")).soc_percent == 55
    assert sample(value("255", "SoC", "Percent")).soc_percent is None


def test_values_of_one_moment_are_one_sample_and_samples_are_in_order() -> None:
    found = read_samples(
        (
            {"timestamp": "2026-11-23T12:00:10Z", "sampledValue": [amps("10", "L1")]},
            {"timestamp": "2026-11-23T12:00:10Z", "sampledValue": [value("99")]},
            {"timestamp": "2026-11-23T12:00:00Z", "sampledValue": [amps("5", "L1")]},
        )
    )
    assert [(s.amps[0], s.energy_wh) for s in found] == [(5, None), (10, 99)]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
SAMPLED = st.fixed_dictionaries(
    {},
    optional={
        "value": JSON,
        "measurand": st.sampled_from(["Current.Import", "Power.Active.Import", "Voltage", "SoC", "Temperature"]) | JSON,
        "unit": st.sampled_from(["A", "kW", "Wh", "kWh", "mA"]) | JSON,
        "phase": st.sampled_from(["L1", "L2", "L3", "N", "L1-N"]) | JSON,
        "context": JSON,
        "location": JSON,
    },
)


@given(
    st.lists(st.fixed_dictionaries({"timestamp": JSON, "sampledValue": st.lists(SAMPLED | JSON) | JSON}), max_size=4)
)
def test_whatever_is_sent_gives_finite_currents_or_none(values: list[Any]) -> None:
    for found in read_samples(tuple(values)):
        for terminals in (THREE, SINGLE):
            currents = drawn_amps(found, terminals)
            assert currents is None or all(0 <= current < 1e12 for current in currents)


@given(st.lists(st.floats(min_value=0, max_value=64), min_size=3, max_size=3))
def test_no_phase_is_ever_counted_below_what_was_told(currents: list[float]) -> None:
    told = [amps(str(current), f"L{phase + 1}") for phase, current in enumerate(currents)]
    found = drawn(*told, watts("3000"))
    assert found is not None
    assert all(count >= current - 1e-9 for count, current in zip(found, currents, strict=True))


class TestEnergyRegister:
    def test_it_begins_where_the_charger_is_and_follows(self) -> None:
        register = EnergyRegister()
        assert [register.feed(wh, at, 22_000) for wh, at in ((1000, 0), (1050, 10), (1100, 20))] == [1000, 1050, 1100]

    def test_a_restart_at_zero_goes_on_from_where_it_was(self) -> None:
        register = EnergyRegister()
        register.feed(5000, 0, 22_000)
        assert register.feed(0, 10, 22_000) == 5000
        assert register.feed(40, 20, 22_000) == 5040

    def test_a_rounding_is_no_restart(self) -> None:
        register = EnergyRegister()
        register.feed(5000, 0, 22_000)
        assert register.feed(4995, 10, 22_000) == 5000
        assert register.feed(5003, 20, 22_000) == 5003

    def test_a_jump_is_bounded_by_what_the_connector_can_deliver(self) -> None:
        register = EnergyRegister()
        register.feed(1000, 0, 11_000)
        assert register.feed(900_000, 3600, 11_000) == pytest.approx(1000 + 11_000 * 1.25 + 100)

    def test_a_register_in_whole_kwh_is_followed_through_its_steps(self) -> None:
        register = EnergyRegister()
        told = [(361_000 + 1000 * (second // 400), second) for second in range(0, 2000, 10)]
        assert [register.feed(wh, at, 11_000) for wh, at in told] == [wh for wh, _ in told]

    def test_a_register_that_leaps_again_and_again_gains_what_can_flow(self) -> None:
        register = EnergyRegister()
        register.feed(0, 0, 11_000)
        total = [register.feed(1100 * number, 3 * number, 11_000) for number in range(1, 100)][-1]
        assert total == pytest.approx(11_000 * 1.25 * 297 / 3600 + 100 * 99)

    def test_an_older_value_changes_nothing(self) -> None:
        register = EnergyRegister()
        register.feed(1000, 100, 11_000)
        assert register.feed(2000, 50, 11_000) == 1000

    @given(
        st.lists(st.tuples(st.floats(min_value=0, max_value=1e9), st.floats(min_value=0, max_value=600)), min_size=1)
    )
    def test_it_never_goes_back_nor_grows_faster_than_the_rating(self, steps: list[tuple[float, float]]) -> None:
        register = EnergyRegister()
        at = 0.0
        before = register.feed(steps[0][0], at, 11_000)
        for told, pause_s in steps[1:]:
            at += pause_s
            after = register.feed(told, at, 11_000)
            assert before <= after
            before = after
        most = steps[0][0] + at / 3600 * 11_000 * 1.25 + 100 * len(steps)
        assert before <= most * (1 + 1e-9) + 1e-6
