"""`api_keys`: the keys of an account, of a bot and of the organization."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from keybearer.secret import Secret
from keybearer.server.api.answers import Answer, success
from keybearer.server.api.call import Call
from keybearer.server.api.description import (
    API_KEY,
    BOOLEAN,
    INTEGER,
    STRING,
    Parameter,
    array,
    boolean,
    encoded,
    integer,
    nullable,
    record,
    text,
)
from keybearer.server.api.endpoints import Endpoint
from keybearer.server.api.parameters import Parameters
from keybearer.server.domain.api_keys import NAME_MAX_LENGTH, APIKeyRecord, checked_key_name, checked_overlap
from keybearer.server.domain.errors import Refused
from keybearer.server.domain.grants import (
    DEFAULT_SCOPES,
    MOST_NETWORKS,
    NO_SCOPE,
    Scope,
    checked_networks,
    checked_scopes,
    scope_names,
)
from keybearer.server.domain.key_policy import MOST_DAYS
from keybearer.server.domain.limits import MOST_ENTRIES
from keybearer.server.domain.named_keys import End, KeyChange, NewKey
from keybearer.server.domain.rules import ADMINISTRATORS, BY_KEY_WEBHOOKS_TOO, EVERYBODY, MEMBERS, OPEN
from keybearer.server.http.body import FORM, SMALL_FORM
from keybearer.server.services import key_lists, key_possession, named_keys
from keybearer.server.services.api_keys import IssuedKey


def _seconds(at: datetime | None) -> int | None:
    return None if at is None else int(at.timestamp())


def entry(key: APIKeyRecord, now: datetime) -> dict[str, Any]:
    """A key as the wire shows it, without its text."""
    used = key.last_use
    return {
        "id": key.id,
        "user_id": key.account_id,
        "name": key.name,
        "scopes": scope_names(key.scopes),
        "is_account_key": key.is_account_key,
        "created_at": _seconds(key.created_at),
        "created_by": key.created_by,
        "expires_at": _seconds(key.expires_at),
        "last_used_at": None if used is None else _seconds(used.at),
        "last_used_address": None if used is None else used.address,
        "last_used_client": None if used is None else used.client,
        "networks": list(key.networks),
        "replaced_by": key.replaced_by,
        "is_unused": key.is_unused(now),
    }


def _listed(call: Call, keys: Sequence[APIKeyRecord]) -> list[dict[str, Any]]:
    now = call.context.clock()
    return [entry(key, now) for key in keys]


def _bot_id(call: Call) -> int | None:
    """The bot whose keys to use. None for the caller's own."""
    return call.id("bot_id") if "bot_id" in call.ids else None


async def list_keys(call: Call) -> Answer:
    """`GET users/me/api_keys`, and the same for a bot: the live keys, or the keys that a new account key would end."""
    bot_id = _bot_id(call)
    if call.parameters.optional_boolean("ending"):
        ending = await key_lists.find_ending(call.context, call.caller, bot_id)
        return success(api_keys=_listed(call, [held.record for held in ending.first]))
    return success(api_keys=_listed(call, await key_lists.find_all(call.context, call.caller, bot_id)))


async def list_all(call: Call) -> Answer:
    """`GET api_keys`, for administrators."""
    after = call.parameters.integer("after_id", 0)
    limit = call.parameters.integer("limit", MOST_ENTRIES)
    if not 1 <= limit <= MOST_ENTRIES:
        raise Refused(f"limit must be from 1 to {MOST_ENTRIES}.")
    found = await key_lists.find_all_of_organization(call.context, call.caller, after=after, limit=limit + 1)
    records = [held.record for held in found[:limit]]
    return success(api_keys=_listed(call, records), found_newest=len(found) <= limit)


async def show_current(call: Call) -> Answer:
    """`GET users/me/api_keys/current`: the key that this call uses."""
    return success(entry(await named_keys.find_current(call.context, call.caller), call.context.clock()))


