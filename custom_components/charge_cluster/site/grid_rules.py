"""What grid operators' rules say in figures: the floor that §14a EnWG leaves, the time that EREC G100 allows.

Figures of rules change; each stands here with where it comes from, and nowhere else.
"""

from __future__ import annotations

from ..engine.guard import CAR_SETTLING_S
from ..engine.model import HIGHEST_VOLTAGE_V, PHASES, PhaseAmps
from ..engine.rows import total_of
from .dispatch import EXPIRY_SLACK_S
from .settings import SiteSettings
from .views import CapView, FailSafeTime

# §14a EnWG: BNetzA BK6-22-300 (27 November 2023), annex 1, section 4.5.2: with n controllable devices behind an energy
# management system at least 4.2 kW + (n − 1) × GZF × 4.2 kW stay, GZF falling from 0.8 for two by 0.05 for each further
# one to 0.45 for nine and more. Heat pumps and air conditioning above 11 kW count otherwise; they are none of ours.
SECTION_14A_DEVICE_W = 4200.0
GZF_OF_TWO = 0.80
GZF_STEP = 0.05
GZF_LEAST = 0.45


def section_14a_minimum_w(devices: int) -> float:
    """Return the power that so many controllable devices may always draw together, in W.

    Raises:
        ValueError: there is not even one.
    """
    if devices < 1:
        raise ValueError("§14a is about one device at least")
    factor = max(GZF_LEAST, GZF_OF_TWO - GZF_STEP * (devices - 2))
    return SECTION_14A_DEVICE_W * (1 + (devices - 1) * factor)


def fail_safe_time(settings: SiteSettings, meter_timeout_s: float | None) -> FailSafeTime:
    """Return how long a circuit may be above its cap when something fails; `meter_timeout_s` is that of its guard.

    The longest way: the meter dies, limits are renewed until that is noticed, then the way to the chargers dies too.
    They run out by themselves and the cars follow; nothing more has to be decided or sent for it.
    """
    return FailSafeTime(
        detection_s=0.0 if meter_timeout_s is None else round(meter_timeout_s, 1),
        validity_s=settings.validity_s + EXPIRY_SLACK_S,
        reaction_s=CAR_SETTLING_S,
    )


def fallback_excess(cap: CapView, fallbacks_a: PhaseAmps, all_a: PhaseAmps) -> float:
    """Return by how much fallbacks would hold a circuit above its cap when everything has died, in the cap's unit.

    Where there is no fallback nothing of ours flows then, and the building alone is what it is.
    """
    flowing = fallbacks_a if cap.vehicles_only else all_a
    charging = [flowing[phase] for phase in PHASES if fallbacks_a[phase]]
    if not charging:
        return 0.0
    if cap.amps is not None:
        return max(0.0, max(charging) - cap.amps)
    return max(0.0, HIGHEST_VOLTAGE_V * total_of(flowing) - (cap.watts or 0.0))
