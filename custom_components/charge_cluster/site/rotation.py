"""A charge point is given another key over its own connection, and nobody is lost when that fails.

The new key is remembered before the charge point hears of it, and from then on either opens the door. Only when it has
come with the new one is the old one dropped. One that refuses keeps its key; one of which nobody knows whether it took
the new one may come with either.
"""

from __future__ import annotations

import secrets
from enum import StrEnum

from ..ocpp.conversation import KeyOutcome, NotReachable
from ..ocpp.partner import Partner
from .settings import ChargePointSettings
from .trust import Trust

KEY_BYTES = (10, 20)
"""Keys are hexadecimal. 20 characters are what OCPP 1.6 lets one count on; where it means the digits of 20 bytes, as
its first edition does, some charge points take 40 and nothing shorter."""

RETURN_PATIENCE_S = 10.0
"""Some dial in anew at once, with the new key."""


class Rotated(StrEnum):
    """How far it has come."""

    DONE = "done"
    """It has come with the new key; the old one is worth nothing any more."""
    TAKEN = "taken"
    """It says that it took it; until it has come with it, the old one opens the door as well."""
    TAKEN_AFTER_RESTART = "taken_after_restart"
    """Likewise, and it uses it only when it has restarted."""
    REFUSED = "refused"
    """It keeps the key that it has."""
    UNKNOWN = "unknown"
    """It did not answer: either key opens the door."""


_RESULTS = {
    KeyOutcome.TAKEN: Rotated.TAKEN,
    KeyOutcome.TAKEN_AFTER_RESTART: Rotated.TAKEN_AFTER_RESTART,
    KeyOutcome.REFUSED: Rotated.REFUSED,
    KeyOutcome.UNKNOWN: Rotated.UNKNOWN,
}


async def rotate_key(partner: Partner, point: ChargePointSettings, trust: Trust) -> Rotated:
    """Give a charge point another key. Raises NotReachable.

    One that is under way already is asked to take the same key again: it may have taken it when nobody heard its
    answer, and a third key would lock it out.
    """
    pending = trust.pending_key(point)
    keys = [pending] if pending is not None else [secrets.token_hex(size) for size in KEY_BYTES]
    for key in keys:
        if pending is None:
            await trust.expect_key(partner.identity, key)
        try:
            outcome = await partner.change_key(key)
        except NotReachable:
            if pending is None:
                await trust.drop_key(partner.identity)
            raise
        if outcome is not KeyOutcome.REFUSED:
            break
    else:
        if pending is None:
            await trust.drop_key(partner.identity)
        return Rotated.REFUSED
    if outcome is KeyOutcome.TAKEN and await trust.comes_over(partner.identity, RETURN_PATIENCE_S):
        return Rotated.DONE
    return _RESULTS[outcome]
