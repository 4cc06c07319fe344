"""`keybearer admin`: the output of commands, in words for people or in JSON for programs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from keybearer.cli.terminal.output import print_json
from keybearer.server.domain.accounts import Account


def answer(sentence: str, document: object, *, as_json: bool) -> None:
    """Print the result: the sentence, or with `--json` the document. Neither may contain a key.

    Nothing is masked, since the token of a link looks like a key.
    """
    if as_json:
        print_json(document, verbatim=True)
    else:
        click.echo(sentence)


def account_document(account: Account) -> dict[str, Any]:
    """An account as JSON."""
    return {
        "id": account.id,
        "email": account.delivery_email,
        "full_name": account.full_name,
        "role": account.role.label,
        "bot_type": None if account.bot_type is None else account.bot_type.label,
        "bot_owner_id": account.bot_owner_id,
        "is_active": account.is_active,
        "date_joined": account.date_joined.isoformat(timespec="seconds"),
    }


def in_words(at: datetime) -> str:
    """A time as people read it: in UTC, to the second."""
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def moment(at: datetime | None) -> str | None:
    """A time as JSON: ISO 8601, with its zone, to the second."""
    return None if at is None else at.isoformat(timespec="seconds")
