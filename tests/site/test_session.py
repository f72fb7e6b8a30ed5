"""What the energy of a session is made of."""

from hypothesis import given, strategies as st

from custom_components.charge_cluster.site.session import MOST_TRANSACTIONS, Session

ENERGY = st.floats(0, 50_000)


def a_session() -> Session:
    return Session(session_id="s", started_at=0.0, start_energy_wh=None)


@given(energies=st.lists(ENERGY, max_size=3 * MOST_TRANSACTIONS), register=st.lists(ENERGY, max_size=8))
def test_settled_transactions_are_all_that_counts_however_it_was_measured(
    energies: list[float], register: list[float]
) -> None:
    session = a_session()
    for number, energy_wh in enumerate(energies):
        session.join(str(number), None)
        for register_wh in sorted(register):
            session.measure(register_wh)
        session.settle(str(number), energy_wh)
    assert abs(session.energy_wh - sum(energies)) < 1e-6 * (1 + sum(energies))
    assert session.settled
    assert len(session.settled_wh) <= MOST_TRANSACTIONS


@given(register=st.lists(ENERGY, min_size=1))
def test_what_is_measured_never_falls(register: list[float]) -> None:
    session = a_session()
    seen = []
    for register_wh in register:
        session.measure(register_wh)
        seen.append(session.energy_wh)
    assert seen == sorted(seen)
    assert seen[-1] == max(register) - register[0]


def test_a_register_of_another_scale_does_not_count() -> None:
    session = a_session()
    session.join("1", None)
    session.charged("1", 800.0)
    session.charged("1", 5_000_000.0)
    assert session.energy_wh == 800.0
    session.settle("1", 1000.0)
    session.charged("1", 1200.0)
    assert session.energy_wh == 1000.0


@given(measured=ENERGY, first=ENERGY, again=ENERGY)
def test_an_end_that_is_told_again_replaces_and_a_bad_one_does_not(measured: float, first: float, again: float) -> None:
    session = a_session()
    session.join("1", "TAG")
    session.settle("1", first)
    session.measure(0.0)
    session.measure(measured)
    session.settle("1", -1.0)
    assert session.energy_wh == first + measured
    session.settle("1", again)
    assert session.energy_wh == again + measured
    assert (session.id_tag, session.transaction_id) == ("TAG", "1")
