"""What Home Assistant shows of the site: the states of our entities, found by what they are about.

Entities are found through the registry, as their ids follow the names that a person gave.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from .client import HomeAssistantClient, Json
from .commissioning import DOMAIN, SUPPLY, CommissionedSite

UNKNOWN = frozenset({"unknown", "unavailable"})


@dataclass(frozen=True, slots=True)
class Shown:
    """The states at one moment."""

    entry_id: str
    by_unique_id: Mapping[str, Json]

    def circuit(self, circuit_id: str, key: str) -> str | None:
        """Return the state of an entity of the supply or a cluster, by its id in the forms; None: there is none."""
        prefix = f"{self.entry_id}/{SUPPLY}" if circuit_id == SUPPLY else circuit_id
        return self._state(f"{prefix}-{key}")

    def amps(self, circuit_id: str, key: str) -> str:
        """Return three entities of a circuit, one per phase, as whole amps in a row."""
        return " ".join(_whole(self.circuit(circuit_id, f"{key}_l{number}")) for number in (1, 2, 3))

    def count(self, key: str, state: str) -> int:
        """Return how many of the entities with this key have this state."""
        return sum(value == state for value in self.all(key))

    def all(self, key: str) -> Iterator[str]:
        """Yield the states of all entities with this key."""
        return (str(state["state"]) for unique_id, state in self.by_unique_id.items() if unique_id.endswith(f"-{key}"))

    def _state(self, unique_id: str) -> str | None:
        state = self.by_unique_id.get(unique_id)
        return None if state is None or state["state"] in UNKNOWN else str(state["state"])


async def shown_of(client: HomeAssistantClient, site: CommissionedSite) -> Shown:
    """Return what Home Assistant shows now."""
    async with client.websocket() as socket:
        registered = await socket.call("config/entity_registry/list")
        states = await socket.states()
    return Shown(
        entry_id=site.entry_id,
        by_unique_id={
            entity["unique_id"]: states[entity["entity_id"]]
            for entity in registered
            if entity["platform"] == DOMAIN
            and entity["config_entry_id"] == site.entry_id
            and entity["entity_id"] in states
        },
    )


def _whole(state: str | None) -> str:
    return "–" if state is None else f"{float(state):.0f}"
