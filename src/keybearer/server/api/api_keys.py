"""API keys: fetched with a password, replaced with themselves."""

from __future__ import annotations

from keybearer.secret import Secret
from keybearer.server.api.answers import Answer, success
from keybearer.server.api.call import Call
from keybearer.server.domain.accounts import is_email
from keybearer.server.domain.errors import Refused
from keybearer.server.services import api_keys, realms, sessions


async def fetch(call: Call) -> Answer:
    """`POST fetch_api_key`: email and password for the key, for apps that sign in."""
    username, password = call.parameters.text("username"), Secret(call.parameters.text("password"))
    realm = await realms.find(call.context)
    if not realm.answers_for(call.host):
        raise Refused("Invalid subdomain", code="NONEXISTENT_SUBDOMAIN")
    if not is_email(username):
        raise Refused("Enter a valid email address.")
    issued = await sessions.fetch_key(call.context, username, password, call.origin)
    return success(api_key=issued.api_key.reveal(), email=issued.account.delivery_email, user_id=issued.account.id)


async def fetch_own(call: Call) -> Answer:
    """`POST /json/fetch_api_key`: a signed-in person gives the password again."""
    password = Secret(call.parameters.optional_text("password") or "")
    await sessions.confirm_password(call.context, call.actor, password)
    issued = await api_keys.reveal_own(call.context, call.actor)
    return success(api_key=issued.api_key.reveal(), email=issued.account.delivery_email)


async def regenerate_own(call: Call) -> Answer:
    """`POST users/me/api_key/regenerate`: the old key authenticates the call that ends it."""
    issued = await api_keys.regenerate_own(call.context, call.actor)
    return success(api_key=issued.api_key.reveal())
