"""`keybearer send`: one message."""

from __future__ import annotations

import click

from keybearer.cli.connection import connected, waiting_for
from keybearer.cli.options import GivenCredentials, credential_options
from keybearer.cli.terminal.input import text_on_stdin
from keybearer.cli.terminal.output import print_json


@click.command()
@click.argument("text")
@click.option(
    "--to",
    "recipients",
    required=True,
    multiple=True,
    metavar="WHO",
    help="A channel's name or ID, with --topic; else an email or a user's ID. Can be given more than once for users.",
)
@click.option("--topic", metavar="TOPIC", help="The topic in the channel.")
@credential_options
def send(given: GivenCredentials, *, text: str, recipients: tuple[str, ...], topic: str | None) -> None:
    """Send one message, to a channel or to people.

    TEXT is Markdown; - reads it from standard input.

    \b
        keybearer send --to general --topic lunch "Soup!"
        make 2>&1 | keybearer send --to ada@example.com -
    """
    if topic is None:
        numbers = all(who.isdecimal() for who in recipients)
        if not numbers and any("@" not in who for who in recipients):
            raise click.UsageError("Use --topic with a channel. Name people all by email or all by ID.")
        to: object = [int(who) for who in recipients] if numbers else list(recipients)
    elif len(recipients) > 1:
        raise click.UsageError("A message with --topic goes to one channel.")
    else:
        to = int(recipients[0]) if recipients[0].isdecimal() else recipients[0]
    content = text_on_stdin() if text == "-" else text
    request = {"type": "private" if topic is None else "stream", "to": to, "topic": topic, "content": content}
    with connected(given) as client, waiting_for(client):
        sent = client.send_message(request)
    if given.as_json:
        print_json({"id": sent.id})
    else:
        click.echo(f"Sent message {sent.id}")
