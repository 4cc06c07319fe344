"""Bots: create, change, deactivate and reactivate them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from keybearer import api_key as api_key_format
from keybearer.server.domain.accounts import EMAIL_MAX_LENGTH, Account, Role, checked_full_name, checked_role, is_email
from keybearer.server.domain.actors import Caller
from keybearer.server.domain.api_keys import APIKeyRecord
from keybearer.server.domain.audit import AuditEvent
from keybearer.server.domain.bots import (
    BotService,
    BotType,
    ServiceInterface,
    bot_email,
    checked_payload_url,
    checked_short_name,
)
from keybearer.server.domain.errors import NotPermitted, Refused
from keybearer.server.domain.grants import Scope
from keybearer.server.domain.permissions import check_may_give_role, check_may_hand_over, may_create_bot
from keybearer.server.domain.realms import Realm
from keybearer.server.services import api_keys as keys
from keybearer.server.services import key_endings
from keybearer.server.services.api_keys import IssuedKey
from keybearer.server.services.change import Change
from keybearer.server.services.context import Context
from keybearer.server.services.deactivation import deactivate_accounts
from keybearer.server.services.lookups import check_email_free, check_may_own_more, check_name_free, the_bot, the_realm
from keybearer.server.storage import accounts, api_keys, bots, event_log


@dataclass(frozen=True, slots=True)
class NewBot:
    """The properties of a new bot. The outgoing fields apply only to that type; its URL may be set later.

    `pictures` is how many files were sent, `default_channels` the channels with which it should start. Both can only be
    refused, each at its turn among the refusals.
    """

    full_name: str
    short_name: str
    bot_type: int = BotType.GENERIC
    payload_url: str | None = None
    service_name: str | None = None
    interface: int = ServiceInterface.GENERIC
    pictures: int = 0
    default_channels: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class BotChange:
    """The properties of a bot to change. None leaves a field as it is. The last two are as in `NewBot`."""

    full_name: str | None = None
    short_name: str | None = None
    role: int | None = None
    owner_id: int | None = None
    payload_url: str | None = None
    interface: int | None = None
    pictures: int = 0
    default_channels: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class BotDetails:
    """A bot with what its managers see about it. `owner` is None for a bot whose owner is missing."""

    account: Account
    owner: Account | None
    service: BotService | None
    key: APIKeyRecord | None


async def create(context: Context, caller: Caller, new: NewBot) -> IssuedKey:
    """Create a bot that the actor owns, with its first key. Refusals are in Zulip's order and words."""
    async with context.change(caller) as change:
        owner = change.actor.account
        realm = await the_realm(change.connection)
        short_name = checked_short_name(new.short_name)
        full_name = checked_full_name(new.full_name)
        email = _checked_address(short_name, realm)
        if new.bot_type == BotType.EMBEDDED:
            raise Refused("Embedded bots are not enabled.")
        await check_email_free(change, realm.id, email)
        await check_name_free(change, realm.id, full_name)
        if not may_create_bot(owner, new.bot_type, realm):
            raise NotPermitted
        await check_may_own_more(change, owner.id)
        bot_type, interface = _checked_type(new.bot_type), _checked_interface(new.interface)
        payload_url = "" if new.payload_url is None else checked_payload_url(new.payload_url)
        _check_pictures(new.pictures)
        _check_channels(new.default_channels)
        bot = await accounts.add(
            change.connection,
            realm_id=realm.id,
            email=email,
            full_name=full_name,
            role=Role.MEMBER,
            date_joined=change.now,
            bot_type=bot_type,
            bot_owner_id=owner.id,
        )
        await change.record(AuditEvent.BOT_CREATED, bot, details={"type": bot_type.name.lower()})
        change.tell_added(bot)
        issued = await keys.issue(change, bot)
        await change.record(AuditEvent.API_KEY_ISSUED, bot)
        token = None
        if bot_type is BotType.OUTGOING_WEBHOOK:
            token = api_key_format.generate()
            service = BotService(bot.id, new.service_name or short_name, payload_url, interface)
            await bots.add_service(change.connection, change.ring, service, token)
        return IssuedKey(bot, realm, issued.record, issued.api_key, token)


def _checked_address(short_name: str, realm: Realm) -> str:
    email = bot_email(short_name, realm.bot_domain)
    if len(email) > EMAIL_MAX_LENGTH or not is_email(email):
        raise Refused("Bad name or username")
    return email


def _checked_type(number: int) -> BotType:
    try:
        return BotType(number)
    except ValueError:
        raise Refused("Invalid bot type") from None


def _checked_interface(number: int) -> ServiceInterface:
    try:
        return ServiceInterface(number)
    except ValueError:
        raise Refused("Invalid interface type") from None


def _check_pictures(count: int) -> None:
    if count > 1:
        raise Refused("You may only upload one file at a time")


def _check_channels(names: Sequence[str]) -> None:
    """Raise Refused if there are any: Keybearer's bots have no default channels."""
    for name in names:
        raise Refused(f"Invalid channel name '{name}'")


async def find_details(context: Context, caller: Caller, bot_id: int) -> BotDetails:
    """One bot that the actor may manage. Raises Refused or NotPermitted as in Zulip."""
    async with context.viewing(caller) as view:
        connection = view.connection
        bot = await the_bot(connection, view.actor.account, bot_id)
        owner = await accounts.find(connection, bot.bot_owner_id) if bot.bot_owner_id else None
        services = await bots.find_services(connection, [bot.id])
        live = await api_keys.find_account_key(connection, bot.id)
    return BotDetails(bot, owner, services.get(bot.id), live)


