"""What *System information* tells: how much of everything there is, where charge points dial in, how the ledger is."""

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
    listeners = {(at.host, at.port) for at in (runtime.site.settings.listener for runtime in runtimes)}
    return ", ".join(f"ws://{f'[{host}]' if ':' in host else host}:{port}" for host, port in sorted(listeners))


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
