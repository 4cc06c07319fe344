"""One of the caller's bots, and its zuliprc."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from keybearer.cli.connection import waiting_for
from keybearer.cli.overwriting import confirm_overwrite
from keybearer.cli.terminal.output import note, print_only_copy
from keybearer.cli.user_display import email_of
from keybearer.client.models.accounts import User
from keybearer.client.sync import Client
from keybearer.errors import KeybearerError
from keybearer.secret import Secret
from keybearer.store.files import write_zuliprc
from keybearer.store.home import expand
from keybearer.store.obstacles import require_replaceable
from keybearer.zuliprc.credentials import Credentials, TLSOptions
from keybearer.zuliprc.document import render_zuliprc
from keybearer.zuliprc.fields import CLIENT_BUNDLE
from keybearer.zuliprc.resolver import Resolution

STDOUT = "-"
OUTGOING_WEBHOOK = 3


def find_bot(client: Client, id_or_email: str) -> User:
    """The bot with this ID or email. Raises KeybearerError for a person."""
    with waiting_for(client):
        if id_or_email.isdecimal():
            account = client.get_user_by_id(int(id_or_email))
        else:
            account = client.get_user_by_email(id_or_email)
    if not account.is_bot:
        raise KeybearerError(f"{email_of(account)} is a person, not a bot", hint="`keybearer bot list` lists your bots")
    return account


def place_for(
    output: str | None,
    *,
    email: str,
    site: str | None,
    yes: bool,
    is_lost: Callable[[Resolution], bool] = lambda there: False,
) -> Path | None:
    """The file that `--output` names, None for standard output. Makes sure that it can be written.

    Asks before another account's file is replaced, or one with a key that `is_lost`. The email is empty for a bot that
    does not exist yet. Raises FileError, and KeybearerError if there is no terminal to ask on.
    """
    if output is None or output == STDOUT:
        return None
    path = expand(output, os.environ)
    otherwise = "--yes, or another --output"
    confirm_overwrite(path, email=email, site=site, yes=yes, otherwise=otherwise, is_lost=is_lost)
    require_replaceable(path)
    return path


@dataclass(frozen=True, slots=True)
class BotZuliprc:
    """Where the zuliprc of a bot goes: a file, or None for standard output."""

    client: Client
    bot: User
    path: Path | None

    @classmethod
    def prepared(cls, client: Client, bot: User, output: str | None, *, yes: bool) -> BotZuliprc:
        """Make sure that the zuliprc can be written, as `place_for` does."""
        return cls(client, bot, place_for(output, email=email_of(bot), site=client.site, yes=yes))

    def write(self, key: Secret) -> None:
        """Write the zuliprc, or print its exact text. Raises KeybearerError, which says how to write it again."""
        try:
            self._give(key)
        except KeybearerError as error:
            error.hint = f"Nothing is lost: `keybearer bot zuliprc {self.bot.user_id} --output FILE` writes it again"
            raise
        tls = self.client.credentials.tls if self.client.credentials else TLSOptions()
        # A bundle of another program's variable is a setting of the machine, as `export` has it.
        if tls.cert_bundle in map(os.environ.get, CLIENT_BUNDLE.fallbacks):
            tls = replace(tls, cert_bundle=None)
        if tls != TLSOptions():
            note("Your own TLS settings are not in it. The bot may need its own on its machine.")

    def _give(self, key: Secret) -> None:
        with waiting_for(self.client):
            credentials = credentials_of(self.client, self.bot, key)
        if self.path is None:
            print_only_copy(render_zuliprc(credentials))
        else:
            write_zuliprc(self.path, credentials)


def credentials_of(client: Client, bot: User, key: Secret) -> Credentials:
    """The credentials in a bot's zuliprc, with the service token of an outgoing webhook bot."""
    return Credentials(email_of(bot), key, client.site, _token_of(client, bot))


def _token_of(client: Client, bot: User) -> Secret | None:
    """The token of an outgoing webhook bot. Servers send it in the initial state of a new event queue."""
    if bot.bot_type != OUTGOING_WEBHOOK:
        return None
    queue = client.register(["realm_bot"], fetch_event_types=["realm_bot"])
    client.deregister(queue.queue_id)
    states = queue.get("realm_bots") or []
    services = next((one.get("services") or [] for one in states if one.get("user_id") == bot.user_id), [])
    tokens = [service.get("token") for service in services if isinstance(service, dict)]
    return next((token for token in tokens if isinstance(token, Secret)), None)
