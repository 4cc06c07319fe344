"""Users: the people of the organization, for administrators."""

from __future__ import annotations

from starlette.responses import Response

from keybearer.server.domain.account_lists import AccountList, AccountSort
from keybearer.server.domain.accounts import Account, Role
from keybearer.server.domain.errors import Refused
from keybearer.server.domain.forms import AlreadySent, FormTooOld
from keybearer.server.domain.permissions import may_deactivate, may_give_role, may_make_reset_link
from keybearer.server.domain.visibility import shown_email
from keybearer.server.services import accounts, bot_lists, deactivation, profiles, reset_links
from keybearer.server.web.confirmation import ask_password, confirm_if_given, confirmed_caller
from keybearer.server.web.notices import Notice
from keybearer.server.web.tables import read_query, table_of
from keybearer.server.web.visit import Visit

PAGE = "/organization/users/"
NAMED_BOTS = 10
"""How many bots the question before deactivating somebody names."""

_SORTS = (AccountSort.NAME, AccountSort.EMAIL, AccountSort.ROLE, AccountSort.JOINED)


def _email(visit: Visit, person: Account) -> str:
    """The address of a person, as the visitor may see it."""
    return shown_email(visit.caller.account, person, visit.realm.bot_domain)


async def show_all(visit: Visit) -> Response:
    """All users, filtered and sorted."""
    query = read_query(visit, _SORTS)
    viewed = await profiles.find_page(visit.context, visit.caller, AccountList.PEOPLE, query)
    return visit.render(
        "users/table.html",
        table=table_of(query, viewed.found),
        email=lambda person: _email(visit, person),
        may_deactivate=lambda person: person.id != visit.caller.id and may_deactivate(visit.caller.account, person),
    )


async def _find(visit: Visit) -> Account:
    (person,) = (await profiles.find(visit.context, visit.caller, visit.id("account_id"))).accounts
    if person.is_bot:
        raise Refused("No such user")
    return person


async def manage(visit: Visit) -> Response:
    """The panel of one person."""
    return _panel(visit, await _find(visit))


def _panel(visit: Visit, person: Account, refusal: Refused | None = None) -> Response:
    return visit.render_form(
        "users/manage.html",
        refusal,
        person=person,
        email=_email(visit, person),
        roles=[role for role in Role if may_give_role(visit.caller.account, person, role)],
        may_deactivate=person.id != visit.caller.id and may_deactivate(visit.caller.account, person),
        may_make_link=_may_make_link(visit, person),
        values=visit.form,
    )


def _may_make_link(visit: Visit, person: Account) -> bool:
    return not visit.sends_mail and may_make_reset_link(visit.caller.account, person)


async def confirm_reset_link(visit: Visit) -> Response:
    """The question before creating a link for a new password."""
    return await _reset_link(visit)


async def _reset_link(visit: Visit, refusal: Refused | None = None) -> Response:
    person = await _find(visit)
    email = _email(visit, person)
    return visit.render_form(
        "users/reset_link.html", refusal, person=person, email=email, is_confirmed=visit.is_confirmed
    )


async def create_reset_link(visit: Visit) -> Response:
    """A link with which a person chooses a new password. It is in this answer and in no other."""
    person = await _find(visit)
    try:
        token = await reset_links.create(visit.context, await confirmed_caller(visit), person.id)
    except (AlreadySent, FormTooOld):
        raise
    except Refused as refusal:
        return await _reset_link(visit, refusal)
    url = f"{visit.realm.site}/accounts/password/reset/{token.reveal()}/"
    return visit.render("users/reset_link_made.html", person=person, url=url)


async def save(visit: Visit) -> Response:
    """Change a person's name and role."""
    person = await _find(visit)
    try:
        await confirm_if_given(visit)
        await accounts.change_person(
            visit.context,
            visit.caller,
            person.id,
            full_name=visit.text("full_name"),
            role=visit.number("role"),
        )
    except Refused as refusal:
        return _panel(visit, person, refusal)
    return visit.redirect(PAGE, notice=Notice.USER_SAVED)


async def confirm_deactivation(visit: Visit) -> Response:
    """The question before deactivating a person."""
    return await _deactivation(visit, await _find(visit))


async def _deactivation(visit: Visit, person: Account, refusal: Refused | None = None) -> Response:
    return visit.render_form(
        "users/deactivate.html",
        refusal,
        person=person,
        email=_email(visit, person),
        bots=await bot_lists.find_active_of(visit.context, visit.caller, person.id, first=NAMED_BOTS),
        comment=visit.text("comment"),
    )


async def deactivate(visit: Visit) -> Response:
    """Deactivate a person, and their bots."""
    person = await _find(visit)
    try:
        await confirm_if_given(visit)
        await deactivation.deactivate_person(visit.context, visit.caller, person.id, comment=visit.text("comment"))
    except Refused as refusal:
        return await _deactivation(visit, person, refusal)
    return visit.redirect(PAGE, notice=Notice.USER_DEACTIVATED)


async def reactivate(visit: Visit) -> Response:
    """Reactivate a person, with a new key."""
    person = await _find(visit)
    try:
        await deactivation.reactivate(visit.context, await confirmed_caller(visit, once=False), person.id)
    except Refused as refusal:
        return ask_password(visit, refusal, button=f"Reactivate {person.full_name}", back=PAGE)
    return visit.redirect(PAGE, notice=Notice.USER_REACTIVATED)
