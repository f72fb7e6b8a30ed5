"""Which measurands a charger sends: what others of its model took, else all that are wanted, else one by one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from .experience import Experience, Topic


def words(listed: str | None) -> set[str]:
    """Return the members of a list as a charger writes it."""
    return {word.strip() for word in (listed or "").split(",") if word.strip()}


def likely(wanted: Sequence[str], experience: Experience) -> tuple[str, ...]:
    """Return those of the wanted ones that others of the charger's model took; none where nothing is remembered."""
    remembered = words(experience.known(Topic.MEASURANDS).finding)
    return tuple(measurand for measurand in wanted if measurand in remembered)


async def agree_on(
    wanted: Sequence[str], experience: Experience, change: Callable[[str], Awaitable[bool]], *, may_try: bool
) -> bool | None:
    """Have a charger send measurands, those first that are likely; return whether anything was changed.

    None: one by one would be next, and may not be tried now.

    Args:
        wanted: the measurands, those that are needed most first.
        experience: what was taken is remembered here.
        change: asks the charger for a list of them, and tells whether it took that.
        may_try: whether the charger may be asked one by one now.
    """
    for some in dict.fromkeys((likely(wanted, experience) or tuple(wanted), tuple(wanted))):
        if await change(",".join(some)):
            experience.learned(Topic.MEASURANDS, ",".join(some))
            return True
    if not may_try:
        return None
    taken: list[str] = []
    for measurand in wanted:
        if await change(",".join([*taken, measurand])):
            taken.append(measurand)
    if taken:
        experience.learned(Topic.MEASURANDS, ",".join(taken))
    return bool(taken)
