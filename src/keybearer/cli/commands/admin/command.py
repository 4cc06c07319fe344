"""`keybearer admin`: commands for the operator, on the data directory on the server's own machine, without a server."""

from __future__ import annotations

from pathlib import Path

import click

from keybearer.cli.commands.admin.api_keys import list_keys, regenerate, regenerate_all, revoke_key
from keybearer.cli.commands.admin.audit import audit
from keybearer.cli.commands.admin.check import check
from keybearer.cli.commands.admin.database import backup, migrate, restore, rotate_secrets
from keybearer.cli.commands.admin.mails import outbox
from keybearer.cli.commands.admin.organization import set_site
from keybearer.cli.commands.admin.users import (
    add_user,
    change_email,
    deactivate_user,
    invite,
    list_users,
    reactivate_user,
    reset_password,
    set_role,
)
from keybearer.cli.data_dir import data_dir_option, database_url_option

_COMMANDS: tuple[click.Command, ...] = (
    list_users,
    add_user,
    invite,
    set_role,
    change_email,
    reset_password,
    deactivate_user,
    reactivate_user,
    list_keys,
    revoke_key,
    regenerate,
    regenerate_all,
    set_site,
    outbox,
    audit,
    migrate,
    backup,
    restore,
    rotate_secrets,
    check,
)


@click.group()
@data_dir_option
@database_url_option
@click.pass_context
def admin(context: click.Context, *, data_dir: Path | None, database_url: str | None) -> None:
    """Work on a server's data, on its own machine. The server may be running."""
    context.obj = (data_dir, database_url)


for _command in _COMMANDS:
    admin.add_command(_command)
