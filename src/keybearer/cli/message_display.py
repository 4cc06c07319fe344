"""Shows messages to people and programs."""

from __future__ import annotations

import json
from collections.abc import Mapping

import click

from keybearer.cli.moments import moment
from keybearer.cli.terminal.text import bare_line, content, json_text
from keybearer.client.models.messages import Message


def print_message(message: Message, *, as_json: bool) -> None:
    """Print one message: a line with its time, place and sender, and below it the indented text.

    As JSON, it is one line with the data from the server. Keys in the text are not masked, since the command exists to
    print it. Control characters for the terminal are shown as escapes.
    """
    if as_json:
        click.echo(json_text(json.dumps(dict(message.wire), ensure_ascii=False, default=str)))
        return
    when = "at an unknown time" if message.timestamp is None else moment(message.timestamp)
    sender = message.sender_full_name or message.sender_email or f"user {message.sender_id}"
    click.echo(bare_line(f"{when}  {_place(message)}  {sender}  (message {message.id})"))
    for line in content(message.content).split("\n"):
        click.echo(f"  {line}".rstrip())


def _place(message: Message) -> str:
    """`#channel > topic`, or the other people of a direct message."""
    to = message.display_recipient
    if isinstance(to, str):
        return f"#{to} > {message.topic or '(no topic)'}"
    names = [
        str(one.get("full_name") or one.get("email"))
        for one in (to if isinstance(to, list) else [])
        if isinstance(one, Mapping) and one.get("id") != message.sender_id
    ]
    return f"to {', '.join(names) or 'themselves'}"
