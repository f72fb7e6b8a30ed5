"""What was found out about models of charge points, kept in the ledger for all sites: see `ocpp.experience`."""

from __future__ import annotations

from collections.abc import Mapping

from ..ledger import Ledger

ALL_SITES = ""
"""Stands for a site where something is kept for all of them."""
MODEL = "model"
MOST_MODELS = 1000
"""A car park has a few; whoever makes up new names at each boot fills nothing."""


class ModelBook:
    """The memory of one installation."""

    def __init__(self, ledger: Ledger) -> None:
        """Use `open`."""
        self._ledger = ledger
        self._found: dict[str, dict[str, str]] = {}

    @classmethod
    async def open(cls, ledger: Ledger) -> ModelBook:
        """Return the memory with all that was kept; nothing where the ledger cannot be read."""
        book = cls(ledger)
        kept = (await ledger.kept.load(ALL_SITES)).get(MODEL, {})
        book._found = {
            model: {topic: found for topic, found in fields.items() if isinstance(found, str)}
            for model, fields in kept.items()
        }
        return book

    def recall(self, model: str) -> Mapping[str, str]:
        """Return what was found of a model, by topic."""
        return self._found.get(model, {})

    def keep(self, model: str, topic: str, finding: str) -> None:
        """Remember a finding."""
        if model not in self._found and len(self._found) >= MOST_MODELS:
            return
        found = self._found.setdefault(model, {})
        found[topic] = finding
        self._ledger.kept.put(ALL_SITES, MODEL, model, dict(found))
