"""The rules of `keybearer.server.domain.visibility` as SQL conditions."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, FromClause, Select, and_, bindparam, exists, false, or_, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain import visibility
from keybearer.server.domain.accounts import Account, Role, email_key, id_of_display_email
from keybearer.server.domain.pacing import paced
from keybearer.server.domain.visibility import AllOf, Fact, Visibility
from keybearer.server.storage import accounts as account_rows
from keybearer.server.storage.dialect import among
from keybearer.server.storage.messaging.tables import (
    channels,
    copies,
    message_uploads,
    messages,
    subscriptions,
    uploads,
)
from keybearer.server.storage.prepared import Prepared
from keybearer.server.storage.tables import accounts

Condition = ColumnElement[bool]


def condition(rule: Visibility, facts: Mapping[Fact, Condition]) -> Condition:
    """The rule as SQL, where `facts` gives each fact as SQL."""
    if isinstance(rule, Fact):
        return facts[rule]
    parts = [condition(part, facts) for part in rule.parts]
    return and_(*parts) if isinstance(rule, AllOf) else or_(*parts)


class ViewerKind(NamedTuple):
    """What a query depends on apart from numbers: the facts about the viewer alone, and whether it is an owned bot."""

    facts: frozenset[Fact]
    has_owner: bool


def kind_of(viewer: Account) -> ViewerKind:
    """The kind of a viewer."""
    facts = frozenset(fact for fact, is_fact in visibility.VIEWER_FACTS.items() if is_fact(viewer))
    return ViewerKind(facts, viewer.bot_owner_id is not None)


class _Ids(NamedTuple):
    """The viewer's numbers in a query: the numbers themselves, or parameters for them."""

    viewer: Any
    realm: Any
    owner: Any


def viewer_parameters(viewer: Account) -> dict[str, int | None]:
    """The parameters of a statement with a condition for a kind of viewer."""
    return {"viewer_id": viewer.id, "viewer_realm_id": viewer.realm_id, "viewer_owner_id": viewer.bot_owner_id}


_PARAMETERS = _Ids(bindparam("viewer_id"), bindparam("viewer_realm_id"), bindparam("viewer_owner_id"))


def _ids(viewer: Account) -> _Ids:
    return _Ids(viewer.id, viewer.realm_id, viewer.bot_owner_id)


def _viewer_facts(viewer: Account) -> dict[Fact, Condition]:
    """The viewer is already loaded, so facts about the viewer alone are not part of the query."""
    return _facts_of(kind_of(viewer))


def _facts_of(kind: ViewerKind) -> dict[Fact, Condition]:
    return {fact: true() if fact in kind.facts else false() for fact in visibility.VIEWER_FACTS}


def sees_address(viewer: Account) -> Condition:
    """Whether the viewer sees the address of a row of `accounts`."""
    facts = {fact: accounts.c.email_visibility == chosen.value for fact, chosen in visibility.SHOWN_TO.items()}
    of_account = _account_facts(_ids(viewer), viewer.role)
    return condition(visibility.ADDRESS, {**_viewer_facts(viewer), **of_account, **facts})


def sees_bot(viewer: Account) -> Condition:
    """Whether a row of `accounts` is a bot whose management details the viewer sees."""
    return condition(visibility.BOT, {**_viewer_facts(viewer), **_account_facts(_ids(viewer), viewer.role)})


def _account_facts(ids: _Ids, role: Role) -> dict[Fact, Condition]:
    """The facts about a row of `accounts` for a viewer with that role."""
    return {
        Fact.SAME_REALM: accounts.c.realm_id == ids.realm,
        Fact.IS_OWN_ADDRESS: accounts.c.id == ids.viewer,
        Fact.IS_BOT: accounts.c.bot_type.is_not(None),
        Fact.IS_BOT_OWNER: and_(accounts.c.bot_owner_id.is_not(None), accounts.c.bot_owner_id == ids.viewer),
        # The role in effect is the lower of the bot's and its owner's roles, which is the larger number.
        Fact.ROLE_REACHES_BOT: or_(accounts.c.role >= role.value, account_rows.OWNER_COLUMNS[0].element >= role.value),
    }


def sees_channel(viewer: Account, table: FromClause = channels) -> Condition:
    """Whether the viewer sees a row of `channels`."""
    return _sees_channel(kind_of(viewer), _ids(viewer), table)


