"""`keybearer messages`: existing messages."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

import click

from keybearer.cli.connection import connected, waiting_for
from keybearer.cli.message_display import print_message
from keybearer.cli.options import GivenCredentials, credential_options
from keybearer.cli.terminal.output import note

MOST = 5000
"""The most messages that a server returns at once."""

OPERATORS = frozenset({
    "channel", "stream", "channels", "streams", "topic", "subject", "sender", "from", "dm", "pm-with", "dm-including",
    "group-pm-with", "is", "has", "in", "near", "id", "with", "mentions", "search",
})  # fmt: skip
"""The words before a colon in Zulip's search."""

_ABOUT_PEOPLE = frozenset({"sender", "from", "dm", "pm-with", "dm-including", "group-pm-with", "mentions"})
_ABOUT_SEVERAL = _ABOUT_PEOPLE - {"sender", "from", "mentions"}
_TERM = re.compile(r"(-?)([a-z-]+):(.*)", re.DOTALL)
_WORDS = re.compile(r'(?:[^\s"]|"[^"]*(?:"|\Z))+')
_BEGINS_TERM = re.compile(rf"\s-?(?:{'|'.join(sorted(OPERATORS))}):")


@click.command()
@click.argument("narrow", nargs=-1, metavar="[NARROW]...")
@click.option(
    "--limit",
    metavar="NUMBER",
    type=click.IntRange(1, MOST),
    default=20,
    show_default=True,
    help="How many messages to print, the newest of those that match.",
)
@credential_options
def messages(given: GivenCredentials, *, narrow: tuple[str, ...], limit: int) -> None:
    """Print messages, the oldest first.

    A NARROW is a filter as in Zulip's search: channel:NAME, topic:NAME, sender:EMAIL or sender:me, dm:EMAIL, is:dm,
    is:mentioned, is:unread, has:link, and words in the message. A minus at the beginning negates it: then write --
    before the first one.

    \b
        keybearer messages sender:me
        keybearer messages channel:ops "topic:night shift" backup --limit 50
        keybearer messages is:dm --json
        keybearer messages -- -sender:me is:dm

    With --json, each message is a line, as Zulip sends it.
    """
    with connected(given) as client, waiting_for(client):
        terms = list(parse_narrow(narrow, own_id=lambda: client.get_profile().user_id))
        found = client.get_messages(anchor="newest", num_before=limit, num_after=0, narrow=terms, apply_markdown=False)
    for message in found:
        print_message(message, as_json=given.as_json)
    if not found and not given.as_json:
        note("There are no such messages." if narrow else "There are no messages.")


def parse_narrow(arguments: Sequence[str], *, own_id: Callable[[], int]) -> Iterator[dict[str, object]]:
    """The terms of a narrow for Zulip's API, in the form that every endpoint for messages accepts.

    An argument is one term, or several as in Zulip's search box. Raises UsageError for a term without a value.
    `own_id` returns the ID of the caller, for `me`.
    """
    words: list[str] = []
    for term in (term for argument in arguments for term in _terms(argument)):
        found = _TERM.fullmatch(term)
        if found is None or found[2] not in OPERATORS:
            words.append(term)
            continue
        operand = found[3].strip().removeprefix('"').removesuffix('"')
        if not operand:
            raise click.UsageError(f"{found[2]}: has no value. Write it like {found[2]}:VALUE.")
        yield {
            "operator": found[2],
            "operand": _operand(found[2], operand, own_id),
            "negated": bool(found[1]),
        }
    if words:
        yield {"operator": "search", "operand": " ".join(words), "negated": False}


def _terms(argument: str) -> list[str]:
    """The terms of an argument: one whose value may have spaces, or several as in Zulip's search, with its quotes."""
    if _BEGINS_TERM.search(argument) or (found := _TERM.fullmatch(argument)) is None or found[2] not in OPERATORS:
        return _WORDS.findall(argument)
    return [argument]


def _operand(operator: str, text: str, own_id: Callable[[], int]) -> object:
    if operator in _ABOUT_PEOPLE and text.lower() == "me":
        return [own_id()] if operator in _ABOUT_SEVERAL else own_id()
    if operator in {"sender", "from"} | _ABOUT_SEVERAL and text.isdecimal():
        return [int(text)] if operator in _ABOUT_SEVERAL else int(text)
    return int(text) if operator in {"near", "id", "with"} and text.isdecimal() else text