async def change_bot(context: Context, caller: Caller, bot_id: int, wanted: BotChange) -> BotDetails:
    """Change a bot. If it gets a new owner it also gets a new key, so that the former owner's copy stops working. Its
    event queues end with the old key: they would count as the new owner's.

    Raises PasswordNeeded if its role rises or its service moves, and the actor's session gave its password too long
    ago.
    """
    holding = [bot_id] if wanted.owner_id is None else [bot_id, wanted.owner_id]
    ending_keys_of = None if wanted.owner_id is None else bot_id
    async with context.change(
        caller,
        holding=holding,
        for_change=True,
        ending_keys_of=ending_keys_of,
        with_keys_made_by=None if wanted.role is None else bot_id,
    ) as change:
        actor = change.actor.account
        realm = await the_realm(change.connection)
        before = await the_bot(change.connection, actor, bot_id)
        bot = await _renamed(change, realm, before, wanted)
        if wanted.role is not None:
            role = checked_role(wanted.role)
            check_may_give_role(actor, bot, role)
            change.check_password_if_role_rises(bot, role)
            bot = bot._replace(granted_role=role)
        owner = await accounts.find(change.connection, bot.bot_owner_id) if bot.bot_owner_id else None
        if wanted.owner_id is not None and wanted.owner_id != bot.bot_owner_id:
            change.actor.check_scope(Scope.KEYS)
            owner = await _new_owner(change, bot, wanted.owner_id)
            bot = bot.owned_by(owner)
            check_may_hand_over(actor, before, bot)
        _check_channels(wanted.default_channels)
        await accounts.save(change.connection, bot)
        service = await _changed_service(change, bot, wanted)
        _check_pictures(wanted.pictures)
        await _record_change(change, before, bot, wanted)
        if bot.granted_role is not before.granted_role:
            await key_endings.end_keys_of_former_managers(change, bot.id)
        if bot.bot_owner_id != before.bot_owner_id:
            await keys.replace(change, bot, because="new owner")
            await event_log.remove_queues_of(change.connection, bot.id)
        live = await api_keys.find_account_key(change.connection, bot.id)
        return BotDetails(bot, owner, service, live)


async def _record_change(change: Change, before: Account, bot: Account, wanted: BotChange) -> None:
    changed = ["full_name"] if bot.full_name != before.full_name else []
    changed += ["role"] if bot.granted_role is not before.granted_role else []
    of_service = [name for name in ("payload_url", "interface") if getattr(wanted, name) is not None]
    if changed or of_service:
        await change.record(AuditEvent.BOT_CHANGED, bot, details={"changed": [*changed, *of_service]})
    if bot.full_name != before.full_name:
        change.tell_changed(bot, "full_name")
    if of_service:
        change.tell_changed(bot, "services")
    if bot.delivery_email != before.delivery_email:
        details: dict[str, object] = {"from": before.delivery_email, "to": bot.delivery_email}
        await change.record(AuditEvent.ACCOUNT_EMAIL_CHANGED, bot, details=details)
        change.tell_changed(bot, "new_email")
    if bot.bot_owner_id != before.bot_owner_id:
        details = {"from": before.bot_owner_id, "to": bot.bot_owner_id}
        await change.record(AuditEvent.BOT_OWNER_CHANGED, bot, details=details)
        change.tell_changed(bot, "bot_owner_id")
    if bot.role is not before.role:
        change.tell_changed(bot, "role")


async def _renamed(change: Change, realm: Realm, bot: Account, wanted: BotChange) -> Account:
    if wanted.full_name is not None:
        full_name = checked_full_name(wanted.full_name)
        if full_name != bot.full_name:
            await check_name_free(change, realm.id, full_name, besides=bot.id)
        bot = bot._replace(full_name=full_name)
    if wanted.short_name is not None:
        email = _checked_address(checked_short_name(wanted.short_name), realm)
        if email != bot.delivery_email:
            await check_email_free(change, realm.id, email, besides=bot.id)
        bot = bot._replace(delivery_email=email)
    return bot


async def _new_owner(change: Change, bot: Account, owner_id: int) -> Account:
    owner = await accounts.find(change.connection, owner_id)
    if owner is None or owner.realm_id != bot.realm_id:
        raise Refused("Failed to change owner, no such user")
    if not owner.is_active:
        raise Refused("Failed to change owner, user is deactivated")
    if owner.is_bot:
        raise Refused("Failed to change owner, bots can't own other bots")
    await check_may_own_more(change, owner.id)
    return owner


async def _changed_service(change: Change, bot: Account, wanted: BotChange) -> BotService | None:
    service = (await bots.find_services(change.connection, [bot.id])).get(bot.id)
    if service is None:
        if wanted.payload_url is not None or wanted.interface is not None:
            raise Refused("Only outgoing webhook bots have a service.")
        return None
    if wanted.payload_url is not None:
        change.actor.check_scope(Scope.KEYS)  # the service at this URL is sent the token
        change.actor.check_password_is_fresh(change.now)
        service = replace(service, base_url=checked_payload_url(wanted.payload_url))
    if wanted.interface is not None:
        service = replace(service, interface=_checked_interface(wanted.interface))
    await bots.save_service(change.connection, service)
    return service


async def deactivate(context: Context, caller: Caller | None, bot_id: int) -> None:
    """Deactivate a bot: its key is refused from the next request on. Deactivating it twice is not an error, as in
    Zulip.

    The server's operator, who has no actor, may deactivate all bots.
    """
    async with context.change(caller, holding=[bot_id], for_change=True, with_keys_made_by=bot_id) as change:
        bot = await the_bot(change.connection, change.acting_account, bot_id)
        if bot.is_active:
            await deactivate_accounts(change, [bot])
