"""The text of every mail: what happened, when, from where, and what to do if it was not you."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from keybearer.secret import Secret
from keybearer.server.domain.accounts import Account, EmailVisibility
from keybearer.server.domain.actors import RequestOrigin
from keybearer.server.domain.api_keys import APIKeyRecord, KeyUse
from keybearer.server.domain.mails import Mail
from keybearer.server.domain.realms import Realm
from keybearer.server.domain.visibility import may_see_origin

_MOST_LISTED = 20
"""Keys that a mail lists."""

SIGN_OFF = "\n-- \nSent by Keybearer for {name}, {site}\n"


def _mail(realm: Realm, recipient: Account | str, subject: str, body: str) -> Mail:
    address = recipient if isinstance(recipient, str) else recipient.delivery_email
    return Mail(address, one_line(subject), body + SIGN_OFF.format(name=realm.name, site=realm.site))


def one_line(text: str) -> str:
    """A text for a mail header: a name in it cannot add headers of its own."""
    return " ".join(text.split())


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _origin(origin: RequestOrigin) -> str:
    where = f"from {origin.address}" if origin.address else "on the server itself"
    return f"{where}, with {one_line(origin.client)[:120]}" if origin.client else where


def new_key(
    realm: Realm, owner: Account, subject: Account, *, actor: Account | None, at: datetime, origin: RequestOrigin
) -> Mail:
    """To the owner of a key: it was replaced."""
    yours = owner.id == subject.id
    whose = "your API key" if yours else f"the API key of your bot {subject.full_name} ({subject.delivery_email})"
    by = "the server's operator" if actor is None else ("you" if actor.id == owner.id else actor.full_name)
    where = f", {_origin(origin)}" if may_see_origin(owner, actor) else ""
    recipient_page = "account" if yours else "bots"
    return _mail(
        realm,
        owner,
        "Your API key was replaced" if yours else f"The API key of {subject.full_name} was replaced",
        f"On {_moment(at)}, {whose} in {realm.name} was replaced by a new one\n"
        f"({by}{where}).\n\n"
        "The old key stopped working at once: every program that uses a zuliprc with it is refused, and the\n"
        "account is logged out on all mobile devices. Download the new zuliprc here:\n\n"
        f"    {realm.site}/settings/{recipient_page}/\n\n"
        "If this was not expected, sign in, look at the security log, generate another key and change your\n"
        "password.\n",
    )


def new_sign_in(realm: Realm, account: Account, at: datetime, origin: RequestOrigin, *, got_key: bool) -> Mail | None:
    """To a person: somebody signed in, or fetched the API key with the password. None if they want no such mail."""
    if not account.login_mails:
        return None
    what = "fetched your API key with your password" if got_key else "signed in to your account"
    return _mail(
        realm,
        account,
        f"New sign-in to {realm.name}",
        f"On {_moment(at)}, somebody {what}\n({_origin(origin)}).\n\n"
        "If this was you, there is nothing to do. If not, change your password and generate a new API key:\n\n"
        f"    {realm.site}/settings/account/\n",
    )


def new_password(realm: Realm, account: Account, at: datetime, origin: RequestOrigin) -> Mail:
    """To a person: the password was changed."""
    return _mail(
        realm,
        account,
        "Your password was changed",
        f"On {_moment(at)}, the password of your account in {realm.name} was changed\n({_origin(origin)}).\n"
        "Every other browser was signed out. Your API key keeps working.\n\n"
        "If this was not you, ask for a new password at once and generate a new API key afterwards:\n\n"
        f"    {realm.site}/accounts/password/reset/\n",
    )


def password_reset(realm: Realm, account: Account, token: Secret) -> Mail:
    """To a person who requested it: the link with which they choose a new password."""
    return _mail(
        realm,
        account,
        f"Choose a new password for {realm.name}",
        "Somebody, probably you, asked for a new password for this account. Choose it here, within two hours:\n\n"
        f"    {realm.site}/accounts/password/reset/{token.reveal()}/\n\n"
        "The link works once. If you did not ask for it, there is nothing to do.\n",
    )


def no_password_reset(realm: Realm, email: str, *, is_deactivated: bool) -> Mail:
    """To an address for which a new password was requested but is not possible. The page does not say so; the
    mail may.
    """
    why = "is deactivated; ask an administrator of the organization" if is_deactivated else "does not exist"
    return _mail(
        realm,
        email,
        f"No new password for {realm.name}",
        f"Somebody asked for a new password for {email} in {realm.name}, but that account\n{why}.\n",
    )


def email_change(realm: Realm, account: Account, email: str, token: Secret) -> Mail:
    """To a new address: the link with which it becomes an account's email."""
    return _mail(
        realm,
        email,
        f"Confirm your new email for {realm.name}",
        f"{account.full_name} wants to use this address in {realm.name}, in place of {account.delivery_email}.\n"
        "Confirm it here, signed in to that account, within an hour:\n\n"
        f"    {realm.site}/settings/account/email/confirm/{token.reveal()}/\n\n"
        "The link works once. If this is not you, there is nothing to do.\n",
    )


