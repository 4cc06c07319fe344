"""What only `serve --development` offers: signing in without a password."""

from __future__ import annotations

from msgspec.structs import replace

from keybearer.server.api.answers import Answer, success
from keybearer.server.api.api_keys import FETCHED, USERNAME, check_subdomain
from keybearer.server.api.call import Call
from keybearer.server.api.description import EMAIL, STRING, array, record
from keybearer.server.api.endpoints import Endpoint
from keybearer.server.domain.accounts import Account, is_email
from keybearer.server.domain.errors import Refused
from keybearer.server.domain.rules import OPEN
from keybearer.server.domain.sessions import LIFETIME
from keybearer.server.http import csrf
from keybearer.server.http.body import SMALL_FORM
from keybearer.server.http.cookies import SESSION_COOKIE, cookie_header
from keybearer.server.services import accounts, realms, sessions

MOST_USERS = 10


async def fetch_key(call: Call) -> Answer:
    """`POST dev_fetch_api_key`: an email in exchange for the key, and a session in the browser that asks."""
    username = call.parameters.text("username")
    await check_subdomain(call)
    if not is_email(username.strip()):
        raise Refused("Enter a valid email address.")
    found = await sessions.sign_in_for_development(call.context, username, call.origin)
    token, lifetime = found.signed_in.token.reveal(), int(LIFETIME.total_seconds())
    answer = success(
        api_key=found.issued.api_key.reveal(),
        email=found.issued.account.delivery_email,
        user_id=found.issued.account.id,
    )
    cookies = (
        (
            b"set-cookie",
            cookie_header(csrf.COOKIE, csrf.token_of_session(token), call.request.scheme, max_age=lifetime),
        ),
        (b"set-cookie", cookie_header(SESSION_COOKIE, token, call.request.scheme, max_age=lifetime)),
    )
    return replace(answer, headers=(*answer.headers, *cookies))


async def list_users(call: Call) -> Answer:
    """`GET dev_list_users`: the active people, administrators first."""
    realm = await realms.find(call.context)
    everybody = await accounts.find_all_for_operator(call.context)
    people = [each for each in everybody if each.is_active and not each.is_bot]
    people.sort(key=lambda each: each.delivery_email)

    def row(account: Account) -> dict[str, str]:
        return {"email": account.delivery_email, "realm_url": realm.site}

    others = [row(each) for each in people if not each.is_administrator]
    return success(
        direct_admins=[row(each) for each in people if each.is_administrator], direct_users=others[:MOST_USERS]
    )


_PERSON = record({"email": EMAIL, "realm_url": STRING})

ENDPOINTS = (
    Endpoint.post(
        "dev_fetch_api_key",
        fetch_key,
        OPEN,
        SMALL_FORM,
        "Fetch anybody's API key, without a password.",
        takes=(USERNAME,),
        gives=FETCHED,
    ),
    Endpoint.get(
        "dev_list_users",
        list_users,
        OPEN,
        "The people that one can sign in as.",
        gives={"direct_admins": array(_PERSON), "direct_users": array(_PERSON)},
    ),
)
