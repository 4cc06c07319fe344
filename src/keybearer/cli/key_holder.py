"""The account or bot that named keys belong to. No new key is left behind that nobody has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from keybearer.cli.bot_zuliprc import credentials_of, find_bot, place_for
from keybearer.cli.connection import waiting_for
from keybearer.cli.key_display import key_in_use
from keybearer.cli.terminal.output import note, print_only_copy
from keybearer.cli.user_display import email_of
from keybearer.client.models.accounts import User
from keybearer.client.models.api_keys import APIKey, NewAPIKey
from keybearer.client.sync import Client
from keybearer.errors import ClientError, InvalidAPIKey, KeybearerError
from keybearer.store.files import write_zuliprc
from keybearer.zuliprc.credentials import Credentials, TLSOptions
from keybearer.zuliprc.document import render_zuliprc
from keybearer.zuliprc.fields import PASSCMD
from keybearer.zuliprc.resolver import Resolution


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """The account of the keys: the caller's own, or a bot's."""

    client: Client
    bot: User | None

    @classmethod
    def named(cls, client: Client, id_or_email: str | None) -> KeyHolder:
        """The bot with this ID or email, or without one the caller. Raises KeybearerError for a person."""
        return cls(client, None if id_or_email is None else find_bot(client, id_or_email))

    @property
    def bot_id(self) -> int | None:
        return None if self.bot is None else self.bot.user_id

    @property
    def email(self) -> str:
        return self.client.email if self.bot is None else email_of(self.bot)

    def keys(self) -> list[APIKey]:
        """The keys that work, the oldest first."""
        with waiting_for(self.client):
            return list(self.client.get_api_keys(bot_id=self.bot_id))

    def find(self, key_id: int) -> APIKey:
        """The key with this ID. Raises KeybearerError if there is none."""
        found = next((each for each in self.keys() if each.id == key_id), None)
        if found is None:
            raise KeybearerError(f"{self.email} has no API key {key_id}", hint="`keybearer key list` lists them")
        return found

    def place_for(self, output: str | None, *, yes: bool, replaced: int | None = None) -> Path | None:
        """As the function of this name, for a new key. Asks also before a key that works is overwritten.

        The key with the ID `replaced` needs no question, since it ends.
        """
        return place_for(
            output,
            email=self.email,
            site=self.client.site,
            yes=yes,
            is_lost=lambda there: self._works(there, besides=replaced),
        )

    def _works(self, there: Resolution, *, besides: int | None) -> bool:
        """Whether the key in this zuliprc may work, and is not the one with the ID `besides`. No `passcmd` is run."""
        if PASSCMD.name in there.values:
            return True
        tls = self.client.credentials.tls if self.client.credentials else TLSOptions()
        try:
            with (
                Client(Credentials(there.email, there.api_key, self.client.site, tls=tls)) as client,
                waiting_for(client),
            ):
                found = key_in_use(client)
        except InvalidAPIKey:
            return False
        except ClientError:
            return True
        return found is None or found.id != besides

    def hand_over(self, new: NewAPIKey, path: Path | None) -> None:
        """Write the zuliprc with the new key, or print its exact text. If that fails, the key is revoked again.

        Raises KeybearerError, which says whether the key was revoked, and how to revoke it if not.
        """
        try:
            self._give(new, path)
        except KeybearerError as error:
            error.hint = self._revoked_again(new)
            raise
        except BaseException:  # such as Ctrl-C
            note(f"{self._revoked_again(new)}.")
            raise

    def hand_over_successor(self, new: NewAPIKey, path: Path | None, *, of: int) -> None:
        """As `hand_over`, for a key that has replaced the key `of`. If that fails, the key stays.

        Raises KeybearerError, which says how to end or replace it.
        """
        lost = (
            f"Key {of} was replaced by key {new.id}, which nobody has now. {self._command('revoke', new)} ends it, "
            f"and {self._command('regenerate', new)} puts another one in its place"
        )
        try:
            self._give(new, path)
        except KeybearerError as error:
            error.hint = lost
            raise
        except BaseException:  # such as Ctrl-C
            note(f"{lost}.")
            raise

    def _give(self, new: NewAPIKey, path: Path | None) -> None:
        credentials = self._credentials(new)
        if path is None:
            print_only_copy(render_zuliprc(credentials))
        else:
            write_zuliprc(path, credentials)

    def _credentials(self, new: NewAPIKey) -> Credentials:
        if self.bot is None:
            return Credentials(self.client.email, new.api_key, self.client.site)
        with waiting_for(self.client):
            return credentials_of(self.client, self.bot, new.api_key)

    def _revoked_again(self, new: NewAPIKey) -> str:
        """Revoke a key that nobody has, and say so. If that fails too, say how to do it."""
        try:
            with waiting_for(self.client):
                self.client.revoke_api_key(new.id, bot_id=self.bot_id)
        except KeybearerError as error:
            return f"Key {new.id} works, and nobody has it: {self._command('revoke', new)} ends it ({error.message})"
        return "The new key was revoked again"

    def _command(self, name: str, new: NewAPIKey) -> str:
        """The command for this key, without the options of its own."""
        return f"`keybearer key {name} {new.id}{'' if self.bot is None else f' --bot {self.bot.user_id}'}`"
