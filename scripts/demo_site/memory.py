"""What the demo remembers from run to run, beside the configuration that Home Assistant keeps itself.

A configuration folder holds one set-up site. As long as the simulated site is the same, the next run goes on with it;
the keys of the charge points are remembered here because nobody types them in twice.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from simulator.scenario import Scenario

FILE = "demo.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """A site that was set up completely."""

    site: str
    """Fingerprint of the simulated site."""
    entry_id: str
    ocpp_port: int
    meter_port: int
    """Of the first meter; the others follow."""
    circuits: dict[str, str]
    """Ids in Home Assistant by circuit of the scenario."""
    keys: dict[str, str] = field(repr=False)
    """AuthorizationKey by identity."""

    @classmethod
    def of(cls, folder: Path) -> Self | None:
        """Return what was remembered in a folder; None: nothing that can be read."""
        try:
            return cls(**json.loads((folder / FILE).read_text(encoding="utf-8")))
        except FileNotFoundError, json.JSONDecodeError, TypeError:
            return None

    def keep(self, folder: Path) -> None:
        """Write it into a folder."""
        file = folder / FILE
        file.touch(mode=0o600)
        file.write_text(json.dumps(asdict(self), indent=2), encoding="utf-8")


def fingerprint(scenario: Scenario) -> str:
    """Return what tells whether two scenarios have the same site; cars, loads and faults may differ."""
    circuits = [(c.circuit_id, c.name, c.parent_id, c.rating_a) for c in scenario.circuits]
    points = [(p.identity, p.name, p.connectors, p.security) for p in scenario.charge_points]
    built = repr((circuits, scenario.outlets, points, scenario.meters))
    return hashlib.sha256(built.encode()).hexdigest()
