"""A Home Assistant configuration folder for a demonstration or a test: small, offline, and with this checkout's code.

What is seeded here stands for what Home Assistant would otherwise ask or fetch: its address, so that it does not
restart itself to get one, and the steps of its onboarding that set up services of the internet. The user step is left,
and done through the real interface.
"""

import json
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]

CONFIGURATION = """\
# Written by scripts/demo. No default_config: it would bring what needs the internet.
homeassistant:
  name: Car park
  latitude: 52.37
  longitude: 4.90
  elevation: 0
  unit_system: metric
  currency: EUR
  country: NL
  language: en
  time_zone: Europe/Amsterdam
frontend:
config:
history:
logbook:
recorder:
  commit_interval: 1
energy:
sun:
logger:
  default: warning
  logs:
    homeassistant.core: info
    custom_components.charge_cluster: info
"""


def prepare(folder: Path, *, port: int, host: str = "127.0.0.1") -> None:
    """Make a configuration folder, or bring an existing one to this address; what else it holds is kept."""
    storage = folder / ".storage"
    storage.mkdir(parents=True, exist_ok=True)
    (folder / "configuration.yaml").write_text(CONFIGURATION, encoding="utf-8")
    _write(storage / "http", _address(host, port))
    if not (storage / "onboarding").exists():
        _write(storage / "onboarding", _onboarding())
    _mount(folder / "custom_components" / "charge_cluster", CHECKOUT / "custom_components" / "charge_cluster")


def _mount(link: Path, integration: Path) -> None:
    link.parent.mkdir(exist_ok=True)
    if link.is_symlink():
        link.unlink()
    link.symlink_to(integration, target_is_directory=True)


def _write(file: Path, stored: dict[str, object]) -> None:
    file.write_text(json.dumps(stored, indent=2), encoding="utf-8")


def _address(host: str, port: int) -> dict[str, object]:
    stable = {
        "server_host": [host],
        "server_port": port,
        "cors_allowed_origins": ["https://cast.home-assistant.io"],
        "login_attempts_threshold": -1,
        "ip_ban_enabled": True,
        "ssl_profile": "modern",
        "use_x_frame_options": True,
        "created_at": "2026-01-01T00:00:00+00:00",
        "error": None,
        "error_message": None,
    }
    data = {"stable": stable, "pending": None, "yaml_migration_done": True}
    return {"version": 2, "minor_version": 2, "key": "http", "data": data}


def _onboarding() -> dict[str, object]:
    done = ["core_config", "analytics", "integration"]
    return {"version": 4, "minor_version": 1, "key": "onboarding", "data": {"done": done}}
