"""Why a connector has the limit that it has, as a sentence in the language of this Home Assistant.

The sentences stand in the translations, one for each reason; what is known beyond the reason is added to it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Self

from homeassistant.core import HomeAssistant
from homeassistant.helpers.translation import async_get_translations
from homeassistant.util import dt as dt_util

from ..const import DOMAIN
from ..engine.model import Reason
from ..site.cap import CapSource
from ..site.plan import PlanView
from ..site.views import ConnectorView

CATEGORY = "common"

WH_PER_KWH = 1000.0

LIKE_A_LIMIT_A = 0.05
"""Amps that differ by less are the same."""


def moment(at: float | None) -> datetime | None:
    """Return UTC POSIX seconds as a time, to the second."""
    return None if at is None else dt_util.utc_from_timestamp(round(at))


def spoken(at: float | None) -> str | None:
    """Return UTC POSIX seconds as answers give them; None: not known."""
    when = moment(at)
    return None if when is None else when.isoformat()


class Sentences:
    """The sentences of one language."""

    def __init__(self, words: Mapping[str, str]) -> None:
        """Take the sentences by their keys; `load` finds them."""
        self._words = words

    @classmethod
    async def load(cls, hass: HomeAssistant) -> Self:
        """Return the sentences of this Home Assistant's language, in English where there are none."""
        return cls(await async_get_translations(hass, hass.config.language, CATEGORY, [DOMAIN]))

    def _say(self, key: str, placeholders: Mapping[str, str]) -> str:
        return self._words[f"component.{DOMAIN}.{CATEGORY}.{key}"].format(**placeholders)

    def reason(
        self,
        reason: Reason,
        *,
        connector: str,
        circuit: str,
        limit_a: float,
        fallback_a: float,
        source: str | None = None,
    ) -> str:
        """Return why a connector has (had) a limit; `source` set the cap that is the reason, where that is known."""
        return self._say(
            f"because_{reason}",
            {
                "connector": connector,
                "circuit": circuit,
                "limit": _amps(limit_a),
                "fallback": _amps(fallback_a),
                "source": self._named(source),
            },
        )

    def _named(self, source: str | None) -> str:
        """Return the source of a cap as it is called in a sentence."""
        if source is not None and source not in CapSource:
            return source
        return self._say("cap_by_somebody" if source is None else f"cap_by_{source}", {})

    def whole(self, view: ConnectorView, *, connector: str, site: str, departures: bool = False) -> str:
        """Return what a connector may draw now, why, what it is to draw and when that is expected to change.

        Args:
            view: what is known of the connector.
            connector: how it is called.
            site: how the site is called.
            departures: whether who hears it may know when its driver leaves.
        """
        said = [
            self.reason(
                view.reason,
                connector=connector,
                circuit=view.reason_circuit or site,
                limit_a=view.limit_a,
                fallback_a=view.fallback_a,
                source=view.reason_source,
            )
        ]
        if view.online and abs(view.target_a - view.limit_a) >= LIKE_A_LIMIT_A:
            said.append(self._say("limit_to_come", {"target": _amps(view.target_a)}))
        if view.on_one_phase:
            said.append(self._say("on_one_phase", {}))
        if view.queue_position is not None:
            said.append(self._say("queue_position", {"position": str(view.queue_position)}))
        if view.plan is not None and view.plan.impossible:
            said.append(self._lacks(view.plan, departures=departures))
        if view.session is not None and view.session.target is not None and view.session.soc is None:
            said.append(self._say("soc_unknown", {}))
        expected = moment(view.expected_at)
        if expected is not None:
            said.append(self._say("change_expected", {"time": f"{dt_util.as_local(expected):%H:%M}"}))
        return " ".join(said)

    def _lacks(self, plan: PlanView, *, departures: bool) -> str:
        """Return how much of what was asked for cannot be had in time, and when it could be."""
        lacks = {"energy": f"{plan.shortfall_wh / WH_PER_KWH:.1f}"}
        if not departures:
            # By when it could be had and how much will be missing would tell together when it leaves.
            return self._say("wish_impossible", lacks)
        times = {"leave": _clock(plan.leave_at), "possible": _clock(plan.possible_at)}
        return self._say("wish_impossible_by", lacks | times)


def _clock(at: float | None) -> str:
    """Return a time as a clock shows it, with the day where that is another."""
    when = moment(at)
    if when is None:
        return "—"
    local, today = dt_util.as_local(when), dt_util.now().date()
    return f"{local:%H:%M}" if local.date() == today else f"{local:%Y-%m-%d %H:%M}"


def _amps(amps: float) -> str:
    return f"{round(amps, 1):g}"
