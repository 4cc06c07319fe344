"""Where Keybearer's answers differ from the recorded ones, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True)
class Difference:
    """An intended difference. `exchanges` and `fields` are patterns, as in a shell."""

    exchanges: str
    fields: str
    reason: str
    decision: str = ""

    def covers(self, exchange: str, field: str) -> bool:
        """Whether this explains why `field` differs there."""
        return any(fnmatchcase(exchange, pattern) for pattern in self.exchanges.split()) and any(
            fnmatchcase(field, pattern) for pattern in self.fields.split()
        )


DIFFERENCES = [
    Difference(
        "*",
        "header.x-request-id",
        "every answer names its request, as the log does",
    ),
    Difference(
        "*server_settings*",
        "zulip_version zulip_feature_level keybearer_version",
        "the version and feature level that Keybearer reports, and behaves by",
    ),
    Difference(
        "users_me-accept-language-de-wrong-key",
        "msg",
        "Keybearer answers in English; programs read the code",
    ),
    Difference(
        "fetch_api_key-deactivated-user-wrong-password",
        "code msg",
        "only somebody who knows an account's password is told that it is deactivated",
        "0041",
    ),
    Difference(
        "json_bots_api_key-session",
        "status header.* result msg api_key",
        "`GET bots/{id}/api_key` exists since feature level 463",
    ),
    Difference(
        "bots-create-bad-short_name-at",
        "*",
        "an address with `@` in quotes would be misread by programs that read zuliprc files",
        "0042",
    ),
    Difference(
        "bots-list-own-after-deactivate",
        'bots."a@b-bot"@zulip.testserver',
        "the bot with that address was never created",
        "0042",
    ),
    Difference(
        "password-change-weak",
        "reason",
        "the reason why the password is refused is added to Zulip's words",
    ),
    Difference(
        "user-reactivated-old-key",
        "*",
        "reactivating issues a new key: the key that a deactivated account had stays revoked",
        "0043",
    ),
]

LEFT_OUT: dict[str, str] = {
    "password-auth-disabled-*": "organizations here cannot turn passwords off",
    "development-dev_fetch_api_key-backend-not-enabled": "a Keybearer server in development mode lets anybody sign in",
}
"""Recorded questions that are not asked: exchange pattern → why."""

BY_DESIGN: list[tuple[str, str, tuple[str, str]]] = [
    (
        "two replacements of a key at once, with that key",
        "both succeed, and one of the new keys is invalid from the start",
        ("one succeeds; the other is answered `Invalid API key`", "0006"),
    ),
    (
        "changing a bot's owner",
        "the key stays: the former owner's file keeps working",
        ("the bot gets a new key, and the new owner a mail", "0043"),
    ),
    (
        "failed passwords",
        "counted for the name as typed, from everywhere: a stranger can lock the owner out",
        ("counted for the account in any spelling, from one address, by all workers together", "0044"),
    ),
    ("failed keys", "never limited", ("limited by address, but a valid key is never refused", "0044")),
    (
        "passwords",
        "6 to 100 characters",
        ("8 to 128 characters, and as hard to guess as in Zulip; `reason` says what is wrong", ""),
    ),
    (
        "a bot's role",
        "administrators manage every bot",
        ("only accounts of at least the bot's role, and its owner, manage it", "0047"),
    ),
    (
        "a bot of a demoted owner",
        "the bot keeps its role",
        ("its role in effect is never above its owner's, and it can do nothing without an active owner", "0008"),
    ),
    (
        "`DELETE /json/users/me`",
        "a session is enough",
        ("a session needs a password that was given in the last ten minutes", "0008"),
    ),
    ("use of a replaced key", "forgotten", ("recorded, and shown to the owner", "")),
    (
        "caching",
        "some answers with a key may be cached",
        ("every answer is `no-store`", "0040"),
    ),
    (
        "the cookie `csrftoken`",
        "compared with the token that is sent",
        ("a copy of a token that belongs to the session; the cookie itself proves nothing", "0048"),
    ),
    (
        "who may invite people",
        "members, unless the organization says otherwise",
        ("administrators, unless the organization says otherwise", ""),
    ),
    (
        "an invitation for ever",
        "`invite_expires_in_minutes` null",
        ("the same, but it lasts a year", ""),
    ),
    (
        "a link for several people",
        "anybody who has it joins with any address that a mail confirms; members may create one",
        ("anybody who has it is mailed a separate invitation; only administrators may create one", "0090"),
    ),
    (
        "a person added by `POST users`",
        "the password that the administrator chose opens the account and its key",
        ("it only lets the person choose another: `PASSWORD_RESET_REQUIRED` until then", "0090"),
    ),
    (
        "what is not available",
        "there",
        ("404 `NOT_AVAILABLE`; [the list](unavailable.md)", "0090"),
    ),
    (
        "groups in settings",
        "any group, named or not",
        ("the system groups, by id; `GET user_groups` lists them", ""),
    ),
    (
        "pictures of bots",
        "uploaded with the bot",
        ("drawn by the server; an uploaded file is named as unsupported", ""),
    ),
    (
        "webhooks of integrations",
        "more than a hundred, at `/api/v1/external/…?api_key=…`, with any bot's key",
        (
            "`json` and `slack_incoming`, with the key of an incoming webhook bot only, by a header too",
            "0108",
        ),
    ),
    (
        "a bot's default channels",
        "kept, and shown with the bot",
        ("bots have none: a request that names one is refused with `Invalid channel name`", ""),
    ),
    (
        "`edit_history` of a message",
        "each earlier text in full, also as HTML",
        ("the first 200 characters of each; `GET messages/{id}/history` has the full texts", "0087"),
    ),
    (
        "a long message",
        "at most a million characters of HTML",
        ("at most 12 for each character plus 20,000; beyond that `Unable to render message`", "0087"),
    ),
    (
        "a page of long messages",
        "as many as requested",
        ("at most about 5 million characters; `found_oldest` and `found_newest` say whether it was cut", "0087"),
    ),
    (
        "several messages deleted at once",
        "an event for each to clients without the capability `bulk_message_deletion`",
        ("one event with all of their ids, to those clients too", ""),
    ),
    (
        "`204` to OPTIONS",
        "with `Content-Length: 0`",
        ("without it, as RFC 9110 asks (8.6)", ""),
    ),
]
"""A topic, Zulip's way, Keybearer's way and its decision, for differences that no recorded answer shows."""
