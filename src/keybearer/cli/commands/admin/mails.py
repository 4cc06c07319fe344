"""`keybearer admin outbox`: the mails that have not been sent. Only this command shows their text."""

from __future__ import annotations

import click

from keybearer.cli.commands.admin.answers import in_words, moment
from keybearer.cli.data_dir import on_data, run_on
from keybearer.cli.options import json_option
from keybearer.cli.terminal.output import note, print_json
from keybearer.cli.terminal.text import content, one_line
from keybearer.server.services import outbox as unsent
from keybearer.server.services.outbox import UnsentMail
from keybearer.server.settings import Settings


@click.command()
@click.option(
    "--limit",
    metavar="NUMBER",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    help="How many of the newest to show.",
)
@json_option
@on_data
def outbox(settings: Settings, *, limit: int, as_json: bool) -> None:
    """Show the mails that have not been sent, the newest last. If no mail server is set, these are all mails.

    Links in them set passwords and let people join. Show a mail only to its recipient.
    """
    mails = run_on(settings, lambda context: unsent.find(context, limit=limit))
    if as_json:
        print_json([_document(mail) for mail in mails], verbatim=True)
        return
    for mail in mails:
        click.echo(_shown(mail))
    if not mails:
        note("Every mail has been sent.")


def _document(mail: UnsentMail) -> dict[str, object]:
    return {
        "id": mail.id,
        "recipient": mail.recipient,
        "subject": mail.subject,
        "text": mail.text,
        "created_at": moment(mail.created_at),
        "attempts": mail.attempts,
        "is_given_up": mail.is_given_up,
    }


def _shown(mail: UnsentMail) -> str:
    state = "not to be sent" if mail.is_given_up else f"to be sent, tried {mail.attempts} times"
    head = [
        f"Mail {mail.id}, {in_words(mail.created_at)}, {state}",
        f"To: {one_line(mail.recipient)}",
        f"Subject: {one_line(mail.subject)}",
    ]
    text = "It was sealed with other secrets and cannot be read." if mail.text is None else content(mail.text.rstrip())
    return "\n".join([*head, "", text, ""])
