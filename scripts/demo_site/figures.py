"""What Home Assistant recorded of a run, asked for as an automation would: through the integration's own actions."""

from .client import HomeAssistantClient, Json
from .commissioning import DOMAIN, CommissionedSite
from .shown import shown_of


async def records_of(client: HomeAssistantClient, site: CommissionedSite) -> Json:
    """Return the figures of a run."""
    shown = await shown_of(client, site)
    return {"entities": len(shown.by_unique_id)}


async def sessions_of(client: HomeAssistantClient, site: CommissionedSite) -> list[Json]:
    """Return the sessions that were recorded, oldest first; one that runs has no end."""
    return list((await _ask(client, "get_sessions", site))["sessions"])


async def _ask(client: HomeAssistantClient, action: str, site: CommissionedSite) -> Json:
    async with client.websocket() as socket:
        answer: Json = await socket.action(f"{DOMAIN}.{action}", answer=True, config_entry_id=site.entry_id)
    return answer
