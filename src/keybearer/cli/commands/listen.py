"""`keybearer listen`: messages as they arrive."""

from __future__ import annotations

import sys

import click

from keybearer.cli.connection import connected, waiting_for
from keybearer.cli.message_display import print_message
from keybearer.cli.options import GivenCredentials, credential_options
from keybearer.cli.terminal.output import is_terminal, note
from keybearer.client.sync import Client
from keybearer.errors import APIError, KeybearerError


@click.command()
@click.option("--channel", metavar="NAME", help="Only messages in this channel; you need not be subscribed to it.")
@click.option("--topic", metavar="TOPIC", help="Only messages with this topic.")
@credential_options
def listen(given: GivenCredentials, *, channel: str | None, topic: str | None) -> None:
    """Print messages as they arrive, until Ctrl-C.

    Without --channel, these are all messages that the account receives: in channels that it is subscribed to, direct
    messages, and those that it sends itself. With --json, each message is a line, as Zulip sends it.

    \b
        keybearer listen
        keybearer listen --channel ops --topic deploys
        keybearer listen --json | jq .content
    """
    narrow = [[name, value] for name, value in (("stream", channel), ("topic", topic)) if value is not None]
    with connected(given) as client:
        options = {"apply_markdown": False}
        with waiting_for(client):
            if channel is not None and not _follows(client, channel):
                options["all_public_streams"] = True
            events = client.events(["message"], narrow, **options)
            events.__enter__()
        with events:
            if is_terminal(sys.stderr):
                note(f"Listening at {client.site} as {client.email}; press Ctrl-C to stop.")
            for event in events:
                if event.message is not None:
                    print_message(event.message, as_json=given.as_json)


def _follows(client: Client, channel: str) -> bool:
    """Whether the account is subscribed to the channel. Raises KeybearerError if it can see no such channel."""
    if any(one.name.casefold() == channel.casefold() for one in client.get_subscriptions()):
        return True
    try:
        client.get_stream_id(channel)
    except APIError as error:
        raise KeybearerError(
            f"There is no channel {channel!r} that {client.email} can see ({error.message})",
            hint="Check its name: `keybearer api GET streams` lists the channels",
        ) from None
    return False