async def create(call: Call) -> Answer:
    """`POST users/me/api_keys`, and the same for a bot."""
    parameters = call.parameters
    scopes = _read_list(parameters, "scopes", most=len(Scope))
    networks = _read_list(parameters, "networks", most=MOST_NETWORKS)
    new = NewKey(
        name=checked_key_name(parameters.text("name")),
        scopes=DEFAULT_SCOPES if scopes is None else checked_scopes(scopes),
        end=_end(parameters) or End.DEFAULT,
        networks=None if networks is None else checked_networks(networks),
    )
    return _with_text(await named_keys.create(call.context, call.caller, new, _bot_id(call)))


def _with_text(issued: IssuedKey) -> Answer:
    return success(id=issued.record.id, api_key=issued.api_key.reveal())


def _read_list(parameters: Parameters, name: str, *, most: int) -> list[Any] | None:
    value = parameters.optional_json(name, most=most)
    if value is None:
        return None
    if not isinstance(value, list):
        raise Refused(f"{name} is not a list")
    return value


def _end(parameters: Parameters) -> timedelta | End | None:
    """When a key ends: after a number of days, or never. None if it was not sent."""
    if not parameters.has("expires_in_days"):
        return None
    days = parameters.optional_json("expires_in_days")
    if days is None:
        return End.NEVER
    if not isinstance(days, int) or isinstance(days, bool) or not 1 <= days <= MOST_DAYS:
        raise Refused(f"expires_in_days must be a whole number from 1 to {MOST_DAYS}, or null for a key without end.")
    return timedelta(days=days)


async def change(call: Call) -> Answer:
    """`PATCH users/me/api_keys/{key_id}`, and the same for a bot: rename or narrow a key."""
    parameters = call.parameters
    name = parameters.optional_text("name")
    scopes = _read_list(parameters, "scopes", most=len(Scope))
    networks = _read_list(parameters, "networks", most=MOST_NETWORKS)
    wanted = KeyChange(
        name=None if name is None else checked_key_name(name),
        scopes=None if scopes is None else checked_scopes(scopes),
        end=_end(parameters),
        networks=None if networks is None else checked_networks(networks),
    )
    await named_keys.change_key(call.context, call.caller, call.id("key_id"), wanted, _bot_id(call))
    return success()


async def revoke(call: Call) -> Answer:
    """`DELETE users/me/api_keys/{key_id}`, and the same for a bot."""
    await named_keys.revoke(call.context, call.caller, call.id("key_id"), _bot_id(call))
    return success()


async def revoke_any(call: Call) -> Answer:
    """`DELETE api_keys/{key_id}`, for administrators."""
    await named_keys.revoke_of_organization(call.context, call.caller, call.id("key_id"))
    return success()


async def regenerate(call: Call) -> Answer:
    """`POST users/me/api_keys/{key_id}/regenerate`, and the same for a bot."""
    overlap = checked_overlap(call.parameters.integer("overlap_seconds", 0))
    key_id, bot_id = call.id("key_id"), _bot_id(call)
    return _with_text(await named_keys.regenerate(call.context, call.caller, key_id, overlap=overlap, bot_id=bot_id))


async def regenerate_current(call: Call) -> Answer:
    """`POST users/me/api_keys/current/regenerate`: a key replaces itself, regardless of its scopes."""
    overlap = checked_overlap(call.parameters.integer("overlap_seconds", 0))
    return _with_text(await named_keys.regenerate_current(call.context, call.caller, overlap=overlap))


async def revoke_by_possession(call: Call) -> Answer:
    """`POST api_keys/revoke_by_possession`: the same answer for every text, whether or not it is a key."""
    key = Secret(call.parameters.text("api_key").strip())  # a key from a file often ends with a line break
    return success().with_quota(await key_possession.revoke(call.context, key, call.origin))


ENTRY = {
    "id": INTEGER,
    "user_id": INTEGER,
    "name": STRING,
    "scopes": array(STRING),
    "is_account_key": BOOLEAN,
    "created_at": INTEGER,
    "created_by": nullable(INTEGER),
    "expires_at": nullable(INTEGER),
    "last_used_at": nullable(INTEGER),
    "last_used_address": nullable(STRING),
    "last_used_client": nullable(STRING),
    "networks": array(STRING),
    "replaced_by": nullable(INTEGER),
    "is_unused": BOOLEAN,
}
_LIST = {"api_keys": array(record(ENTRY))}
_SHOWN = {"id": INTEGER, "api_key": API_KEY}

