"""Checks for an operator before a start: whether the server could run here, and what would go wrong."""

from __future__ import annotations

import os
import shutil
import smtplib
import ssl
import stat
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509

from keybearer.errors import KeybearerError
from keybearer.server.domain.realms import Realm
from keybearer.server.http.shared_limits import SharedWindows
from keybearer.server.process import check_tls
from keybearer.server.services import smtp
from keybearer.server.services.context import utc_now
from keybearer.server.settings import VARIABLES, Settings
from keybearer.server.storage import audit, realms, rotation, schema
from keybearer.server.storage.audit import AuditFilter
from keybearer.server.storage.dialect import current_time
from keybearer.server.storage.engine import Database
from keybearer.server.storage.secret_ring import SecretRing
from keybearer.zuliprc.hosts import is_loopback

MIB = 1024 * 1024
LEAST_ROOM, LITTLE_ROOM = 100 * MIB, 1024 * MIB
EXPIRES_SOON = timedelta(days=14)
CLOCKS_DIFFER = timedelta(seconds=5)


class Severity(StrEnum):
    """How serious a finding is. With a fault the server does not start, or people cannot use it."""

    GOOD = "good"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check. `remedy` says what to do. It is empty if there is nothing to do."""

    about: str
    severity: Severity
    message: str
    remedy: str = ""


def _good(about: str, message: str) -> Finding:
    return Finding(about, Severity.GOOD, message)


def _warning(about: str, message: str, remedy: str = "") -> Finding:
    return Finding(about, Severity.WARNING, message, remedy)


def _fault(about: str, error: KeybearerError | str, remedy: str = "") -> Finding:
    if isinstance(error, KeybearerError):
        return Finding(about, Severity.FAULT, error.message, error.hint)
    return Finding(about, Severity.FAULT, error, remedy)


async def check(settings: Settings) -> AsyncIterator[Finding]:
    """Check everything that the server depends on, one thing after another. Nothing is changed, and a server may be
    running.
    """
    for finding in _check_directory(settings.data_dir):
        yield finding
    async for finding in _check_data(settings):
        yield finding
    yield await _check_limits(settings)
    yield _check_certificate(settings)
    yield _check_mail_server(settings)


def _check_directory(path: Path) -> Iterator[Finding]:
    about = "data directory"
    try:
        status = path.stat()
    except FileNotFoundError:
        parent = next(each for each in path.absolute().parents if each.exists())
        if os.access(parent, os.W_OK | os.X_OK):
            yield _good(about, f"{path} does not exist yet: the server will create it")
        else:
            yield _fault(about, f"{path} does not exist, and {parent} cannot be written", "Choose another.")
        return
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        yield _fault(about, f"{path} cannot be written", "Make it writable for its owner, or choose another.")
    elif status.st_uid != os.geteuid():
        yield _warning(about, f"{path} belongs to another user", "Run this as the user that runs the server.")
    elif stat.S_IMODE(status.st_mode) & 0o077:
        yield _warning(about, f"others can read {path}", f"Run: chmod 700 {path}")
    else:
        yield _good(about, f"only this user can write to {path}")
    free = shutil.disk_usage(path).free
    room = f"{free // MIB:,} MiB are free in {path}"
    if free < LEAST_ROOM:
        yield _fault("disk", room, "Free some space: writing will fail soon.")
    else:
        yield _good("disk", room) if free >= LITTLE_ROOM else _warning("disk", room, "Free some space.")


async def _check_data(settings: Settings) -> AsyncIterator[Finding]:
    """The secrets, the database, and what the database says about the site and the clock."""
    ring: SecretRing | None = None
    revision: str | None = None
    is_usable = False
    try:
        revision = await schema.current_revision(settings.database_url)
        yield await _check_schema(settings, revision)
        is_usable = revision is not None and (revision == schema.HEAD or revision not in schema.REVISIONS)
    except KeybearerError as error:
        yield _fault("database", error)
    try:
        ring = SecretRing.load(settings.secrets_file)
    except KeybearerError as error:
        if settings.secrets_file.exists() or revision is not None:
            yield _fault("secrets", error)
        else:
            yield _good("secrets", f"the server will create them, in {settings.secrets_file}")
    if ring is None or not is_usable:
        return
    database = await Database.open(settings.database_url)
    try:
        async with database.read() as connection:
            try:
                await rotation.check(connection, ring)
                yield _good("secrets", f"{settings.secrets_file} opens what the database holds")
            except KeybearerError as error:
                yield _fault("secrets", error)
            realm = await realms.find(connection)
            newest = await audit.find(connection, AuditFilter(limit=1))
            database_time = await current_time(connection)
    finally:
        await database.close()
    yield _check_clock(database_time, newest[0].at if newest else None)
    yield _check_site(settings, realm)


async def _check_schema(settings: Settings, revision: str | None) -> Finding:
    if revision is None:
        return _good("database", "it can be reached, and the server will create its schema")
    if revision == schema.HEAD:
        return _good("database", f"it can be reached, and has the schema {revision} of this Keybearer")
    if revision in schema.REVISIONS:
        after = f"the server will migrate its schema from {revision} to {schema.HEAD}"
        return _warning("database", f"it can be reached, and {after}", "Make a backup first.")
    await (await Database.open(settings.database_url)).close()
    return _warning("database", f"its schema {revision} is of a newer Keybearer, and this one may use it", "Upgrade.")


def _check_clock(database_time: datetime | None, newest: datetime | None) -> Finding:
    """Whether the clock agrees with the database server's, and is not behind the newest record."""
    now = utc_now()
    remedy = "Set the clock, and synchronize it with NTP."
    if database_time is not None and abs(database_time - now) > CLOCKS_DIFFER:
        return _fault("clock", f"it differs from the database server's by {abs(database_time - now)}", remedy)
    if newest is not None and newest - now > CLOCKS_DIFFER:
        return _fault("clock", f"the newest record in the database is {newest - now} ahead of it", remedy)
    return _good("clock", f"it says {now:%Y-%m-%d %H:%M:%S} UTC")