def email_taken(realm: Realm, email: str) -> Mail:
    """To an address that somebody wants to use, but that already has an account. The page does not say so."""
    return _mail(
        realm,
        email,
        f"You have an account in {realm.name}",
        f"Somebody, probably you, wants to use this address for another account in {realm.name}. It has an account\n"
        "there already, so nothing was changed. If this is not you, there is nothing to do.\n",
    )


def email_changed(
    realm: Realm, old: str, account: Account, token: Secret, *, at: datetime, origin: RequestOrigin
) -> Mail:
    """To the earlier address of an account: the link with which it gets that address back."""
    return _mail(
        realm,
        old,
        f"Your email for {realm.name} was changed",
        f"On {_moment(at)}, the email of your account in {realm.name} was changed\n"
        f"from {old} to {account.delivery_email}\n({_origin(origin)}).\n\n"
        "If this was you, there is nothing to do. If not, change it back here, within seven days:\n\n"
        f"    {realm.site}/accounts/email/undo/{token.reveal()}/\n\n"
        "This signs out all browsers. Then choose a new password, and generate a new API key.\n",
    )


def invitation(realm: Realm, email: str, inviter: Account, token: Secret, *, until: datetime) -> Mail:
    """To somebody who is invited. The link works until `until`."""
    shown = f" ({inviter.delivery_email})" if inviter.email_visibility is EmailVisibility.EVERYONE else ""
    return _mail(
        realm,
        email,
        f"{inviter.full_name} invites you to {realm.name}",
        f"{inviter.full_name}{shown} invites you to join {realm.name}:\n\n"
        f"    {realm.site}/join/{token.reveal()}/\n\n"
        f"The link works once, until {_moment(until)}.\n",
    )


def already_joined(realm: Realm, email: str) -> Mail:
    """To an address that asked to join by a link, but already has an account."""
    return _mail(
        realm,
        email,
        f"You have an account in {realm.name}",
        f"Somebody, probably you, asked to join {realm.name} with this address, which has an account there already.\n"
        f"Sign in, or ask for a new password:\n\n    {realm.site}/login/\n",
    )


def account_deactivated(realm: Realm, account: Account, comment: str) -> Mail:
    """To a person whose account was deactivated."""
    said = f"\nThey said: {comment}\n" if comment else ""
    return _mail(
        realm,
        account,
        f"Your account in {realm.name} was deactivated",
        f"An administrator deactivated your account in {realm.name}. You are signed out everywhere, and your\n"
        f"API key and your bots' keys are refused.\n{said}",
    )


def _key(holder: Account, owner: Account, record: APIKeyRecord) -> str:
    """How a mail to the owner describes a key."""
    which = "account key" if record.is_account_key else f"API key \N{LEFT DOUBLE QUOTATION MARK}{one_line(record.name)}"
    which += "" if record.is_account_key else "\N{RIGHT DOUBLE QUOTATION MARK}"
    return f"your {which}" if holder.id == owner.id else f"the {which} of your bot {one_line(holder.full_name)}"


def _page(realm: Realm, owner: Account, holder: Account) -> str:
    return f"{realm.site}/settings/{'account' if holder.id == owner.id else f'bots/{holder.id}'}/"


def ended_key_used(realm: Realm, owner: Account, holder: Account, record: APIKeyRecord, use: KeyUse) -> Mail:
    """To the owner of a key that was revoked or replaced or has expired: somebody uses it. Sent once."""
    return _mail(
        realm,
        owner,
        "An API key that has ended is still used",
        f"On {_moment(use.at)}, somebody used an earlier API key of yours in {realm.name}:\n"
        f"{_key(holder, owner, record)}\n({_origin(RequestOrigin(use.address, use.client))}). It was refused.\n\n"
        "If this is a program of yours, give it a new zuliprc. If not, somebody else has the key: look at the\n"
        "security log, and find out where the key was kept.\n\n"
        f"    {realm.site}/settings/security-log/\n\n"
        "You will get no other mail about this key.\n",
    )


