"""Where our answers are others than the recorded ones, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True)
class Difference:
    """A difference that is meant. `exchanges` and `fields` are patterns, as in a shell."""

    exchanges: str
    fields: str
    reason: str
    decision: str = ""

    def covers(self, exchange: str, field: str) -> bool:
        """Whether this is why `field` differs there."""
        return any(fnmatchcase(exchange, pattern) for pattern in self.exchanges.split()) and any(
            fnmatchcase(field, pattern) for pattern in self.fields.split()
        )


DIFFERENCES = [
    Difference(
        "*server_settings*",
        "zulip_version zulip_feature_level",
        "the version and feature level that Keybearer reports, and behaves by",
    ),
    Difference(
        "users_me-accept-language-de-wrong-key",
        "msg",
        "Keybearer speaks English; programs look at the code",
    ),
    Difference(
        "fetch_api_key-deactivated-user-wrong-password",
        "code msg",
        "that an account is deactivated is told only to who knows its password",
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
        "the bot with that address was never made",
        "0042",
    ),
    Difference(
        "password-change-weak",
        "reason",
        "why the password is refused stands beside Zulip's words",
    ),
    Difference(
        "user-reactivated-old-key",
        "*",
        "reactivating issues a new key: the one that a deactivated account had stays dead",
        "0043",
    ),
]

LEFT_OUT: dict[str, str] = {
    "password-auth-disabled-*": "our organizations have no switch that turns passwords off",
    "development-dev_fetch_api_key-backend-not-enabled": "a server of ours that runs for development always lets in",
}
"""Recorded questions that are not asked: exchange pattern → why."""
