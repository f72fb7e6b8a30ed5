"""The list of tags that a charge point keeps so that it can decide about them alone."""

from collections.abc import Mapping

MOST_ENTRIES = 100

ACCEPTED = "Accepted"


class LocalList:
    """Tags with the status that each has."""

    def __init__(self) -> None:
        """Begin empty, which is version 0."""
        self.version = 0
        self._statuses: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._statuses)

    def status_of(self, tag: str) -> str | None:
        """Return what the list says of a tag, None where it does not have it."""
        return self._statuses.get(tag)

    def replace(self, version: int, statuses: Mapping[str, str]) -> str:
        """Take a whole new list; return the status of the answer."""
        if len(statuses) > MOST_ENTRIES:
            return "Failed"
        self._statuses = dict(statuses)
        self.version = version
        return ACCEPTED

    def update(self, version: int, changes: Mapping[str, str | None]) -> str:
        """Take changes, where None takes a tag out; return the status of the answer."""
        if version <= self.version:
            return "VersionMismatch"
        changed = {**self._statuses, **changes}
        left = {tag: status for tag, status in changed.items() if status is not None}
        if len(left) > MOST_ENTRIES:
            return "Failed"
        self._statuses = left
        self.version = version
        return ACCEPTED
