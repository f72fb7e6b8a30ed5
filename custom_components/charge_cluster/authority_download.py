"""The certificate of the embedded authority as a file: what installers load into charge points that are to trust us.

It holds no secret. Like the report it is fetched by a link that is signed for some minutes, or by an administrator.
"""

from datetime import timedelta
from http import HTTPStatus

from aiohttp import web
from homeassistant.components.http import KEY_HASS, KEY_HASS_USER, HomeAssistantView
from homeassistant.components.http.auth import async_sign_path
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import Unauthorized

from .const import DOMAIN
from .newcomers import loaded_sites

SIGNED_FOR = timedelta(minutes=10)
FILE_NAME = "charge_cluster_authority.pem"


@callback
def signed_authority_path(hass: HomeAssistant) -> str:
    """Return a path that the certificate can be fetched from for some minutes, by whoever has it."""
    return async_sign_path(hass, AuthorityView.url, SIGNED_FOR)


class AuthorityView(HomeAssistantView):
    """Gives the certificate to whoever may have it."""

    url = f"/api/{DOMAIN}/authority.pem"
    name = f"api:{DOMAIN}:authority"

    async def get(self, request: web.Request) -> web.Response:
        """Answer with the file. Raises Unauthorized."""
        user = request[KEY_HASS_USER]
        if not (user.is_admin or user.system_generated):
            raise Unauthorized
        for entry in loaded_sites(request.app[KEY_HASS]):
            authority = entry.runtime_data.installation.trust.known_authority
            if authority is not None:
                return web.Response(
                    body=authority.certificate.encode(),
                    content_type="application/x-pem-file",
                    headers={
                        "Content-Disposition": f'attachment; filename="{FILE_NAME}"',
                        "Cache-Control": "no-store",
                    },
                )
        return self.json_message("There is no certificate authority yet: no site uses TLS.", HTTPStatus.NOT_FOUND)
