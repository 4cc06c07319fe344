"""API keys: fetched with a password, replaced with themselves."""

from __future__ import annotations

from keybearer.secret import Secret
from keybearer.server.api.answers import Answer, success
from keybearer.server.api.call import Call
from keybearer.server.api.description import API_KEY, EMAIL, INTEGER, Schema, boolean, text
from keybearer.server.api.endpoints import Endpoint
from keybearer.server.domain.accounts import is_email
from keybearer.server.domain.errors import Refused
from keybearer.server.domain.grants import Scope
from keybearer.server.domain.rules import BY_KEY, OPEN, Way, Who
from keybearer.server.http.body import FORM, SMALL_FORM
from keybearer.server.services import api_keys, realms, sessions

USERNAME = text("username", "The account's email address.", required=True)
FETCHED: dict[str, Schema] = {"api_key": API_KEY, "email": EMAIL, "user_id": INTEGER}
"""The fields of a fetched key."""

_PASSWORD = text("password", "The person's password.", required=True)


async def check_subdomain(call: Call) -> None:
    """Raise Refused if no organization is at the requested host."""
    realm = await realms.find(call.context)
    if not realm.answers_for(call.request.host):
        raise Refused("Invalid subdomain", code="NONEXISTENT_SUBDOMAIN")


async def fetch(call: Call) -> Answer:
    """`POST fetch_api_key`: email and password for the key, for apps that sign in."""
    username, password = call.parameters.text("username"), Secret(call.parameters.text("password"))
    await check_subdomain(call)
    if not is_email(username.strip()):
        raise Refused("Enter a valid email address.")
    fetched = await sessions.fetch_key(call.context, username, password, call.origin)
    account = fetched.issued.account
    return success(
        api_key=fetched.issued.api_key.reveal(), email=account.delivery_email, user_id=account.id
    ).with_quota(fetched.quota)


async def fetch_by_token(call: Call) -> Answer:
    """`POST jwt/fetch_api_key`: for organizations that let another system sign people in. Organizations here do not."""
    call.parameters.text("token")
    call.parameters.optional_boolean("include_profile")
    await check_subdomain(call)
    raise Refused("JWT authentication is not enabled for this organization")


async def fetch_own(call: Call) -> Answer:
    """`POST /json/fetch_api_key`: a signed-in person enters the password again."""
    password = Secret(call.parameters.optional_text("password") or "")
    fetched = await sessions.reveal_own_key(call.context, call.caller, password)
    issued = fetched.issued
    return success(api_key=issued.api_key.reveal(), email=issued.account.delivery_email).with_quota(fetched.quota)


async def regenerate_own(call: Call) -> Answer:
    """`POST users/me/api_key/regenerate`: the old key authenticates the call that ends it."""
    issued = await api_keys.regenerate_own(call.context, call.caller)
    return success(api_key=issued.api_key.reveal())


ENDPOINTS = (
    Endpoint.post(
        "fetch_api_key",
        fetch,
        OPEN,
        SMALL_FORM,
        "Fetch a person's API key with their password.",
        takes=(USERNAME, _PASSWORD),
        gives=FETCHED,
    ),
    Endpoint.post(
        "jwt/fetch_api_key",
        fetch_by_token,
        OPEN,
        SMALL_FORM,
        "Refused: organizations here do not let another system sign people in.",
        takes=(
            text("token", "A JSON Web Token.", required=True),
            boolean("include_profile", "Whether to return the profile too."),
        ),
    ),
    Endpoint.post(
        "fetch_api_key",
        fetch_own,
        Who(Way.SESSION, bots=False).may(Scope.KEYS, confirmed=False),  # it checks the password itself
        FORM,
        "Show one's own API key. This needs the password.",
        takes=(text("password", "The person's password."),),
        gives={"api_key": API_KEY, "email": EMAIL},
    ),
    Endpoint.post(
        "users/me/api_key/regenerate",
        regenerate_own,
        BY_KEY.may(Scope.KEYS),
        FORM,
        "Replace one's own API key. The old key, all named keys and all device registrations end at once.",
        gives={"api_key": API_KEY},
    ),
)
