"""Who may hear what: who charged, when somebody leaves and how much somebody wants is nobody else's business.

Administrators may hear it. In an answer about a whole site or cluster, which is made to be passed on, departures are
told to nobody.
"""

from homeassistant.core import HomeAssistant, ServiceCall

from ..coordinator import SubjectKind
from .target import Target

NAMES_ITSELF = frozenset({SubjectKind.CONNECTOR, SubjectKind.CHARGE_POINT})


async def is_administrator(hass: HomeAssistant, call: ServiceCall) -> bool:
    """Return whether an administrator asks; an automation that nobody started counts as one."""
    if call.context.user_id is None:
        return True
    user = await hass.auth.async_get_user(call.context.user_id)
    return user is not None and user.is_admin


def tells_departures(target: Target, *, administrator: bool) -> bool:
    """Return whether an answer about a target tells departures: to an administrator who asks about it by its name."""
    return administrator and not NAMES_ITSELF.isdisjoint(target.subjects)
