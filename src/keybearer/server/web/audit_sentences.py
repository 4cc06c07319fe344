"""Audit events as sentences for one reader: what they did, and what was done to their things."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from keybearer.server.domain.accounts import Account
from keybearer.server.domain.audit import AuditEvent
from keybearer.server.services.audit import NamedRecord
from keybearer.server.web.clients import client_name
from keybearer.server.web.wording import counted

KINDS: Mapping[str, tuple[str, ...]] = {
    "API keys": ("api_key",),
    "Bots": ("bot",),
    "Users": ("account", "invitation"),
    "Sign-ins and passwords": ("session", "password"),
    "Refused calls": ("call",),
    "Mobile devices": ("device",),
    "Organization": ("realm", "secrets"),
}
"""The filters of a log: their words, and the nouns of their events."""

ALARMING = {
    AuditEvent.API_KEY_LATE_USE,
    AuditEvent.API_KEY_REVOKED_BY_POSSESSION,
    AuditEvent.PASSWORD_REFUSED,
    AuditEvent.SESSION_REFUSED,
    AuditEvent.CALL_REFUSED,
    AuditEvent.PASSWORD_RESET_LINK_CREATED,
    AuditEvent.ACCOUNT_EMAIL_CHANGED,
}
"""Events that somebody who did not cause them should check."""

TOO_SMALL = {AuditEvent.PASSWORD_CONFIRMED}
"""Events that a log leaves out unless their kind is selected, because their results are listed too."""


def events_of(kind: str) -> list[AuditEvent]:
    """The events of a kind. For an unknown kind, all events that are worth a line."""
    nouns = KINDS.get(kind)
    if nouns is None:
        return [event for event in AuditEvent if event not in TOO_SMALL]
    return [event for event in AuditEvent if event.value.partition(":")[0] in nouns]


@dataclass(frozen=True, slots=True)
class _View:
    """A record and its reader, who decides the words for the actor and the owner."""

    named: NamedRecord
    reader: Account

    @property
    def actor(self) -> str:
        """The actor, at the start of a sentence."""
        actor = self.named.actor
        if actor is None:
            return "The server’s operator"
        return "You" if actor.id == self.reader.id else actor.full_name

    @property
    def is_reader(self) -> bool:
        subject = self.named.subject
        return subject is not None and subject.id == self.reader.id

    @property
    def subject(self) -> str:
        """The subject, in the middle of a sentence."""
        subject = self.named.subject
        if subject is None:
            return "an account that is gone"
        return "you" if self.is_reader else subject.full_name

    def whose(self, thing: str) -> str:
        """`your API key`, `the API key of Build watcher`."""
        return f"your {thing}" if self.is_reader else f"the {thing} of {self.subject}"

    def their(self, thing: str) -> str:
        """Something of the actor's own: `your …`, `their …`."""
        return f"{'your' if self.actor == 'You' else 'their'} {thing}"

    def detail(self, name: str) -> str:
        return str(self.named.record.details.get(name, ""))

    @property
    def origin(self) -> str:
        """` from 10.0.0.7 by ZulipPython 0.9.1`."""
        record = self.named.record
        where = f" from {record.address}" if record.address else ""
        return f"{where} by {client_name(record.client)}" if record.client else where


def _regenerated(t: _View) -> str:
    because = t.detail("because")
    if because == "reactivated":
        return f"{_capitalised(t.whose('API key'))} was replaced on reactivation."
    if because == "new owner":
        return f"{_capitalised(t.whose('API key'))} was replaced, because the bot has a new owner."
    number = t.named.record.details.get("devices")
    dropped = f", and {counted(number, 'mobile device')} logged out" if isinstance(number, int) and number else ""
    return f"{t.actor} generated a new API key for {_reflexive(t)}; the old one stopped working{dropped}."


def _reflexive(t: _View) -> str:
    actor, subject = t.named.actor, t.named.subject
    if actor is not None and subject is not None and actor.id == subject.id:
        return "yourself" if t.actor == "You" else "themselves"
    return t.subject


def _session_closed(t: _View) -> str:
    number = t.named.record.details.get("sessions")
    return (
        f"{t.actor} signed {counted(number, 'browser')} out." if isinstance(number, int) else f"{t.actor} signed out."
    )


def _session_refused(t: _View) -> str:
    if t.detail("because") in ("USER_DEACTIVATED", "REALM_DEACTIVATED"):
        return f"Somebody signed in to a deactivated account, {t.subject}, and was refused."
    if t.named.subject is None:
        return f"Somebody tried to sign in as {t.detail('email')}, which is not an account here."
    return f"Somebody tried to sign in as {t.subject} with a wrong password."


