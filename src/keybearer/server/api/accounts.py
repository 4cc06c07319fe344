"""`users`: the account that asks, and the other accounts."""

from __future__ import annotations

from keybearer.secret import Secret
from keybearer.server.api.answers import Answer, success
from keybearer.server.api.call import Call
from keybearer.server.api.description import INTEGER, array, boolean, choice, encoded, record, text
from keybearer.server.api.endpoints import Endpoint
from keybearer.server.api.profiles import OPTIONAL, PROFILE, profile
from keybearer.server.domain.accounts import Role
from keybearer.server.domain.errors import Refused
from keybearer.server.domain.grants import Scope
from keybearer.server.domain.pacing import paced
from keybearer.server.domain.rules import ADMINISTRATORS, EVERYBODY, PEOPLE
from keybearer.server.http.body import FORM
from keybearer.server.services import accounts, deactivation, profiles
from keybearer.server.services.profiles import Viewed

COMMENT_MAX_LENGTH = 2000


async def get_own(call: Call) -> Answer:
    """`GET users/me`."""
    account, newest = call.caller.account, call.newest_message_id
    if newest is None:
        account, newest = await accounts.find_own(call.context, call.caller)
    own = profile(account, account, call.realm, with_data=True)
    own["max_message_id"] = newest
    return success(own)


async def get_all(call: Call) -> Answer:
    """`GET users`: all accounts, including deactivated ones."""
    _read_gravatar(call)
    with_data = call.parameters.optional_boolean("include_custom_profile_fields") or False
    ids = call.parameters.optional_integers("user_ids")
    viewed = await profiles.find_all(call.context, call.caller)
    wanted = None if ids is None else set(ids)
    members = [account for account in viewed.accounts if wanted is None or account.id in wanted]
    return success(
        members=await paced(lambda each: profile(each, viewed.viewer, call.realm, with_data=with_data), members)
    )


async def get_one(call: Call) -> Answer:
    """`GET users/{user_id}`."""
    return _user(call, await profiles.find(call.context, call.caller, call.id("user_id")))


async def get_by_email(call: Call) -> Answer:
    """`GET users/{email}`."""
    return _user(call, await profiles.find_by_email(call.context, call.caller, call.ids["email"]))


def _user(call: Call, viewed: Viewed) -> Answer:
    _read_gravatar(call)
    with_data = call.parameters.optional_boolean("include_custom_profile_fields") or False
    (account,) = viewed.accounts
    return success(user=profile(account, viewed.viewer, call.realm, with_data=with_data))


def _read_gravatar(call: Call) -> None:
    """Avatars are drawn here, so it makes no difference whether the client would compute a Gravatar URL itself."""
    call.parameters.optional_boolean("client_gravatar")


async def add(call: Call) -> Answer:
    """`POST users`, for administrators. The answer contains no key, and the password works only once."""
    parameters = call.parameters
    account = await accounts.add_by_administrator(
        call.context,
        call.caller,
        email=parameters.text("email"),
        full_name=parameters.text("full_name"),
        password=Secret(parameters.text("password")),
    )
    return success(user_id=account.id)


async def change(call: Call) -> Answer:
    """`PATCH users/{user_id}`: name and role, for administrators."""
    return await _change(call, call.id("user_id"))


async def change_by_email(call: Call) -> Answer:
    """`PATCH users/{email}`: the same (feature level 313)."""
    (account,) = (await profiles.find_by_email(call.context, call.caller, call.ids["email"])).accounts
    return await _change(call, account.id)


async def _change(call: Call, account_id: int) -> Answer:
    parameters = call.parameters
    await accounts.change_person(
        call.context,
        call.caller,
        account_id,
        full_name=parameters.optional_text("full_name"),
        role=parameters.choice("role", tuple(role.value for role in Role)),
        email=parameters.optional_text("new_email"),
        field_ids=_field_ids(parameters.optional_json("profile_data")),
    )
    return success()


def _field_ids(profile_data: object) -> list[int]:
    """The profile fields to change."""
    entries = [] if profile_data is None else profile_data
    if not isinstance(entries, list):
        raise Refused("profile_data is not a list")
    ids = []
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict) or not isinstance(entry.get("id"), int):
            raise Refused(f'profile_data[{index}]["id"] is not an integer')
        ids.append(entry["id"])
    return ids


