"""A botserverrc: one file with several bots, for `zulip-botserver`."""

from __future__ import annotations

import re

from starlette.responses import Response

from keybearer.server.domain.account_lists import AccountQuery
from keybearer.server.domain.accounts import Account
from keybearer.server.domain.errors import Refused
from keybearer.server.services import api_keys, bot_lists
from keybearer.server.web.api_keys import file_with_keys
from keybearer.server.web.tables import links_of, read_position, read_text
from keybearer.server.web.visit import Visit
from keybearer.zuliprc.document import botserver_section, render_botserverrc

_NOT_IN_A_SECTION = re.compile(r"[^A-Za-z0-9_.-]+")


async def show_form(visit: Visit) -> Response:
    """The question which bots the file will contain."""
    return await _form(visit)


async def _form(visit: Visit, refusal: Refused | None = None) -> Response:
    query = AccountQuery(text=read_text(visit), position=read_position(visit))
    found = await bot_lists.find_page(visit.context, visit.caller, query)
    return visit.render_form(
        "bots/botserverrc.html",
        refusal,
        bots=[bot.account for bot in found.page.entries],
        links=links_of(found.page, {"filter": query.text}),
        text=query.text,
        section_of=_section_name,
        chosen=_chosen_bot_ids(visit),
    )


def _chosen_bot_ids(visit: Visit) -> set[int]:
    names = [name.removeprefix("bot_") for name in visit.form if name.startswith("bot_")]
    return {int(name) for name in names if name.isascii() and name.isdigit() and len(name) <= 9}


def _section_name(bot: Account) -> str:
    return _NOT_IN_A_SECTION.sub("-", botserver_section(bot.delivery_email)).strip("-.") or f"bot-{bot.id}"


async def download(visit: Visit) -> Response:
    """The file."""
    try:
        issued = await api_keys.download_own_bots(visit.context, visit.caller, _chosen_bot_ids(visit))
    except Refused as refusal:
        return await _form(visit, refusal)
    sections = {}
    for each in issued:
        name = _section_name(each.account)
        sections[f"{name}-{each.account.id}" if name in sections else name] = each.credentials
    return file_with_keys(render_botserverrc(sections), "botserverrc")
