"""`server_settings`: what a client asks before signing in."""

from __future__ import annotations

from html import escape

from keybearer._version import __version__
from keybearer.server.api.answers import Answer, success
from keybearer.server.api.call import Call
from keybearer.server.api.description import BOOLEAN, INTEGER, STRING, Schema, array
from keybearer.server.api.endpoints import Endpoint
from keybearer.server.domain.errors import Refused
from keybearer.server.domain.rules import OPEN
from keybearer.server.services import realms

FEATURE_LEVEL = 492
VERSION = "12.0"
"""The Zulip release whose wire this is. Programs read the number in it."""
_OTHER_METHODS = (
    "ldap", "remoteuser", "github", "azuread", "gitlab", "google", "apple", "saml", "openid connect",
)  # fmt: skip


async def get_settings(call: Call) -> Answer:
    """`GET server_settings`. A deactivated organization also answers."""
    realm = await realms.find(call.context)
    if not realm.answers_for(call.request.host):
        raise Refused("Invalid subdomain")
    methods = {"password": True, "dev": call.context.settings.development, "email": True}
    return success(
        authentication_methods={**methods, **dict.fromkeys(_OTHER_METHODS, False)},
        zulip_version=VERSION,
        keybearer_version=__version__,
        zulip_merge_base="",
        zulip_feature_level=FEATURE_LEVEL,
        push_notifications_enabled=False,
        is_incompatible=call.origin.client.startswith("ZulipInvalid"),
        email_auth_enabled=True,
        require_email_format_usernames=True,
        realm_url=realm.site,
        realm_uri=realm.site,
        realm_name=realm.name,
        realm_icon=f"{realm.site}/static/icon.svg",
        realm_description=f"<p>{escape(realm.description)}</p>" if realm.description else "",
        realm_web_public_access_enabled=False,
        external_authentication_methods=[],
    )


_SETTINGS: dict[str, Schema] = {
    "authentication_methods": {"type": "object", "additionalProperties": BOOLEAN},
    "zulip_version": STRING,
    "keybearer_version": STRING,
    "zulip_merge_base": STRING,
    "zulip_feature_level": INTEGER,
    "push_notifications_enabled": BOOLEAN,
    "is_incompatible": BOOLEAN,
    "email_auth_enabled": BOOLEAN,
    "require_email_format_usernames": BOOLEAN,
    "realm_url": STRING,
    "realm_uri": STRING,
    "realm_name": STRING,
    "realm_icon": STRING,
    "realm_description": STRING,
    "realm_web_public_access_enabled": BOOLEAN,
    "external_authentication_methods": array({"type": "object"}),
}

ENDPOINTS = (
    Endpoint.get(
        "server_settings",
        get_settings,
        OPEN,
        "The public settings of the server, which a client reads before it signs in.",
        gives=_SETTINGS,
        names_unsupported=False,
    ),
)
