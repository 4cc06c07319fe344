"""Lists of accounts: which accounts, in which order, and a page of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

from keybearer.server.domain.paging import START, Page, Position

T = TypeVar("T")


class AccountList(Enum):
    """The accounts that a list can contain."""

    EVERYBODY = "people and bots"
    PEOPLE = "people"
    OWN_BOTS = "the bots that the viewer owns"
    MANAGED_BOTS = "the bots that the viewer may manage"


class AccountSort(Enum):
    """What a list of accounts is sorted by, as the query of a page names it. Equal accounts are sorted by id."""

    NAME = "name"
    EMAIL = "email"
    ROLE = "role"
    JOINED = "joined"
    OWNER = "owner"
    TYPE = "type"
    LAST_USED = "last-used"


@dataclass(frozen=True, slots=True)
class AccountQuery:
    """The accounts of a list that have a status, with a text in the name or in the email that the viewer sees.

    `active` is None for both statuses. An empty text is in every name.
    """

    active: bool | None = True
    text: str = ""
    sort: AccountSort = AccountSort.NAME
    descending: bool = False
    position: Position = START


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """A page of the entries that match a query.

    `has_any` says whether some entries have the status, `is_empty` whether the list has no entries at all.
    """

    page: Page[T]
    has_any: bool = True
    is_empty: bool = False
