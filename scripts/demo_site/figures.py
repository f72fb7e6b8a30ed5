"""What Home Assistant recorded of a run, asked for as an automation would: through the integration's own actions."""

from collections import Counter
from collections.abc import Iterable

from .client import HomeAssistantClient, Json
from .commissioning import DOMAIN, CommissionedSite
from .shown import UNKNOWN, shown_of


async def records_of(client: HomeAssistantClient, site: CommissionedSite) -> Json:
    """Return what Home Assistant shows at the end of a run: energies in kWh, limits in A, and why."""
    shown = await shown_of(client, site)
    return {
        "entities": len(shown.by_unique_id),
        "energy_kwh": _sum(shown.all("energy")),
        "session_energy_kwh": _sum(shown.all("session_energy")),
        "limits_a": [float(state) for state in shown.all("limit") if state not in UNKNOWN],
        "reasons": dict(Counter(shown.all("limit_reason"))),
        "statuses": dict(Counter(shown.all("status"))),
    }


def _sum(states: Iterable[str]) -> float:
    return round(sum(float(state) for state in states if state not in UNKNOWN), 3)


async def sessions_of(client: HomeAssistantClient, site: CommissionedSite) -> list[Json]:
    """Return the sessions that were recorded, newest first; one that runs has no end."""
    return list((await _ask(client, "get_sessions", site))["sessions"])


async def _ask(client: HomeAssistantClient, action: str, site: CommissionedSite) -> Json:
    async with client.websocket() as socket:
        answer: Json = await socket.action(f"{DOMAIN}.{action}", answer=True, config_entry_id=site.entry_id)
    return answer
