"""Shares are feasible, exact and max-min fair."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, strategies as st
from scipy.optimize import linprog

from custom_components.charge_cluster.engine.allocation import Claim, InfeasibleError, fair_shares
from tests.engine.trees import Tree, a_tree

EXACT_A = 1e-7
"""What HiGHS itself is exact to; our own deviation from the bottleneck condition is checked to 1e-9 A."""


def loads(tree: Tree, amps: list[float]) -> list[float]:
    total = [0.0] * len(tree.capacity)
    for share, claim in zip(amps, tree.claims, strict=True):
        for row in claim.rows:
            total[row] += claim.count * share
    return total


def shares_by_lp(tree: Tree) -> list[float]:
    """Return the max-min fair allocation by iterated linear programmes: raise the common level, fix who is stuck."""
    count = len(tree.claims)
    fixed: dict[int, float] = {}
    while len(fixed) < count:
        level = _highest_level(tree, fixed)
        stuck = 0
        for index, claim in enumerate(tree.claims):
            if index in fixed:
                continue
            at_level = min(max(claim.lower, level * claim.weight), claim.upper)
            if at_level >= claim.upper - 1e-9 or _most(tree, fixed, level, index) <= at_level + 1e-7:
                fixed[index] = at_level
                stuck += 1
        assert stuck, "the oracle is stuck"
    return [fixed[index] for index in range(count)]


def _bounds(tree: Tree, fixed: dict[int, float], level: float) -> list[tuple[float, float]]:
    bounds = []
    for index, claim in enumerate(tree.claims):
        if index in fixed:
            bounds.append((fixed[index], fixed[index]))
        else:
            bounds.append((min(max(claim.lower, level * claim.weight), claim.upper), claim.upper))
    return bounds


def _matrix(tree: Tree, extra: int) -> list[list[float]]:
    matrix = [[0.0] * (len(tree.claims) + extra) for _ in tree.capacity]
    for index, claim in enumerate(tree.claims):
        for row in claim.rows:
            matrix[row][index] += claim.count
    return matrix


def _highest_level(tree: Tree, fixed: dict[int, float]) -> float:
    """Return the highest level at which everybody that is not fixed can be (bisection on feasibility)."""
    low, high = 0.0, max(c.upper / c.weight for i, c in enumerate(tree.claims) if i not in fixed)
    if _feasible(tree, fixed, high):
        return high
    for _ in range(70):
        middle = (low + high) / 2
        if _feasible(tree, fixed, middle):
            low = middle
        else:
            high = middle
    return low


def _feasible(tree: Tree, fixed: dict[int, float], level: float) -> bool:
    total = [0.0] * len(tree.capacity)
    for (least, _), claim in zip(_bounds(tree, fixed, level), tree.claims, strict=True):
        for row in claim.rows:
            total[row] += claim.count * least
    return all(load <= room + 1e-9 for load, room in zip(total, tree.capacity, strict=True))


def _most(tree: Tree, fixed: dict[int, float], level: float, index: int) -> float:
    """Return the most that one claim can get while the others keep the level."""
    objective = [0.0] * len(tree.claims)
    objective[index] = -1.0
    solved = linprog(
        objective,
        A_ub=_matrix(tree, 0),
        b_ub=[room + 1e-9 for room in tree.capacity],
        bounds=_bounds(tree, fixed, level),
        method="highs",
    )
    assert solved.status == 0, solved.message
    return float(-solved.fun)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("points", [3, 12, 30])
def test_shares_equal_those_of_iterated_linear_programmes(points: int, seed: int) -> None:
    tree = a_tree(points, seed, lower_a=1.0)
    ours = fair_shares(tree.capacity, tree.claims).amps
    assert ours == pytest.approx(shares_by_lp(tree), abs=EXACT_A)


@given(points=st.integers(1, 80), seed=st.integers(0, 10_000), lower=st.sampled_from([0.0, 0.5, 6.0]))
def test_everybody_is_full_or_behind_a_full_row_in_which_nobody_has_more(points: int, seed: int, lower: float) -> None:
    """The bottleneck condition, which only the max-min fair allocation fulfils."""
    tree = a_tree(points, seed, lower_a=lower)
    shares = fair_shares(tree.capacity, tree.claims)
    total = loads(tree, shares.amps)
    assert all(load <= room + 1e-9 for load, room in zip(total, tree.capacity, strict=True))
    for claim, amps, row in zip(tree.claims, shares.amps, shares.bottleneck, strict=True):
        assert claim.lower - 1e-9 <= amps <= claim.upper + 1e-9
        if row is None:
            assert amps == pytest.approx(claim.upper, abs=1e-9)
            continue
        assert row in claim.rows
        assert total[row] == pytest.approx(tree.capacity[row], abs=1e-7)
        for other, theirs in zip(tree.claims, shares.amps, strict=True):
            if row in other.rows and theirs > other.lower + 1e-7:
                assert theirs / other.weight <= amps / claim.weight + 1e-7 or amps <= claim.lower + 1e-9


@given(points=st.integers(1, 40), seed=st.integers(0, 10_000))
def test_vehicles_that_are_alike_get_as_one_claim_what_each_would_get_by_itself(points: int, seed: int) -> None:
    tree = a_tree(points, seed, lower_a=1.0)
    together = fair_shares(tree.capacity, tree.claims).amps
    each = [replace(claim, count=1) for claim in tree.claims for _ in range(claim.count)]
    expected = [amps for amps, claim in zip(together, tree.claims, strict=True) for _ in range(claim.count)]
    assert fair_shares(tree.capacity, each).amps == pytest.approx(expected, abs=1e-9)


def test_a_row_that_nothing_bounds_holds_nobody_back() -> None:
    assert fair_shares([float("inf"), 10.0], [Claim((0, 0, 1), 0.0, 32.0), Claim((0,), 0.0, 32.0)]).amps == [10.0, 32.0]


def test_equal_weights_share_equally_and_what_one_does_not_take_goes_to_the_others() -> None:
    claims = [Claim((0,), 0.0, 32.0), Claim((0,), 0.0, 32.0), Claim((0,), 0.0, 4.0)]
    shares = fair_shares([40.0], claims)
    assert shares.amps == pytest.approx([18.0, 18.0, 4.0])
    assert shares.bottleneck == [0, 0, None]


def test_minima_are_kept_before_anything_is_shared() -> None:
    shares = fair_shares([20.0], [Claim((0,), 6.0, 32.0, 1.0), Claim((0,), 6.0, 32.0, 100.0)])
    assert shares.amps == pytest.approx([6.0, 14.0])


def test_a_row_that_is_full_of_minima_holds_everybody_there() -> None:
    shares = fair_shares([12.0, 100.0], [Claim((0, 1), 6.0, 32.0), Claim((0, 1), 6.0, 32.0), Claim((1,), 6.0, 10.0)])
    assert shares.amps == [6.0, 6.0, 10.0]
    assert shares.bottleneck == [0, 0, None]


def test_nobody_claims_anything() -> None:
    assert fair_shares([10.0], []).amps == []


def test_minima_that_do_not_fit_are_an_error_that_names_the_row() -> None:
    with pytest.raises(InfeasibleError) as error:
        fair_shares([100.0, 11.0], [Claim((0, 1), 6.0, 32.0), Claim((0, 1), 6.0, 32.0)])
    assert error.value.row == 1


@pytest.mark.parametrize(
    "claim",
    [
        Claim((0,), -1.0, 6.0),
        Claim((0,), 7.0, 6.0),
        Claim((0,), 0.0, float("inf")),
        Claim((0,), 0.0, 6.0, 0.0),
        Claim((0,), 0.0, 6.0, float("nan")),
        Claim((0,), float("nan"), 6.0),
    ],
)
def test_impossible_claims_are_refused(claim: Claim) -> None:
    with pytest.raises(ValueError, match="impossible"):
        fair_shares([100.0], [claim])
