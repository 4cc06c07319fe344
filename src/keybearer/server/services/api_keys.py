"""API keys: show one to people who may see it, and replace it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from keybearer import api_key as api_key_format
from keybearer.secret import Secret
from keybearer.server.domain.accounts import Account
from keybearer.server.domain.actors import Caller
from keybearer.server.domain.api_keys import APIKeyRecord, RevealedKey
from keybearer.server.domain.audit import AuditEvent
from keybearer.server.domain.errors import NotForNamedKeys, Refused
from keybearer.server.domain.grants import FULL
from keybearer.server.domain.links import MAILED, LinkPurpose
from keybearer.server.domain.realms import Realm
from keybearer.server.services import key_endings, mail_texts
from keybearer.server.services.change import Change
from keybearer.server.services.context import Context
from keybearer.server.services.lookups import find_everybody, owner_of, the_account, the_bot, the_realm
from keybearer.server.storage import accounts, api_keys, bots, devices, key_ends, links
from keybearer.zuliprc.credentials import Credentials
from keybearer.zuliprc.document import render_zuliprc


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """An account's live key, opened, with what else a zuliprc needs."""

    account: Account
    realm: Realm
    record: APIKeyRecord
    api_key: Secret
    token: Secret | None = None

    def zuliprc(self) -> str:
        """The exact text of the account's zuliprc, as Zulip's web app writes it."""
        return render_zuliprc(self.credentials)

    @property
    def credentials(self) -> Credentials:
        """The credentials with which a program acts as the account."""
        return Credentials(
            email=self.account.delivery_email, api_key=self.api_key, site=self.realm.site, token=self.token
        )


@dataclass(frozen=True, slots=True)
class OwnBot:
    """A bot with its account key. The key is None if it was revoked and no new one has been generated yet."""

    account: Account
    api_key: Secret | None


async def issue(change: Change, account: Account, *, created_with: int | None = None) -> RevealedKey:
    """Give an account without an account key a new one, within a transaction.

    It ends with the named key `created_with`, or else with the one that the actor used. Raises BeyondGrant if the actor
    used a key that may do less than it.
    """
    change.check_covers(FULL)
    key = api_key_format.generate()
    record = await api_keys.add(
        change.connection,
        change.ring,
        key,
        account_id=account.id,
        created_by=change.actor_id,
        created_with=created_with or await key_endings.key_above(change),
        at=change.now,
    )
    return RevealedKey(record, key)


async def replace(change: Change, account: Account, *, because: str = "", is_one_of_all: bool = False) -> IssuedKey:
    """Replace an account's key within a transaction: revoke all its keys and the keys created with them, end open
    hand-over links, issue a key, drop device registrations, audit, mail.

    The transaction must hold the accounts of all those keys, so it must have been begun with `ending_keys_of`. If the
    keys of all accounts are replaced, no mail asks anybody to generate a new one. Raises like `issue`, and Refused if
    the actor's own key would end with those of another account.
    """
    change.check_covers(FULL)
    revoked = await key_ends.revoke_all(change.connection, account.id, by=change.actor_id, at=change.now)
    used = None if change.acting is None else change.acting.key
    if used is not None and used.account_id != account.id and used.id in [record.id for record in revoked]:
        raise Refused("Your API key would end with those of this account: use another one.")
    replaced = [record.id for record in revoked if record.is_account_key and record.account_id == account.id]
    ended = [record for record in revoked if record.id not in replaced]
    await key_endings.record_ended(change, ended)
    if account.is_bot:
        await links.remove_all(change.connection, LinkPurpose.HAND_OVER, account_id=account.id)
    issued = await issue(change, account)
    dropped = await devices.remove_all(change.connection, account.id)
    details = {"devices": dropped, **({"because": because} if because else {})}
    await change.record(AuditEvent.API_KEY_REGENERATED, account, details=details)
    change.end_polls_of(account.id)
    realm = await the_realm(change.connection)
    owner = await owner_of(change.connection, account)
    if owner is not None:
        actor = change.acting_account
        await change.send(mail_texts.new_key(realm, owner, account, actor=actor, at=change.now, origin=change.origin))
    if not is_one_of_all:
        await key_endings.tell_owners(change, ended)
    token = await bots.reveal_token(change.connection, change.ring, account.id) if account.is_bot else None
    return IssuedKey(account, realm, issued.record, issued.api_key, token)


async def regenerate_own(context: Context, caller: Caller) -> IssuedKey:
    """Replace the actor's own key. Raises PasswordNeeded for a session whose password was given too long ago.

    Of two calls with the same old key at once, one succeeds and the other is refused because its key is revoked. So
    exactly one key is live, and nobody mistakes a revoked key for it. Raises NotForNamedKeys if the actor used a named
    key.
    """
    async with context.change(caller, for_change=True, ending_keys_of=caller.id) as change:
        if change.actor.key is not None and not change.actor.key.is_account_key:
            raise NotForNamedKeys
        change.actor.check_password_is_fresh(change.now)
        return await replace(change, change.actor.account)


async def regenerate_bot(context: Context, caller: Caller, bot_id: int) -> IssuedKey:
    """Replace a bot's key, for its owner or an administrator. Also works for a deactivated bot, as in Zulip."""
    async with context.change(caller, holding=[bot_id], for_change=True, ending_keys_of=bot_id) as change:
        return await replace(change, await the_bot(change.connection, change.actor.account, bot_id))