def kind_sees_channel(kind: ViewerKind) -> Condition:
    """The same for every viewer of a kind. `viewer_parameters` supplies the viewer when the statement runs."""
    return _sees_channel(kind, _PARAMETERS, channels)


def _sees_channel(kind: ViewerKind, ids: _Ids, table: FromClause) -> Condition:
    def follows(account_id: Any) -> Condition:  # noqa: ANN401  a number or a parameter
        each = subscriptions.alias()
        return table.c.id.in_(select(each.c.channel_id).where(each.c.account_id == account_id))

    facts = {
        Fact.SAME_REALM: table.c.realm_id == ids.realm,
        Fact.IS_PUBLIC: table.c.is_private.is_(False),
        Fact.IS_SUBSCRIBED: follows(ids.viewer),
        Fact.OWNER_IS_SUBSCRIBED: follows(ids.owner) if kind.has_owner else false(),
    }
    return condition(visibility.CHANNEL, {**_facts_of(kind), **facts})


def sees_message(viewer: Account, table: FromClause = messages) -> Condition:
    """Whether the viewer sees a row of `messages`."""
    return _sees_message(kind_of(viewer), _ids(viewer), table)


def kind_sees_message(kind: ViewerKind) -> Condition:
    """The same for every viewer of a kind. `viewer_parameters` supplies the viewer when the statement runs."""
    return _sees_message(kind, _PARAMETERS, messages)


def _sees_message(kind: ViewerKind, ids: _Ids, table: FromClause) -> Condition:
    seen, mine = channels.alias(), copies.alias()
    facts = {
        Fact.SAME_REALM: table.c.realm_id == ids.realm,
        Fact.SEES_CHANNEL: table.c.channel_id.in_(select(seen.c.id).where(_sees_channel(kind, ids, seen))),
        Fact.IS_DIRECT: table.c.channel_id.is_(None),
        Fact.HAS_COPY: exists().where(mine.c.message_id == table.c.id, mine.c.account_id == ids.viewer),
    }
    return condition(visibility.MESSAGE, facts)


def sees_file(viewer: Account) -> Condition:
    """Whether the viewer sees a row of `uploads`."""
    linking = messages.alias()
    facts = {
        Fact.IS_UPLOADER: uploads.c.account_id == viewer.id,
        Fact.SEES_LINKING_MESSAGE: exists()
        .where(message_uploads.c.upload_id == uploads.c.id, message_uploads.c.message_id == linking.c.id)
        .where(sees_message(viewer, linking)),
    }
    return condition(visibility.FILE, facts)


async def find_bots(connection: AsyncConnection, viewer: Account) -> Sequence[Account]:
    """The bots whose management details the viewer sees, by id."""
    rows = await _bots(kind_of(viewer), viewer.role).rows(connection, **viewer_parameters(viewer))
    return await paced(account_rows.from_row, rows)


@cache
def _bots(kind: ViewerKind, role: Role) -> Prepared:
    is_seen = condition(visibility.BOT, {**_facts_of(kind), **_account_facts(_PARAMETERS, role)})
    return Prepared(select(*account_rows.COLUMNS).where(is_seen).order_by(accounts.c.id))


async def find_addressed(
    connection: AsyncConnection, viewer: Account, emails: Collection[str], *, dummy_domain: str
) -> dict[str, Account]:
    """The accounts that these addresses stand for, as the viewer sees them, by `email_key`.

    An address is a delivery email that the viewer may see, or the dummy of an account. An address that the viewer may
    not see is absent, like an unknown one. So is an address that stands for two accounts.
    """
    dummies = {email_key(each): id_of_display_email(each, dummy_domain) for each in emails}
    by_id = {account_id for account_id in dummies.values() if account_id is not None}
    statement: Select[Any] = select(*account_rows.COLUMNS, sees_address(viewer).label("is_shown")).where(
        accounts.c.realm_id == viewer.realm_id,
        or_(among(accounts.c.email_key, dummies), among(accounts.c.id, by_id)),
    )
    rows = await connection.execute(statement)
    found = [(account_rows.from_row(row), bool(row.is_shown)) for row in rows]
    meant: dict[str, Account] = {}
    for key, dummy_id in dummies.items():
        candidates = [(each, shown) for each, shown in found if email_key(each.delivery_email) == key]
        candidates = [*candidates, *((each, True) for each, _ in found if each.id == dummy_id)]
        if len({each.id for each, _ in candidates}) == 1 and any(shown for _, shown in candidates):
            meant[key] = candidates[0][0]
    return meant
