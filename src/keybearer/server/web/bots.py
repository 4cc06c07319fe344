"""Bots: the table, the form for a new one, and the panel in which one is managed."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import Response

from keybearer.server.domain.account_lists import AccountList, AccountSort
from keybearer.server.domain.accounts import Role
from keybearer.server.domain.bots import BotType, ServiceInterface
from keybearer.server.domain.errors import Refused
from keybearer.server.domain.permissions import may_create_bot, may_give_role
from keybearer.server.domain.visibility import may_see_bot_messages
from keybearer.server.services import bot_lists, bots, deactivation, profiles
from keybearer.server.services.bots import BotChange, BotDetails, NewBot
from keybearer.server.web.choices import Choices, chosen_person, find_choices
from keybearer.server.web.confirmation import ask_password, confirm_if_given, confirmed_caller
from keybearer.server.web.key_section import KeySection, find_section
from keybearer.server.web.notices import Notice
from keybearer.server.web.tables import read_query, table_of
from keybearer.server.web.visit import Visit
from keybearer.server.web.wording import NAMED_FIELD, PASSWORD_FIELD, field_of

OWN_BOTS = "/settings/bots/"
ALL_BOTS = "/organization/bots/"
NEW_OWNER = "new_owner"
"""The field for a text that names another owner. It precedes who is chosen."""

_SORTS = (
    AccountSort.NAME,
    AccountSort.EMAIL,
    AccountSort.ROLE,
    AccountSort.OWNER,
    AccountSort.TYPE,
    AccountSort.LAST_USED,
)


async def show_own(visit: Visit) -> Response:
    """Your bots."""
    return await _table(visit, of_everybody=False)


async def show_all(visit: Visit) -> Response:
    """Every bot that an administrator may manage."""
    return await _table(visit, of_everybody=True)


async def _table(visit: Visit, *, of_everybody: bool) -> Response:
    query = read_query(visit, _SORTS)
    found = await bot_lists.find_page(visit.context, visit.caller, query, of_everybody=of_everybody)
    return visit.render(
        "bots/table.html",
        table=table_of(query, found),
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
    return visit.render_form(
        "bots/manage.html",
        refusal,
        bot=bot,
        roles=[
            role for role in Role if may_give_role(visit.caller.account, bot.account, role) and _has_effect(bot, role)
        ],
        owners=await _owners(visit, bot, refusal),
        interfaces=list(ServiceInterface),
        back=_list_of(visit, bot),
        shows_messages=may_see_bot_messages(visit.caller.account, bot.account),
        values=visit.form,
        shown=shown,
        section=section or await find_section(visit, bot.account.id),
    )


async def _owners(visit: Visit, bot: BotDetails, refusal: Refused | None) -> Choices:
    """The people whom the form offers as owners: all, or whoever matches what was not clear, or who was chosen."""
    is_unclear = refusal is not None and field_of(refusal) == NAMED_FIELD
    choices = await find_choices(visit, AccountList.PEOPLE, visit.text(NEW_OWNER) if is_unclear else "")
    if choices.are_all or choices.accounts:
        return choices
    chosen_id = visit.number("owner")
    if chosen_id is None or chosen_id == bot.account.bot_owner_id:
        return choices
    return Choices((await profiles.find(visit.context, visit.caller, chosen_id)).accounts, are_all=False)


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
        owner_id = await _wanted_owner_id(visit)
        changed = await bots.change_bot(visit.context, visit.caller, bot.account.id, _change(visit, bot, owner_id))
    except Refused as refusal:
        return await show_panel(visit, bot, refusal=refusal)
    handed_over = changed.account.bot_owner_id != bot.account.bot_owner_id
    notice = Notice.BOT_HANDED_OVER if handed_over else Notice.BOT_SAVED
    return visit.redirect(_list_of(visit, bot), notice=notice)


async def _wanted_owner_id(visit: Visit) -> int | None:
    """The owner in the form: the one who is named, or else the one who is chosen."""
    named = visit.text(NEW_OWNER)
    return (await chosen_person(visit, named)).id if named else visit.number("owner")


def _change(visit: Visit, bot: BotDetails, owner_id: int | None) -> BotChange:
    """The changes in the form. Unchanged fields are not passed on, so that none of them is refused."""
    role, interface = visit.number("role"), visit.number("interface")
    name, url = visit.text("full_name"), visit.text("payload_url")
    service = bot.service
    return BotChange(
        full_name=None if name == bot.account.full_name else name,
        role=None if role == bot.account.role else role,
        owner_id=None if owner_id == bot.account.bot_owner_id else owner_id,
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