_NAME = "What the key is for."
_SCOPES = encoded(
    "scopes",
    "`read`, `send`, `manage` and `keys`; default: `read` and `send`.",
    array(STRING),
    most=len(Scope),
)
_NETWORKS = encoded(
    "networks", "The networks from which it may be used. Empty: all networks.", array(STRING), most=MOST_NETWORKS
)
_DAYS = encoded(
    "expires_in_days",
    "How long it lives. null: without end. Without it, the organization's default.",
    nullable(INTEGER),
)
_NARROWED = (
    text("name", _NAME, max_length=NAME_MAX_LENGTH),
    encoded("scopes", "Fewer scopes.", array(STRING), most=len(Scope)),
    encoded("expires_in_days", "An earlier end, counted from now.", INTEGER),
    encoded("networks", "Narrower networks.", array(STRING), most=MOST_NETWORKS),
)
_NEW: tuple[Parameter, ...] = (
    text("name", _NAME, required=True, max_length=NAME_MAX_LENGTH),
    _SCOPES,
    _DAYS,
    _NETWORKS,
)
_OVERLAP = (integer("overlap_seconds", "How long the old key works next to the new one, from 0 to 86400."),)


def _endpoints_below(path: str, whose: str, *, of_bot: bool) -> tuple[Endpoint, ...]:
    """The endpoints below one path. `whose` says whose keys they are about, for the descriptions."""
    rule = (MEMBERS if of_bot else EVERYBODY).may(Scope.KEYS)
    one = f"{path}/{{key_id}}"
    return (
        Endpoint.get(
            path,
            list_keys,
            rule,
            f"The valid API keys of {whose}, without their texts.",
            takes=(
                boolean(
                    "ending",
                    "Instead, return the keys that a new account key would end, including those of other accounts.",
                ),
            ),
            gives=_LIST,
        ),
        Endpoint.post(
            path,
            create,
            rule,
            FORM,
            f"Add a named API key to {whose}. It is shown only here.",
            takes=_NEW,
            gives=_SHOWN,
        ),
        Endpoint.patch(one, change, rule, FORM, "Rename a named API key, or narrow it.", takes=_NARROWED),
        Endpoint.delete(one, revoke, rule, FORM, "Revoke a named API key, and all keys that were created with it."),
        Endpoint.post(
            f"{one}/regenerate",
            regenerate,
            rule,
            FORM,
            "Replace a named API key with one that has the same name, scopes, networks and end.",
            takes=_OVERLAP,
            gives=_SHOWN,
        ),
    )


ENDPOINTS = (
    *_endpoints_below("users/me/api_keys", "one's account", of_bot=False),
    *_endpoints_below("bots/{bot_id}/api_keys", "a bot", of_bot=True),
    Endpoint.get(
        "users/me/api_keys/current",
        show_current,
        BY_KEY_WEBHOOKS_TOO.may(NO_SCOPE),
        "The API key that this call uses.",
        gives=ENTRY,
    ),
    Endpoint.post(
        "users/me/api_keys/current/regenerate",
        regenerate_current,
        BY_KEY_WEBHOOKS_TOO.may(NO_SCOPE),
        FORM,
        "Replace the named API key that this call uses, regardless of its scopes.",
        takes=_OVERLAP,
        gives=_SHOWN,
    ),
    Endpoint.get(
        "api_keys",
        list_all,
        ADMINISTRATORS.may(Scope.KEYS),
        "The valid API keys of all accounts, without their texts.",
        takes=(
            integer("after_id", "Only keys with a larger id."),
            integer("limit", "How many to return at most. Default: 5,000."),
        ),
        gives={**_LIST, "found_newest": BOOLEAN},
    ),
    Endpoint.delete(
        "api_keys/{key_id}", revoke_any, ADMINISTRATORS.may(Scope.KEYS), FORM, "Revoke anybody's named API key."
    ),
    Endpoint.post(
        "api_keys/revoke_by_possession",
        revoke_by_possession,
        OPEN,
        SMALL_FORM,
        "Revoke an API key that was found somewhere. The answer is the same whether or not the key exists.",
        takes=(text("api_key", "The key.", required=True),),
    ),
)
