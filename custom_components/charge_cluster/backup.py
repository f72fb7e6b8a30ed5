"""What Home Assistant's backup needs of us: a consistent copy of the ledger beside the file that is being written.

A backup copies files while they change, so that the live ledger may arrive damaged. Start-up sees that and takes the
copy.
"""

from homeassistant.core import HomeAssistant

from .const import LOGGER
from .ledger.writer import StoreUnavailable
from .newcomers import loaded_sites


async def async_pre_backup(hass: HomeAssistant) -> None:
    """Copy the ledger. Where that fails, the copy before stays and the backup of everything else goes on."""
    for entry in loaded_sites(hass)[:1]:  # the ledger is that of all sites
        try:
            await entry.runtime_data.installation.ledger.snapshot()
        except StoreUnavailable as error:
            fault = str(error).partition("\n")[0]
            LOGGER.error("The backup has no new copy of the ledger: %s", fault)


async def async_post_backup(hass: HomeAssistant) -> None:
    """Leave the copy where it is: start-up also takes it when the disk damages the ledger."""
    del hass
