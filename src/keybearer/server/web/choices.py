"""Choosing an account in a form: from all of them if they are few, otherwise by a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keybearer.server.domain.account_lists import AccountList, AccountQuery
from keybearer.server.domain.accounts import Account
from keybearer.server.domain.errors import Refused
from keybearer.server.services import profiles
from keybearer.server.web.visit import Visit


@dataclass(frozen=True, slots=True)
class Choices:
    """The active accounts that a form offers, by name. If `are_all` is not set, they are the first that match a text,
    and `are_cut` says whether others match it too.
    """

    accounts: Sequence[Account]
    are_all: bool
    are_cut: bool = False


async def find_choices(visit: Visit, wanted: AccountList, text: str) -> Choices:
    """All accounts of a list if they fit on a page, otherwise those with a text in the name or in the email that the
    visitor sees. An empty text matches none.
    """
    everybody = await profiles.find_page(visit.context, visit.caller, wanted, AccountQuery())
    if everybody.found.page.is_all:
        return Choices(everybody.found.page.entries, are_all=True)
    if not text:
        return Choices((), are_all=False)
    matching = await profiles.find_page(visit.context, visit.caller, wanted, AccountQuery(text=text))
    page = matching.found.page
    return Choices(page.entries, are_all=False, are_cut=not page.is_all)


def choose_which(text: str, *, some_match: bool) -> Refused:
    """The refusal of a text that does not name exactly one thing. The form then offers what matches it."""
    if some_match:
        return Refused(f"Choose which “{text}” you mean.")
    return Refused(f"Nothing that you can choose is called “{text}”.")


async def chosen_person(visit: Visit, text: str) -> Account:
    """The active person whom a text names by the whole name, or by an email that the visitor sees.

    Raises Refused unless it names exactly one.
    """
    named = [each for each in await profiles.find_named(visit.context, visit.caller, text) if not each.is_bot]
    if len(named) == 1:
        return named[0]
    choices = await find_choices(visit, AccountList.PEOPLE, text)
    raise choose_which(text, some_match=bool(choices.accounts))
