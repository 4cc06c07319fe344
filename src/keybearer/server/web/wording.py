"""Sentences that several pages share."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

from keybearer.errors import ResolutionError
from keybearer.server.domain.accounts import NAME_FORBIDDEN
from keybearer.server.domain.errors import Refused, WeakPassword
from keybearer.server.domain.grants import ALL_SCOPES, Scope
from keybearer.server.domain.realms import SystemGroup

_GROUPS = {
    SystemGroup.NOBODY: "Nobody",
    SystemGroup.OWNERS: "Owners",
    SystemGroup.ADMINISTRATORS: "Administrators and owners",
    SystemGroup.MODERATORS: "Moderators and above",
    SystemGroup.FULL_MEMBERS: "Full members and above",
    SystemGroup.MEMBERS: "Members and above",
    SystemGroup.EVERYONE: "Everyone, guests too",
    SystemGroup.INTERNET: "Everyone on the internet",
}

_SCOPES = {Scope.READ: "read", Scope.SEND: "send", Scope.MANAGE: "manage", Scope.KEYS: "change keys"}

_IN_A_FORM = {
    "Bad name or username": "Please choose another bot email: letters and digits, with dots, hyphens or underscores "
    "between them.",
    "Invalid characters in name!": f"Invalid characters in name! Please leave out {' '.join(sorted(NAME_FORBIDDEN))}.",
    "Invalid format!": "Invalid format! A name does not end in | and a number.",
    "Must be an organization administrator": "Only administrators and owners of the organization can do this.",
    "Must be an organization owner": "Only owners of the organization can do this.",
    "Not allowed for guest users": "Guests can’t do this.",
    "Insufficient permission": "You don’t have permission to do this.",
    "Where API keys must end, they need a default life: set default_api_key_days too.": "Please enter a default life "
    "too: new keys must end.",
    "Invalid timezone: Value error, Not a recognized time zone": "This time zone does not exist.",
    "Invalid payload_url: Value error, Not a URL": "Please enter the whole endpoint URL: it begins with https:// or "
    "http://.",
}
"""Refusals in the words of the wire that do not tell a person what to do, and what pages say instead."""

PASSWORD_FIELD = "current_password"  # noqa: S105  a field
"""The field of forms that ask for the password if it was given too long ago."""

NAMED_FIELD = "named"
"""The field for a text that names whom or what somebody chooses, where there is too much to list."""

_FIELDS = (
    ("Name too ", "full_name"),
    ("Invalid characters in name!", "full_name"),
    ("Invalid format!", "full_name"),
    ("Name is already in use", "full_name"),
    ("Enter a valid email address.", "email"),
    ("This email address ", "email"),
    ("This is already your email.", "email"),
    ("The organization's name ", "organization"),
    ("The organization's description ", "description"),
    ("The name of an API key ", "key_name"),
    ("Invalid scopes", "scopes"),
    ("Invalid networks", "networks"),
    ("Choose when the API key ends.", "ends"),
    ("An API key may live ", "ends"),
    ("This organization does not allow API keys without an end.", "ends"),
    ("Choose the date on which", "last_day"),
    ("An API key must end in the future", "last_day"),
    ("An API key can only be narrowed, and gets no later end", "last_day"),
    ("An API key can only be narrowed, and gets no wider networks", "networks"),
    ("Where API keys must end,", "default_api_key_days"),
    ("The default life of API keys", "default_api_key_days"),
    ("Choose which “", NAMED_FIELD),
    ("Nothing that you can choose", NAMED_FIELD),
    ("Password is incorrect.", PASSWORD_FIELD),
    ("Please enter your password again", PASSWORD_FIELD),
)
"""The beginnings of refusals that are about one field, and that field."""


def refusal_words(refusal: Refused | ResolutionError) -> str:
    """What a page or a form says when something is refused."""
    if not isinstance(refusal, Refused):
        return str(refusal)
    return _IN_A_FORM.get(refusal.message, refusal.message)


def field_of(refusal: Refused | ResolutionError) -> str | None:
    """Which field of a form a refusal is about. None if it is about the whole form."""
    if isinstance(refusal, WeakPassword):
        return "password"
    if isinstance(refusal, ResolutionError):
        return "site" if refusal.kind == "bad_url" else None
    return next((field for beginning, field in _FIELDS if refusal.message.startswith(beginning)), None)


def group_words(group: SystemGroup) -> str:
    """A group by role, in the words of the policies page."""
    return _GROUPS[group]


def scope_words(scopes: Scope) -> str:
    """The meaning of a key's scopes: `read and send`, `everything`."""
    if scopes == ALL_SCOPES:
        return "everything"
    names = [_SCOPES[scope] for scope in Scope if scope in scopes]
    return " and ".join([*([", ".join(names[:-1])] if names[1:] else []), names[-1]])


def counted(number: int, noun: str) -> str:
    """`1 bot`, `3 bots`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def code_spans(text: str) -> Markup:
    """A text in which `…` becomes code, as HTML."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704  escaped just before