async def regenerate_by_operator(context: Context, account_id: int) -> IssuedKey:
    """Replace a key from the server's own command line."""
    async with context.change(None, holding=[account_id], for_change=True, ending_keys_of=account_id) as change:
        return await replace(change, await the_account(change.connection, None, account_id))


async def regenerate_all_by_operator(context: Context) -> int:
    """Replace the keys of all accounts, including deactivated ones, in one transaction. Returns how many.

    Invitations and links that change passwords or emails end too, because their texts were stored in mails beside the
    keys.
    """
    everybody = await find_everybody(context)
    async with context.change(None, holding=everybody, for_change=True) as change:
        for purpose in MAILED:
            await links.remove_all(change.connection, purpose)
        for account_id in everybody:
            await replace(change, await the_account(change.connection, None, account_id), is_one_of_all=True)
        return len(everybody)


async def reveal_own(context: Context, caller: Caller, *, event: AuditEvent = AuditEvent.API_KEY_VIEWED) -> IssuedKey:
    """The actor's own key. Raises PasswordNeeded for a session whose password was given too long ago."""
    async with context.change(caller) as change:
        change.actor.check_password_is_fresh(change.now)
        return await reveal(change, change.actor.account, event)


async def reveal_bot(
    context: Context, caller: Caller, bot_id: int, *, event: AuditEvent = AuditEvent.API_KEY_VIEWED
) -> IssuedKey:
    """A bot's key, for its owner or an administrator."""
    async with context.change(caller, holding=[bot_id]) as change:
        return await reveal(change, await the_bot(change.connection, change.actor.account, bot_id), event)


async def reveal_own_bots(context: Context, caller: Caller) -> list[OwnBot]:
    """The actor's active bots with their keys, in the order of creation (`GET /bots`)."""
    async with context.change(caller, with_bots_of=caller.id) as change:
        owned = await _active_bots(change)
        by_account = await _reveal_bots(change, owned, AuditEvent.API_KEY_VIEWED)
        keys = {account_id: key.api_key for account_id, key in by_account.items()}
        return [OwnBot(bot, keys.get(bot.id)) for bot in owned]


async def download_own_bots(context: Context, caller: Caller, bot_ids: Collection[int]) -> list[IssuedKey]:
    """The keys of some of them, with the tokens of outgoing webhooks.

    Raises Refused if one is not among them or has no key.
    """
    if not bot_ids:
        raise Refused("Choose at least one bot.")
    async with context.change(caller, with_bots_of=caller.id) as change:
        chosen = [bot for bot in await _active_bots(change) if bot.id in bot_ids]
        if len(chosen) < len(bot_ids):
            raise Refused("One of these bots is not an active bot of yours.")
        by_account = await _reveal_bots(change, chosen, AuditEvent.API_KEY_DOWNLOADED)
        if len(by_account) < len(chosen):
            raise Refused("One of these bots has no API key. Generate a new one on its page first.")
        services = await bots.reveal_services(change.connection, change.ring, [bot.id for bot in chosen])
        tokens = {bot_id: service.token for bot_id, service in services.items()}
        realm = await the_realm(change.connection)
        return [
            IssuedKey(bot, realm, by_account[bot.id].record, by_account[bot.id].api_key, tokens.get(bot.id))
            for bot in chosen
        ]


async def _active_bots(change: Change) -> list[Account]:
    return [bot for bot in await accounts.find_bots_of(change.connection, change.actor.id) if bot.is_active]


async def _reveal_bots(change: Change, owned: Sequence[Account], event: AuditEvent) -> dict[int, RevealedKey]:
    """The keys of bots that the transaction holds, by bot. Opening them is recorded."""
    change.actor.check_covers(FULL)
    revealed = await api_keys.reveal_account_keys(change.connection, change.ring, [bot.id for bot in owned])
    by_account = {key.record.account_id: key for key in revealed}
    await change.record_all(event, [(bot, {}) for bot in owned if bot.id in by_account])
    return by_account


async def reveal(change: Change, account: Account, event: AuditEvent) -> IssuedKey:
    """The account key of an account that the transaction holds, opened. Opening it is recorded."""
    change.check_covers(FULL)
    revealed = await api_keys.reveal_account_keys(change.connection, change.ring, [account.id])
    realm = await the_realm(change.connection)
    if not revealed:
        page = f"bots/{account.id}" if account.is_bot else "account"
        raise Refused(f"This account has no API key: generate a new one at {realm.site}/settings/{page}/")
    await change.record(event, account)
    token = await bots.reveal_token(change.connection, change.ring, account.id)
    return IssuedKey(account, realm, revealed[0].record, revealed[0].api_key, token)


async def find_own_record(context: Context, caller: Caller) -> APIKeyRecord | None:
    """When the caller's live key was created and last used, without opening the key."""
    async with context.viewing(caller) as view:
        return await api_keys.find_account_key(view.connection, view.actor.id)


async def find_record(context: Context, account_id: int) -> APIKeyRecord | None:
    """The same for any account, for the server's own command line."""
    async with context.reading() as connection:
        return await api_keys.find_account_key(connection, account_id)