def _password_changed(t: _View) -> str:
    if t.named.actor is None:
        return f"{_capitalised(t.whose('password'))} was reset by a link."
    return f"{t.actor} changed {t.their('password')}."


def _invitation_created(t: _View) -> str:
    if t.named.record.details.get("again"):
        return f"{t.actor} invited {t.detail('email')} again."
    if t.named.record.details.get("by_link"):
        return f"{t.detail('email')} asked for an invitation as {t.detail('role')}, by a link for several people."
    return f"{t.actor} invited {t.detail('email')} as {t.detail('role')}."


def _account_created(t: _View) -> str:
    if t.named.actor is None or (t.named.subject is not None and t.named.actor.id == t.named.subject.id):
        return f"{_capitalised(t.subject)} joined as {t.detail('role')}."
    return f"{t.actor} added {t.subject} as {t.detail('role')}."


def _account_changed(t: _View) -> str:
    is_about_time = t.named.record.details.get("changed") == ["timezone"]
    return f"{t.actor} changed {t.their('time zone' if is_about_time else 'privacy settings')}."


def _bot_changed(t: _View) -> str:
    names = {"full_name": "name", "short_name": "email", "payload_url": "endpoint URL", "interface": "message format"}
    changed = t.named.record.details.get("changed")
    parts = [names.get(str(part), str(part)) for part in changed] if isinstance(changed, list) else []
    return f"{t.actor} changed the bot {t.subject}: {', '.join(parts)}." if parts else f"{t.actor} changed {t.subject}."


def _email_change_requested(t: _View) -> str:
    to = f" to {t.detail('to')}" if t.is_reader else ""  # others may not be allowed to see addresses of this person
    return f"{t.actor} asked to change {t.their('email')}{to}, and a link was mailed to the new address."


def _email_changed(t: _View) -> str:
    if t.named.record.details.get("undone"):
        return f"{_capitalised(t.whose('email'))} was changed back, by the link in the mail to the earlier address."
    return f"{t.actor} changed {t.whose('email')}: every zuliprc names the old one."


def _key_name(t: _View) -> str:
    name = t.detail("name")
    return f"“{name}”" if name else "(the account key)"


def _late_use(t: _View) -> str:
    name = f" “{t.detail('name')}”" if t.detail("name") else ""
    return f"{_capitalised(t.whose('old key'))}{name} is still being used{t.origin}."


def _key_changed(t: _View) -> str:
    names = {"scopes": "scopes", "expires_at": "end", "networks": "networks"}
    changed, before, key = t.named.record.details.get("changed"), t.detail("from"), t.whose("API key")
    parts = [names[part] for part in changed if part in names] if isinstance(changed, list) else []
    if not before:
        return f"{t.actor} narrowed {key} {_key_name(t)}: {', '.join(parts)}."
    narrowed = f" and narrowed it: {', '.join(parts)}" if parts else ""
    return f"{t.actor} renamed {key} “{before}” to {_key_name(t)}{narrowed}."


def _key_issued(t: _View) -> str:
    if "key" not in t.named.record.details:
        return f"{_capitalised(t.subject)} got a first API key."
    if t.detail("because") == "hand-over":
        maker = "you" if t.actor == "You" else t.actor
        return f"Somebody got {t.whose('API key')} {_key_name(t)}, by a hand-over link of {maker}."
    return f"{t.actor} added {t.whose('API key')} {_key_name(t)}."


def _realm_changed(t: _View) -> str:
    names = {
        "name": "name",
        "description": "description",
        "can_create_bots": "who may create bots",
        "can_create_write_only_bots": "who may create incoming webhooks",
        "can_invite": "who may invite people",
        "longest_api_key_days": "longest life of API keys in days",
        "default_api_key_days": "default life of API keys in days",
        "api_keys_must_end": "API keys must end",
    }
    details = t.named.record.details
    parts = [f"{names.get(key, key)}: {str(value).removeprefix('role:')}" for key, value in details.items()]
    return f"{t.actor} changed the organization: {'; '.join(parts)}."


