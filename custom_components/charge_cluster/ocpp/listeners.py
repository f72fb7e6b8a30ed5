"""Those who have something told to them: added, and gone when they say so."""

from __future__ import annotations

from collections.abc import Callable


def enlist[ListenerT](listeners: list[ListenerT], listener: ListenerT) -> Callable[[], None]:
    """Add a listener; return what ends it, which may be called again."""
    listeners.append(listener)

    def end() -> None:
        if listener in listeners:
            listeners.remove(listener)

    return end
