"""With which tokens transactions run at this moment, at all sites: for who may charge at one place at a time, or stop.

A start that was accepted counts from then on, though the transaction is heard of only later: two cards that are shown
within a moment must not both be the first. A charge point that is out of reach counts as well: its transaction goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from ..ledger.drivers import DriverRecord
from ..ocpp.protocols import Clock
from ..ocpp.tokens import folded
from .authorisation import Elsewhere
from .cards import Running
from .settings import ChargePointSettings

STARTING_S = 20.0
"""So long after a start was accepted it counts as running, though the site has not heard of it yet."""
MOST_STARTING = 256


class KnowsDrivers(Protocol):
    """Knows drivers by their tokens."""

    def known(self, id_tag: str) -> DriverRecord | None:
        """Return the driver with a token; None: nobody is known by it."""


class WhereTransactionsRun(Protocol):
    """What a site knows of its transactions."""

    def running(self) -> Iterable[Running]:
        """Return the transactions that run at it."""


class TokensInUse:
    """The tokens with which transactions run at all sites."""

    def __init__(
        self, drivers: KnowsDrivers, sites: Callable[[], Mapping[str, WhereTransactionsRun]], clock: Clock
    ) -> None:
        """Begin without a start; `sites` gives all sites that run, by their ids."""
        self._drivers = drivers
        self._sites = sites
        self._clock = clock
        self._starting: dict[tuple[str, int], tuple[str, float]] = {}
        """By charge point and connector: the token that was accepted to start there, and until when that counts."""

    def begins(self, point: ChargePointSettings, connector: int, id_tag: str) -> None:
        """Take note that a token was accepted to start at a connector."""
        self._starting[point.charge_point_id, connector] = (id_tag, self._clock.monotonic() + STARTING_S)
        while len(self._starting) > MOST_STARTING:
            del self._starting[next(iter(self._starting))]

    def elsewhere(self, point: ChargePointSettings, connector: int | None, id_tag: str, group: str | None) -> Elsewhere:
        """Return at how many connectors but this one a transaction runs with a token, and with its group."""
        token = folded(id_tag)
        others = [shown for place, shown in self._everywhere().items() if place != (point.charge_point_id, connector)]
        return Elsewhere(
            token=sum(folded(shown) == token for shown in others),
            group=0 if group is None else sum(self._group(shown) == group for shown in others),
        )

    def may_be_stopped(self, site_id: str, point: ChargePointSettings, id_tag: str, group: str | None) -> bool:
        """Return whether a transaction runs at a charge point that a token, of a group or of none, may stop."""
        site = self._sites().get(site_id)
        return site is not None and any(
            folded(running.id_tag) == folded(id_tag) or (group is not None and self._group(running.id_tag) == group)
            for running in site.running()
            if running.charge_point_id == point.charge_point_id
        )

    def _everywhere(self) -> Mapping[tuple[str, int], str]:
        """Return the token at each place where a transaction runs or begins."""
        now = self._clock.monotonic()
        heard_of = {
            (running.charge_point_id, running.connector): running.id_tag
            for site in self._sites().values()
            for running in site.running()
        }
        self._starting = {
            place: (id_tag, until)
            for place, (id_tag, until) in self._starting.items()
            if now < until and folded(heard_of.get(place, "")) != folded(id_tag)
        }
        return heard_of | {place: id_tag for place, (id_tag, _) in self._starting.items()}

    def _group(self, id_tag: str) -> str | None:
        driver = self._drivers.known(id_tag)
        return None if driver is None else driver.group