def _check_site(settings: Settings, realm: Realm | None) -> Finding:
    """Whether the server can tell that a request was sent to the site's own address."""
    if realm is None:
        return _warning("site", "there is no organization yet", "Start the server and open the link that it prints.")
    is_secure = urlsplit(realm.site).scheme == "https"
    if is_secure and not settings.uses_tls and not settings.trusted_proxies:
        return _fault(
            "site",
            f"it is {realm.site}, but the server neither speaks TLS nor trusts a proxy that does: nobody can sign in",
            f"Set the proxy's address in {VARIABLES['trusted_proxies']}, or configure a certificate.",
        )
    if not is_secure and settings.uses_tls:
        return _fault("site", f"it is {realm.site}, but the server speaks TLS", "Run: keybearer admin set-site URL")
    if not is_secure and not is_loopback(realm.host):
        return _warning("site", f"it is {realm.site}: keys and passwords cross the network unencrypted", "Use TLS.")
    return _good("site", f"it is {realm.site}")


async def _check_limits(settings: Settings) -> Finding:
    """Whether calls are counted for all workers together, if there are several."""
    variable = VARIABLES["limits_url"]
    if not settings.limits_url:
        if settings.workers > 1:
            return _warning("limits", f"each of {settings.workers} workers counts calls by itself", f"Set {variable}.")
        return _good("limits", "the one worker counts calls")
    try:
        shared = SharedWindows(settings.limits_url)
    except KeybearerError as error:
        return _fault("limits", error)
    try:
        if await shared.is_available():
            return _good("limits", "calls are counted for all workers and machines together")
    finally:
        await shared.close()
    remedy = f"Check {variable}. Until it answers, each worker counts by itself."
    return _warning("limits", f"the Redis or Valkey of {variable} does not answer", remedy)


def _check_certificate(settings: Settings) -> Finding:
    about = "certificate"
    try:
        check_tls(settings)
    except KeybearerError as error:
        return _fault(about, error)
    if settings.tls_cert is None:
        return _good(about, "none is set: the server does not speak TLS itself")
    ends = x509.load_pem_x509_certificate(settings.tls_cert.read_bytes()).not_valid_after_utc
    until = f"{settings.tls_cert} is valid until {ends:%Y-%m-%d %H:%M} UTC"
    if ends <= datetime.now(UTC):
        return _fault(about, f"{settings.tls_cert} expired at {ends:%Y-%m-%d %H:%M} UTC", "Renew it.")
    return _warning(about, until, "Renew it.") if ends - datetime.now(UTC) < EXPIRES_SOON else _good(about, until)


def _check_mail_server(settings: Settings) -> Finding:
    about = "mail server"
    if settings.smtp_url is None:
        return _warning(
            about, "none is set: no mail is sent", f"Set {VARIABLES['smtp_url']}, or read: keybearer admin outbox"
        )
    try:
        with smtp.connected(settings.smtp_url) as server:
            server.noop()
    except (OSError, smtplib.SMTPException, ssl.SSLError) as error:
        return _fault(about, f"it cannot be used ({smtp.reason(error)})", f"Check {VARIABLES['smtp_url']}.")
    return _good(about, "it can be reached, and accepts this server")
