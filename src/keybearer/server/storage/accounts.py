"""Accounts as rows. People and bots share one table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Text, bindparam, func, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from keybearer.server.domain.accounts import Account, BotOwner, EmailVisibility, Role, email_key
from keybearer.server.domain.bots import BotType
from keybearer.server.domain.pacing import paced
from keybearer.server.storage.dialect import among, among_given
from keybearer.server.storage.prepared import Prepared
from keybearer.server.storage.tables import accounts

_OWNERS = accounts.alias("owners")
OWNER_COLUMNS = [
    select(_OWNERS.c[name]).where(_OWNERS.c.id == accounts.c.bot_owner_id).scalar_subquery().label(f"owner_{name}")
    for name in ("role", "is_active")
]
COLUMNS = [
    *(column for column in accounts.c if column.name not in ("password_hash", "password_is_provisional", "email_key")),
    *OWNER_COLUMNS,
]
_ROLES = {role.value: role for role in Role}
_BOT_TYPES = {bot_type.value: bot_type for bot_type in BotType}
_EMAIL_VISIBILITIES = {visibility.value: visibility for visibility in EmailVisibility}


def from_row(row: Sequence[Any]) -> Account:
    """The value of a row that begins with `COLUMNS`."""
    return from_columns(*row[: len(COLUMNS)])


def from_columns(  # noqa: PLR0917  the columns in their order
    account_id: int,
    realm_id: int,
    delivery_email: str,
    full_name: str,
    role: int,
    is_active: bool,
    bot_type: int | None,
    bot_owner_id: int | None,
    date_joined: datetime,
    timezone: str,
    avatar_version: int,
    email_visibility: int,
    login_mails: bool,
    owner_role: int | None,
    owner_is_active: bool | None,
) -> Account:
    """The value of these columns. Some drivers return 0 and 1 for false and true."""
    return Account(
        account_id,
        realm_id,
        delivery_email,
        full_name,
        _ROLES[role],
        date_joined,
        bool(is_active),
        None if bot_type is None else _BOT_TYPES[bot_type],
        bot_owner_id,
        timezone,
        avatar_version,
        _EMAIL_VISIBILITIES[email_visibility],
        bool(login_mails),
        None if owner_role is None else BotOwner(_ROLES[owner_role], bool(owner_is_active)),
    )


async def add(
    connection: AsyncConnection,
    *,
    realm_id: int,
    email: str,
    full_name: str,
    role: Role,
    date_joined: datetime,
    password_hash: str | None = None,
    password_is_provisional: bool = False,
    bot_type: BotType | None = None,
    bot_owner_id: int | None = None,
) -> Account:
    """Create an account. The address must be free in the realm; the database enforces it."""
    result = await connection.execute(
        insert(accounts)
        .values(
            realm_id=realm_id,
            delivery_email=email,
            email_key=email_key(email),
            full_name=full_name,
            role=role.value,
            date_joined=date_joined,
            password_hash=password_hash,
            password_is_provisional=password_is_provisional,
            bot_type=bot_type,
            bot_owner_id=bot_owner_id,
        )
        .returning(accounts.c.id)
    )
    account = await find(connection, result.scalar_one())
    assert account is not None
    return account


_OF_REALM = Prepared(select(*COLUMNS).where(accounts.c.realm_id == bindparam("of_realm_id")).order_by(accounts.c.id))
_BY_ID = Prepared(select(*COLUMNS).where(accounts.c.id == bindparam("account_id")))
_BY_EMAIL = Prepared(
    select(*COLUMNS).where(accounts.c.realm_id == bindparam("of_realm_id"), accounts.c.email_key == bindparam("key"))
)
_PASSWORD = Prepared(
    select(accounts.c.password_hash, accounts.c.password_is_provisional).where(accounts.c.id == bindparam("account_id"))
)
_BY_IDS = Prepared(select(*COLUMNS).where(among_given(accounts.c.id, "ids")))
_HIDING = Prepared(
    select(*COLUMNS).where(
        among_given(accounts.c.id, "ids"), accounts.c.email_visibility != EmailVisibility.EVERYONE.value
    )
)


async def find(connection: AsyncConnection, account_id: int) -> Account | None:
    """The account with that id."""
    row = await _BY_ID.row(connection, account_id=account_id)
    return None if row is None else from_row(row)


async def find_by_email(connection: AsyncConnection, realm_id: int, email: str) -> Account | None:
    """The account with that delivery email, in any case."""
    row = await _BY_EMAIL.row(connection, of_realm_id=realm_id, key=email_key(email))
    return None if row is None else from_row(row)


async def find_by_emails(connection: AsyncConnection, realm_id: int, emails: Iterable[str]) -> dict[str, Account]:
    """The accounts with these delivery emails, in any case, by `email_key`."""
    wanted = (accounts.c.realm_id == realm_id, among(accounts.c.email_key, map(email_key, emails)))
    rows = await connection.execute(select(*COLUMNS).where(*wanted))
    return {email_key(account.delivery_email): account for account in map(from_row, rows)}


def is_of_person(column: ColumnElement[int], person: int | ColumnElement[int]) -> ColumnElement[bool]:
    """Whether a row belongs to the account with that id or to one of its bots. What they may have together is limited:
    otherwise a person would have it once more with each bot.
    """
    bots = select(accounts.c.id).where(accounts.c.bot_owner_id == person)
    return column.in_(bots.union_all(select(literal(person) if isinstance(person, int) else person)))


async def find_all(connection: AsyncConnection, realm_id: int) -> Sequence[Account]:
    """Every account of the realm, including deactivated ones, by id."""
    return await paced(from_row, await _OF_REALM.rows(connection, of_realm_id=realm_id))


async def find_ids(connection: AsyncConnection) -> Sequence[int]:
    """The id of every account, including deactivated ones."""
    return (await connection.execute(select(accounts.c.id).order_by(accounts.c.id))).scalars().all()


async def find_active_ids(connection: AsyncConnection, realm_id: int) -> Sequence[int]:
    """The id of every active account of the realm."""
    statement = select(accounts.c.id).where(accounts.c.realm_id == realm_id, accounts.c.is_active)
    return (await connection.execute(statement.order_by(accounts.c.id))).scalars().all()


async def find_bots_of(
    connection: AsyncConnection, owner_id: int, *, only_active: bool = False, limit: int | None = None
) -> Sequence[Account]:
    """The bots that an account owns, in the order of creation, up to a limit, including deactivated ones unless
    `only_active` is set.
    """
    statement = select(*COLUMNS).where(accounts.c.bot_owner_id == owner_id, accounts.c.bot_type.is_not(None))
    if only_active:
        statement = statement.where(accounts.c.is_active)
    rows = await connection.execute(statement.order_by(accounts.c.date_joined, accounts.c.id).limit(limit))
    return await paced(from_row, rows)


async def count_bots_of(connection: AsyncConnection, owner_id: int, *, only_active: bool = False) -> int:
    """How many bots an account owns, including deactivated ones unless `only_active` is set."""
    statement = select(func.count()).where(accounts.c.bot_owner_id == owner_id)
    if only_active:
        statement = statement.where(accounts.c.is_active)
    return (await connection.execute(statement)).scalar_one()


async def find_bot_ids_of(connection: AsyncConnection, owner_ids: Iterable[int]) -> Sequence[int]:
    """The ids of the bots that these accounts own, including deactivated ones, in order."""
    statement = select(accounts.c.id).where(among(accounts.c.bot_owner_id, owner_ids)).order_by(accounts.c.id)
    return (await connection.execute(statement)).scalars().all()


async def is_name_taken(connection: AsyncConnection, realm_id: int, full_name: str, *, besides: int = 0) -> bool:
    """Whether an active account other than `besides` has exactly this name."""
    statement = select(accounts.c.id).where(
        accounts.c.realm_id == realm_id,
        accounts.c.full_name == full_name,
        accounts.c.is_active,
        accounts.c.id != besides,
    )
    return (await connection.execute(statement.limit(1))).first() is not None


async def count_active_people(connection: AsyncConnection, realm_id: int, *, least_role: Role = Role.GUEST) -> int:
    """How many active people have at least that role."""
    statement = select(func.count()).where(
        accounts.c.realm_id == realm_id,
        accounts.c.is_active,
        accounts.c.bot_type.is_(None),
        accounts.c.role <= least_role.value,
    )
    return (await connection.execute(statement)).scalar_one()


async def find_by_ids(connection: AsyncConnection, account_ids: Iterable[int]) -> dict[int, Account]:
    """Several accounts, including deactivated ones, by id. Missing accounts are absent."""
    ids = sorted(set(account_ids))
    rows = await _BY_IDS.rows(connection, ids=ids) if ids else ()
    return {account.id: account for account in await paced(from_row, rows)}


async def find_hiding_email(connection: AsyncConnection, account_ids: Iterable[int]) -> dict[int, Account]:
    """Those of several accounts that do not show their email to everybody, by id."""
    ids = sorted(set(account_ids))
    rows = await _HIDING.rows(connection, ids=ids) if ids else ()
    return {account.id: account for account in await paced(from_row, rows)}


async def find_by_names(connection: AsyncConnection, realm_id: int, full_names: Iterable[str]) -> Sequence[Account]:
    """The active accounts with one of these names, in any case, by id."""
    rows = await connection.execute(
        select(*COLUMNS)
        .where(
            accounts.c.realm_id == realm_id,
            accounts.c.is_active,
            among(
                func.lower(accounts.c.full_name, type_=Text), {name.lower() for name in full_names} | set(full_names)
            ),
        )
        .order_by(accounts.c.id)
    )
    return await paced(from_row, rows)


async def save(connection: AsyncConnection, account: Account) -> None:
    """Write all fields of the account that can change."""
    await connection.execute(
        update(accounts)
        .where(accounts.c.id == account.id)
        .values(
            delivery_email=account.delivery_email,
            email_key=email_key(account.delivery_email),
            full_name=account.full_name,
            role=account.granted_role.value,
            is_active=account.is_active,
            bot_owner_id=account.bot_owner_id,
            timezone=account.timezone,
            avatar_version=account.avatar_version,
            email_visibility=account.email_visibility.value,
            login_mails=account.login_mails,
        )
    )


async def deactivate(connection: AsyncConnection, account_ids: Iterable[int]) -> None:
    """Mark accounts as deactivated."""
    await connection.execute(update(accounts).where(among(accounts.c.id, account_ids)).values(is_active=False))


async def password_hash(connection: AsyncConnection, account_id: int) -> str | None:
    """The stored argon2id hash; None for bots and for people who have not set a password."""
    row = await _PASSWORD.row(connection, account_id=account_id)
    return None if row is None else row[0]


async def password_is_provisional(connection: AsyncConnection, account_id: int) -> bool:
    """Whether somebody else set the account's password, so that the person must choose another one first."""
    row = await _PASSWORD.row(connection, account_id=account_id)
    assert row is not None
    return bool(row[1])


async def set_password_hash(connection: AsyncConnection, account_id: int, value: str | None) -> None:
    """Replace the stored hash with the hash of a password that the person chose."""
    await connection.execute(
        update(accounts).where(accounts.c.id == account_id).values(password_hash=value, password_is_provisional=False)
    )


async def renew_password_hash(connection: AsyncConnection, account_id: int, *, before: str, after: str) -> bool:
    """Store another hash of the same password. False if the password has been changed in the meantime."""
    result = await connection.execute(
        update(accounts)
        .where(accounts.c.id == account_id, accounts.c.password_hash == before)
        .values(password_hash=after)
        .returning(accounts.c.id)
    )
    return result.first() is not None