def key_ends(realm: Realm, owner: Account, holder: Account, record: APIKeyRecord) -> Mail:
    """To the owner of a key that ends soon."""
    assert record.expires_at is not None
    used = "nobody has used it yet" if record.last_use is None else f"it was last used on {_moment(record.last_use.at)}"
    return _mail(
        realm,
        owner,
        "An API key ends soon",
        f"In {realm.name}, {_key(holder, owner, record)}\nends on {_moment(record.expires_at)}; {used}.\n\n"
        "A key that replaces it ends at the same time. If programs need one for longer, add another key:\n\n"
        f"    {_page(realm, owner, holder)}\n",
    )


def name_of(actor: Account | None) -> str:
    """How a mail names who did something: None is the operator."""
    return "the server's operator" if actor is None else one_line(actor.full_name)


def key_issued(realm: Realm, owner: Account, holder: Account, record: APIKeyRecord, *, actor: Account | None) -> Mail:
    """To the owner of a bot: somebody else created a named key for it."""
    return _mail(
        realm,
        owner,
        "A new API key of a bot of yours",
        f"On {_moment(record.created_at)}, {name_of(actor)} created {_key(holder, owner, record)}\nin {realm.name}. "
        "Whoever has it can act as the bot.\n\n"
        f"    {_page(realm, owner, holder)}\n",
    )


def key_revoked(
    realm: Realm, owner: Account, holder: Account, record: APIKeyRecord, *, actor: Account | None, at: datetime
) -> Mail:
    """To the owner of a key that somebody else revoked."""
    return _mail(
        realm,
        owner,
        "An API key of yours was revoked",
        f"On {_moment(at)}, {name_of(actor)} revoked {_key(holder, owner, record)}\nin {realm.name}. Programs that use "
        "it are refused.\n\n"
        f"    {_page(realm, owner, holder)}\n",
    )


def keys_ended(realm: Realm, owner: Account, holders: Sequence[Account], *, by: str, at: datetime) -> Mail:
    """To the owner of account keys that ended because they had been created with another key, which was revoked."""
    whose = ["your own" if each.id == owner.id else f"of your bot {one_line(each.full_name)}" for each in holders]
    listed = "".join(f"    {each}\n" for each in whose[:_MOST_LISTED])
    more = f"    and {len(whose) - _MOST_LISTED} more\n" if len(whose) > _MOST_LISTED else ""
    return _mail(
        realm,
        owner,
        "API keys of yours have ended",
        f"On {_moment(at)}, an API key in {realm.name} was revoked by {by}.\n"
        f"These account keys ended with it, because they had been created with it:\n\n{listed}{more}\n"
        "Programs that use them are refused. Generate new ones:\n\n"
        f"    {realm.site}/settings/{'account' if [each.id for each in holders] == [owner.id] else 'bots'}/\n",
    )


def key_found(
    realm: Realm, owner: Account, holder: Account, record: APIKeyRecord, *, at: datetime, origin: RequestOrigin
) -> Mail:
    """To the owner of a key that somebody else had and revoked."""
    next_step = "Generate a new one" if record.is_account_key else "Add another one where you need it"
    return _mail(
        realm,
        owner,
        "An API key of yours was found and revoked",
        f"On {_moment(at)}, somebody who had {_key(holder, owner, record)}\nin {realm.name} revoked it "
        f"({_origin(origin)}).\n\n"
        "It was probably found in a place where others can read it. Programs that use it are refused.\n"
        f"{next_step}, and remove the old one from where it was found:\n\n"
        f"    {_page(realm, owner, holder)}\n",
    )


def key_in_address(realm: Realm, owner: Account, subject: Account, *, at: datetime, origin: RequestOrigin) -> Mail:
    """To the owner of a key: it was sent to an incoming webhook's URL, which does not accept such a key."""
    yours = owner.id == subject.id
    whose = "your API key" if yours else f"the API key of your bot {subject.full_name} ({subject.delivery_email})"
    return _mail(
        realm,
        owner,
        "An API key was sent to a webhook address",
        f"On {_moment(at)}, {whose} in {realm.name} was sent to the address of an incoming\n"
        f"webhook ({_origin(origin)}).\n"
        "It was refused: only the key of an incoming webhook bot works there. A key in an address is written\n"
        "into logs on its way, so generate a new one, and use an incoming webhook bot for that service:\n\n"
        f"    {realm.site}/settings/{'account' if yours else 'bots'}/\n",
    )