_SENTENCES: Mapping[AuditEvent, Callable[[_View], str]] = {
    AuditEvent.CALL_REFUSED: lambda t: f"A call by {t.subject} was refused: {t.detail('reason').rstrip('.')}.",
    AuditEvent.REALM_CREATED: lambda _: "The organization was created.",
    AuditEvent.REALM_CHANGED: _realm_changed,
    AuditEvent.REALM_MOVED: lambda t: (
        f"{t.actor} moved the organization from {t.detail('from')} to {t.detail('to')}: "
        "every earlier zuliprc contains the old address."
    ),
    AuditEvent.ACCOUNT_CREATED: _account_created,
    AuditEvent.ACCOUNT_RENAMED: lambda t: f"{t.actor} changed the name {t.detail('from')} to {t.detail('to')}.",
    AuditEvent.ACCOUNT_CHANGED: _account_changed,
    AuditEvent.ACCOUNT_ROLE_CHANGED: lambda t: (
        f"{t.actor} changed the role of {t.subject} from {t.detail('from')} to {t.detail('to')}."
    ),
    AuditEvent.ACCOUNT_EMAIL_CHANGE_REQUESTED: _email_change_requested,
    AuditEvent.ACCOUNT_EMAIL_CHANGED: _email_changed,
    AuditEvent.ACCOUNT_DEACTIVATED: lambda t: (
        f"{t.actor} deactivated {_reflexive(t)}; every use of the API key is refused."
    ),
    AuditEvent.ACCOUNT_REACTIVATED: lambda t: f"{t.actor} reactivated {t.subject}.",
    AuditEvent.BOT_CREATED: lambda t: f"{t.actor} added the bot {t.subject}.",
    AuditEvent.BOT_CHANGED: _bot_changed,
    AuditEvent.BOT_OWNER_CHANGED: lambda t: f"{t.actor} gave the bot {t.subject} another owner.",
    AuditEvent.BOT_HAND_OVER_LINK_CREATED: lambda t: f"{t.actor} created a hand-over link of the bot {t.subject}.",
    AuditEvent.BOT_MESSAGES_VIEWED: lambda t: f"{t.actor} looked at what the bot {t.subject} sent and received.",
    AuditEvent.API_KEY_ISSUED: _key_issued,
    AuditEvent.API_KEY_CHANGED: _key_changed,
    AuditEvent.API_KEY_REPLACED: lambda t: f"{t.actor} regenerated {t.whose('API key')} {_key_name(t)}.",
    AuditEvent.API_KEY_REVOKED: lambda t: f"{t.actor} revoked {t.whose('API key')} {_key_name(t)}.",
    AuditEvent.API_KEY_REVOKED_BY_POSSESSION: lambda t: (
        f"Somebody who had {t.whose('API key')} {_key_name(t)} revoked it."
    ),
    AuditEvent.API_KEY_FETCHED: lambda t: (
        f"{_capitalised(t.whose('API key'))} was fetched with the password{t.origin}."
    ),
    AuditEvent.API_KEY_VIEWED: lambda t: f"{t.actor} looked at {t.whose('API key')}.",
    AuditEvent.API_KEY_DOWNLOADED: lambda t: f"{t.actor} downloaded {t.whose('zuliprc')}.",
    AuditEvent.API_KEY_REGENERATED: _regenerated,
    AuditEvent.API_KEY_LATE_USE: _late_use,
    AuditEvent.SESSION_OPENED: lambda t: f"{t.actor} signed in.",
    AuditEvent.SESSION_REFUSED: _session_refused,
    AuditEvent.SESSION_CLOSED: _session_closed,
    AuditEvent.PASSWORD_CONFIRMED: lambda t: f"{t.actor} gave {t.their('password')} again.",
    AuditEvent.PASSWORD_REFUSED: lambda t: f"Somebody who is signed in as {t.subject} gave a wrong password.",
    AuditEvent.PASSWORD_CHANGED: _password_changed,
    AuditEvent.PASSWORD_RESET_REQUESTED: lambda t: (
        f"Somebody asked for a new password for {t.detail('email') if t.named.subject is None else t.subject}."
    ),
    AuditEvent.PASSWORD_RESET_LINK_CREATED: lambda t: f"{t.actor} created a link for a new password for {t.subject}.",
    AuditEvent.DEVICE_REGISTERED: lambda t: f"{t.actor} registered a mobile device.",
    AuditEvent.DEVICE_REMOVED: lambda t: f"{t.actor} removed a mobile device.",
    AuditEvent.INVITATION_CREATED: _invitation_created,
    AuditEvent.INVITATION_CHANGED: lambda t: (
        f"{t.actor} changed the invitation of {t.detail('email')}; they join as {t.detail('role')}."
    ),
    AuditEvent.INVITATION_REVOKED: lambda t: f"{t.actor} withdrew the invitation of {t.detail('email')}.",
    AuditEvent.SECRETS_PREPARED: lambda t: f"{t.actor} prepared a new secret of the server’s; no key changed.",
    AuditEvent.SECRETS_ROTATED: lambda t: f"{t.actor} rotated the server’s secrets; no key changed.",
}


def sentence(named: NamedRecord, reader: Account) -> str:
    """The sentence for a record, for this reader."""
    view = _View(named, reader)
    known = _SENTENCES.get(named.record.event)
    return known(view) if known else f"{view.actor}: {named.record.event.value.replace(':', ' ')}."


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]