async def deactivate(call: Call) -> Answer:
    """`DELETE users/{user_id}`, for administrators."""
    comment = call.parameters.optional_text("deactivation_notification_comment", max_length=COMMENT_MAX_LENGTH)
    await deactivation.deactivate_person(call.context, call.caller, call.id("user_id"), comment=comment)
    return success()


async def deactivate_own(call: Call) -> Answer:
    """`DELETE users/me`."""
    await deactivation.deactivate_own(call.context, call.caller)
    return success()


async def reactivate(call: Call) -> Answer:
    """`POST users/{user_id}/reactivate`: people and bots."""
    await deactivation.reactivate(call.context, call.caller, call.id("user_id"))
    return success()


_ROLES = tuple(role.value for role in Role)
_USER = record(PROFILE, optional=OPTIONAL)
_CHANGE = (
    text("full_name", "The new name."),
    choice("role", "The new role.", _ROLES),
    text("new_email", "Refused if it differs from the account's address."),
    encoded("profile_data", "Refused if it names a profile field: there are none.", array({})),
)
_GRAVATAR = boolean("client_gravatar", "Changes nothing: pictures are drawn here.")
_PROFILE_FIELDS = boolean("include_custom_profile_fields", "Whether to return `profile_data`.")

ENDPOINTS = (
    Endpoint.get(
        "users/me",
        get_own,
        EVERYBODY.may(Scope.READ),
        "The account that sends the request.",
        gives={**PROFILE, "max_message_id": INTEGER},
        optional=OPTIONAL,
        names_unsupported=False,
    ),
    Endpoint.delete("users/me", deactivate_own, PEOPLE.may(Scope.MANAGE), FORM, "Deactivate one's own account."),
    Endpoint.get(
        "users",
        get_all,
        EVERYBODY.may(Scope.READ),
        "All accounts, including bots and deactivated ones.",
        takes=(_GRAVATAR, _PROFILE_FIELDS, encoded("user_ids", "Only these ", array(INTEGER))),
        gives={"members": array(_USER)},
    ),
    Endpoint.post(
        "users",
        add,
        ADMINISTRATORS.may(Scope.KEYS),
        FORM,
        "Add a person, who must choose another password at the first sign-in.",
        takes=(
            text("email", "The person's email address.", required=True),
            text("full_name", "The person's name.", required=True),
            text("password", "The password for the first sign-in.", required=True),
        ),
        gives={"user_id": INTEGER},
    ),
    Endpoint.get(
        "users/{user_id}",
        get_one,
        EVERYBODY.may(Scope.READ),
        "One account.",
        takes=(_GRAVATAR, _PROFILE_FIELDS),
        gives={"user": _USER},
    ),
    Endpoint.patch(
        "users/{user_id}",
        change,
        EVERYBODY.may(Scope.MANAGE),
        FORM,
        "Rename an account or change its role.",
        takes=_CHANGE,
    ),
    Endpoint.patch(
        "users/{email}",
        change_by_email,
        EVERYBODY.may(Scope.MANAGE),
        FORM,
        "Rename an account or change its role, by its address.",
        takes=_CHANGE,
    ),
    Endpoint.delete(
        "users/{user_id}",
        deactivate,
        EVERYBODY.may(Scope.MANAGE),
        FORM,
        "Deactivate a person. Their keys, their sessions and their bots are refused from then on.",
        takes=(text("deactivation_notification_comment", "Sent to the person by mail.", max_length=2000),),
    ),
    Endpoint.get(
        "users/{email}",
        get_by_email,
        EVERYBODY.may(Scope.READ),
        "One account by its address.",
        takes=(_GRAVATAR, _PROFILE_FIELDS),
        gives={"user": _USER},
    ),
    Endpoint.post(
        "users/{user_id}/reactivate",
        reactivate,
        EVERYBODY.may(Scope.KEYS),
        FORM,
        "Reactivate a person or a bot. The account gets a new API key; the old one stays revoked.",
    ),
)
