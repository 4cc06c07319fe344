"""`keybearer admin`: the organization itself."""

from __future__ import annotations

import click

from keybearer.cli.commands.admin.answers import answer
from keybearer.cli.data_dir import on_data, run_on
from keybearer.cli.options import json_option
from keybearer.cli.terminal.output import note
from keybearer.server.services import realms
from keybearer.server.services.context import Context
from keybearer.server.settings import Settings


@click.command("set-site")
@click.argument("site")
@json_option
@on_data
def set_site(settings: Settings, *, site: str, as_json: bool) -> None:
    """Move the organization to another address, SITE."""

    async def move(context: Context) -> tuple[str, str]:
        before, after = await realms.move(context, site)
        return before.site, after.site

    before, after = run_on(settings, move)
    answer(f"The organization is now at {after}.", {"before": before, "site": after}, as_json=as_json)
    if before != after:
        note(f"Every issued zuliprc names {before}: change its site= line, or download it again.")
