"""Whom a new message can be sent to: from all channels and accounts if they are few, otherwise by a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keybearer.server.domain.account_lists import AccountList
from keybearer.server.domain.accounts import Account
from keybearer.server.domain.errors import Refused
from keybearer.server.domain.messaging.channels import Channel
from keybearer.server.domain.paging import PER_PAGE
from keybearer.server.services import profiles
from keybearer.server.services.messaging import places
from keybearer.server.services.messaging.places import Places
from keybearer.server.web.choices import find_choices
from keybearer.server.web.messaging.places import Place, read_recipient
from keybearer.server.web.visit import Visit

SIGN = "#"
"""In front of a text, it says that the text names a channel."""


@dataclass(frozen=True, slots=True)
class Recipients:
    """The channels and accounts that the form offers.

    If `are_all` is not set, there is a field for a text, with some suggestions, and the form offers what matches it, or
    what was chosen before. `are_cut` says whether more matches.
    """

    channels: Sequence[Channel]
    accounts: Sequence[Account]
    are_all: bool
    are_cut: bool = False
    suggestions: Sequence[str] = ()


async def find_recipients(visit: Visit, text: str, chosen: str) -> Recipients:
    """What the form offers for a text, and for what was chosen before."""
    place = _read(chosen)
    known = await places.find(visit.context, visit.caller, channel_id=place.channel_id, people_ids=place.people)
    choices = await find_choices(visit, AccountList.EVERYBODY, "" if text.startswith(SIGN) else text)
    if choices.are_all and not known.unlisted:
        return Recipients(known.channels, choices.accounts, are_all=True)
    if not text:
        channels = [known.channel] if known.channel else []
        people = [known.people[each] for each in place.people if each in known.people]
        return Recipients(channels, people, are_all=False, suggestions=_suggestions(known))
    channels = list(await _matching_channels(visit, text))
    accounts = () if text.startswith(SIGN) else _matching_accounts(choices.accounts, text, are_all=choices.are_all)
    are_cut = choices.are_cut or len(channels) > PER_PAGE
    return Recipients(channels[:PER_PAGE], accounts, False, are_cut, _suggestions(known))


def _matching_accounts(accounts: Sequence[Account], text: str, *, are_all: bool) -> Sequence[Account]:
    """Those that match. If the accounts are few, they were found without the text."""
    return [each for each in accounts if text.casefold() in each.full_name.casefold()] if are_all else accounts


async def _matching_channels(visit: Visit, text: str) -> Sequence[Channel]:
    return await places.find_channels(visit.context, visit.caller, text.removeprefix(SIGN), limit=PER_PAGE + 1)


def _read(chosen: str) -> Place:
    """The place that was chosen before. All messages, if it is none."""
    try:
        return read_recipient(chosen, "")
    except Refused:
        return Place()


def _suggestions(known: Places) -> Sequence[str]:
    """Names of channels and people that the visitor probably writes to."""
    single = [one.others[0] for one in known.conversations if len(one.others) == 1]
    return [
        *(f"{SIGN}{each.name}" for each in known.channels[:PER_PAGE]),
        *(known.people[each].full_name for each in single),
    ]


async def recipient_named(visit: Visit, text: str) -> str | None:
    """The value of the one channel, person or bot that a text names exactly. None if it names none or several."""
    channel = await places.find_channel(visit.context, visit.caller, text.removeprefix(SIGN))
    named = [] if text.startswith(SIGN) else await profiles.find_named(visit.context, visit.caller, text)
    found = [*([] if channel is None else [Place(channel.id)]), *(Place(people=(each.id,)) for each in named)]
    return found[0].to if len(found) == 1 else None
