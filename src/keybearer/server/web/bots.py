"""Bots: the table, the form for a new one, and the panel in which one is managed."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import Response

from keybearer.server.domain.accounts import Role
from keybearer.server.domain.bots import BotType, ServiceInterface
from keybearer.server.domain.errors import Refused
from keybearer.server.domain.permissions import may_create_bot, may_give_role
from keybearer.server.domain.visibility import may_see_bot_messages
from keybearer.server.services import bots, deactivation, profiles
from keybearer.server.services.bots import BotChange, BotDetails, NewBot
from keybearer.server.web.confirmation import ask_password, confirm_if_given, confirmed_caller
from keybearer.server.web.key_section import KeySection, find_section
from keybearer.server.web.notices import Notice
from keybearer.server.web.tables import SortKeys, choose
from keybearer.server.web.visit import Visit
from keybearer.server.web.wording import PASSWORD_FIELD, field_of

OWN_BOTS = "/settings/bots/"
ALL_BOTS = "/organization/bots/"


_SORT_KEYS: SortKeys[BotDetails] = {
    "name": lambda bot: bot.account.full_name.casefold(),
    "email": lambda bot: bot.account.delivery_email.casefold(),
    "role": lambda bot: bot.account.role,
    "owner": lambda bot: bot.owner.full_name.casefold() if bot.owner else "",
    "type": lambda bot: bot.account.bot_type,
    "last-used": lambda bot: bot.key.last_use.at.timestamp() if bot.key and bot.key.last_use else 0.0,
}


async def show_own(visit: Visit) -> Response:
    """Your bots."""
    return await _table(visit, of_everybody=False)


async def show_all(visit: Visit) -> Response:
    """Every bot that an administrator may manage."""
    return await _table(visit, of_everybody=True)


async def _table(visit: Visit, *, of_everybody: bool) -> Response:
    found = await bots.find_managed(visit.context, visit.caller, of_everybody=of_everybody)
    return visit.render(
        "bots/table.html",
        table=choose(visit, found, lambda bot: bot.account, _SORT_KEYS),
        types=_creatable(visit),
        of_everybody=of_everybody,
    )


def _creatable(visit: Visit) -> list[BotType]:
    """The types that the visitor may create. Embedded bots do not exist here."""
    types = (BotType.GENERIC, BotType.INCOMING_WEBHOOK, BotType.OUTGOING_WEBHOOK)
    return [each for each in types if may_create_bot(visit.caller.account, each, visit.realm)]


async def show_form(visit: Visit) -> Response:
    """The form for a new bot."""
    return _form(visit)


def _form(visit: Visit, refusal: Refused | None = None) -> Response:
    return visit.render_form(
        "bots/add.html",
        refusal,
        values=visit.form,
        types=_creatable(visit),
        interfaces=list(ServiceInterface),
        is_confirmed=visit.is_confirmed,
    )


async def add(visit: Visit) -> Response:
    """Create a bot that the visitor owns."""
    try:
        outgoing = visit.number("bot_type") == BotType.OUTGOING_WEBHOOK
        await bots.create(
            visit.context,
            await confirmed_caller(visit, once=False),
            NewBot(
                full_name=visit.text("full_name"),
                short_name=visit.text("short_name"),
                bot_type=visit.number("bot_type") or BotType.GENERIC,
                payload_url=visit.text("payload_url") if outgoing else None,
                interface=visit.number("interface") or ServiceInterface.GENERIC,
            ),
        )
    except Refused as refusal:
        return _form(visit, refusal)
    return visit.redirect(OWN_BOTS, notice=Notice.BOT_ADDED)


@dataclass(frozen=True, slots=True)
class OpenKey:
    """A bot's key as the panel shows it, with what belongs to it. `is_new` if it has just been generated."""

    key: str
    token: str | None
    zuliprc: str
    is_new: bool


