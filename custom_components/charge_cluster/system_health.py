"""What *System information* tells: how much of everything there is, where charge points dial in, how the ledger is."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from homeassistant.components.system_health import SystemHealthRegistration
from homeassistant.core import HomeAssistant, callback
from sqlalchemy import text
from sqlalchemy.orm import Session

from .const import DOMAIN
from .coordinator import SiteRuntime
from .ledger import Ledger
from .ledger.writer import StoreUnavailable
from .newcomers import loaded_sites
from .site.settings import SiteSettings, TlsMode

MEBIBYTE = 1024 * 1024


@callback
def async_register(hass: HomeAssistant, register: SystemHealthRegistration) -> None:
    """Offer what there is to tell."""
    del hass
    register.async_register_info(system_health_info, f"/config/integrations/integration/{DOMAIN}")


async def system_health_info(hass: HomeAssistant) -> dict[str, Any]:
    """Return the figures; those of the ledger are asked for when they are shown, as its disk may be slow."""
    runtimes = [entry.runtime_data for entry in loaded_sites(hass)]
    told: dict[str, Any] = {
        "sites": len(runtimes),
        "charge_points": _charge_points(runtimes),
        "security_profiles": _profiles(runtimes),
    }
    if runtimes:
        ledger = runtimes[0].installation.ledger  # that of all sites
        told |= {
            "listener": _listeners(runtimes),
            "ledger": _state(ledger),
            "ledger_size": _size(hass, ledger),
            "schema_version": _schema(ledger),
        }
    return told


def _charge_points(runtimes: list[SiteRuntime]) -> str:
    views = [view for runtime in runtimes for view in runtime.site.charge_points.values()]
    return f"{sum(view.online for view in views)}/{len(views)}"


def _listeners(runtimes: list[SiteRuntime]) -> str:
    """Return where charge points dial in, each address once."""
    listeners = {taken for runtime in runtimes for taken in _taken(runtime.site.settings)}
    return ", ".join(
        f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}" for scheme, host, port in sorted(listeners)
    )


def _taken(settings: SiteSettings) -> Iterator[tuple[str, str, int]]:
    """Yield scheme, host and port of what a site's listener takes."""
    at, tls = settings.listener, settings.tls
    if tls.mode is TlsMode.NONE or not tls.only:
        yield ("ws", at.host, at.port)
    if tls.mode is not TlsMode.NONE:
        yield ("wss", at.host, at.port if tls.port is None else tls.port)


def _profiles(runtimes: list[SiteRuntime]) -> str:
    """Return how many connected charge points use which security profile of OCPP."""
    found = Counter(
        runtime.installation.profile_of(runtime.site.settings, point.identity)
        for runtime in runtimes
        for point in runtime.site.settings.charge_points
    )
    return ", ".join(f"{profile}: {found[profile]}" for profile in range(4) if found[profile]) or "–"


def _state(ledger: Ledger) -> str | dict[str, str]:
    state = ledger.state
    if not state.available:
        # Behind its first line the fault of a database repeats what was to be written.
        return {"type": "failed", "error": (state.fault or "").partition("\n")[0]}
    return "ok" if state.replaced_with is None else f"ok ({state.replaced_with})"


async def _size(hass: HomeAssistant, ledger: Ledger) -> str:
    """Return the size of the database with what was not yet moved into it."""

    def size() -> int:
        files = (ledger.path, ledger.path.with_name(f"{ledger.path.name}-wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    return f"{await hass.async_add_executor_job(size) / MEBIBYTE:.1f} MiB"


async def _schema(ledger: Ledger) -> str | dict[str, str]:
    """Return the version of the tables."""

    def version(session: Session) -> str:
        return str(session.scalar(text("SELECT version_num FROM alembic_version")))

    try:
        return await ledger.run(version)
    except StoreUnavailable as error:
        return {"type": "failed", "error": str(error).partition("\n")[0]}
