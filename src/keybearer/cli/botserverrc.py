"""A botserverrc: one file with several bots, for `zulip-botserver`. Each section has the name of the bot's program."""

from __future__ import annotations

import re
from collections.abc import Sequence

from keybearer.cli.bot_zuliprc import credentials_of, find_bot
from keybearer.cli.user_display import email_of
from keybearer.client.sync import Client
from keybearer.errors import KeybearerError
from keybearer.zuliprc.credentials import Credentials
from keybearer.zuliprc.document import botserver_section, render_botserverrc

_SECTION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-/]*")


def botserverrc(client: Client, named: Sequence[str]) -> str:
    """The text of the file for these bots. Each is an ID or an email, optionally after its section and `=`.

    The default section is the part of the bot's address before `-bot@`. Raises KeybearerError for a person, for an
    invalid section, and for two bots with one section.
    """
    sections: dict[str, Credentials] = {}
    for each in named:
        given, _, id_or_email = each.rpartition("=")
        bot = find_bot(client, id_or_email)
        section = given or botserver_section(email_of(bot))
        if not _SECTION.fullmatch(section):
            raise KeybearerError(
                f"{section!r} is not a valid section name", hint="Give the name of the bot's program: NAME=ID"
            )
        if section in sections:
            raise KeybearerError(
                f"Two bots would have the section [{section}]", hint="Give each bot its own section: NAME=ID"
            )
        sections[section] = credentials_of(client, bot, client.get_bot_api_key(bot.user_id))
    return render_botserverrc(sections)