async def show_panel(
    visit: Visit,
    bot: BotDetails,
    *,
    shown: OpenKey | None = None,
    section: KeySection | None = None,
    refusal: Refused | None = None,
) -> Response:
    """The panel of a bot: its properties, and what the visitor may change."""
    viewed = await profiles.find_all(visit.context, visit.caller)
    return visit.render_form(
        "bots/manage.html",
        refusal,
        bot=bot,
        roles=[
            role for role in Role if may_give_role(visit.caller.account, bot.account, role) and _has_effect(bot, role)
        ],
        owners=[person for person in viewed.accounts if person.is_active and not person.is_bot],
        interfaces=list(ServiceInterface),
        back=_list_of(visit, bot),
        shows_messages=may_see_bot_messages(visit.caller.account, bot.account),
        values=visit.form,
        shown=shown,
        section=section or await find_section(visit, bot.account.id),
    )


def _has_effect(bot: BotDetails, role: Role) -> bool:
    """Whether a bot can have this role: its current one, or one that would take effect, which is not above its
    owner's.
    """
    return role is bot.account.granted_role or bot.owner is None or role >= bot.owner.role


def _list_of(visit: Visit, bot: BotDetails) -> str:
    return OWN_BOTS if bot.account.bot_owner_id == visit.caller.id else ALL_BOTS


async def manage(visit: Visit) -> Response:
    """The panel without its key."""
    bot = await bots.find_details(visit.context, visit.caller, visit.id("bot_id"))
    return await show_panel(visit, bot)


async def save(visit: Visit) -> Response:
    """Change the bot with the panel's form."""
    bot = await bots.find_details(visit.context, visit.caller, visit.id("bot_id"))
    try:
        await confirm_if_given(visit)
        changed = await bots.change_bot(visit.context, visit.caller, bot.account.id, _change(visit, bot))
    except Refused as refusal:
        return await show_panel(visit, bot, refusal=refusal)
    handed_over = changed.account.bot_owner_id != bot.account.bot_owner_id
    notice = Notice.BOT_HANDED_OVER if handed_over else Notice.BOT_SAVED
    return visit.redirect(_list_of(visit, bot), notice=notice)


def _change(visit: Visit, bot: BotDetails) -> BotChange:
    """The changes in the form. Unchanged fields are not passed on, so that none of them is refused."""
    role, owner, interface = visit.number("role"), visit.number("owner"), visit.number("interface")
    name, url = visit.text("full_name"), visit.text("payload_url")
    service = bot.service
    return BotChange(
        full_name=None if name == bot.account.full_name else name,
        role=None if role == bot.account.role else role,
        owner_id=None if owner == bot.account.bot_owner_id else owner,
        payload_url=url if service is not None and url != service.base_url else None,
        interface=interface if service is not None and interface != service.interface else None,
    )


async def confirm_deactivation(visit: Visit) -> Response:
    """The question before deactivating a bot."""
    bot = await bots.find_details(visit.context, visit.caller, visit.id("bot_id"))
    return visit.render("bots/deactivate.html", bot=bot, back=_list_of(visit, bot))


async def deactivate(visit: Visit) -> Response:
    """Deactivate a bot."""
    bot = await bots.find_details(visit.context, visit.caller, visit.id("bot_id"))
    await bots.deactivate(visit.context, visit.caller, bot.account.id)
    return visit.redirect(_list_of(visit, bot), notice=Notice.BOT_DEACTIVATED)


async def reactivate(visit: Visit) -> Response:
    """Reactivate a bot, with a new key."""
    bot = await bots.find_details(visit.context, visit.caller, visit.id("bot_id"))
    try:
        await deactivation.reactivate(visit.context, await confirmed_caller(visit, once=False), bot.account.id)
    except Refused as refusal:
        if field_of(refusal) == PASSWORD_FIELD:
            return ask_password(visit, refusal, button=f"Reactivate {bot.account.full_name}", back=_list_of(visit, bot))
        return await show_panel(visit, bot, refusal=refusal)
    return visit.redirect(_list_of(visit, bot), notice=Notice.BOT_REACTIVATED)
