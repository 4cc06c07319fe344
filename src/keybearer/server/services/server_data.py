"""The installation on this machine: prepares its data directory, secrets and schema, and opens its parts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from keybearer.errors import FileError, SecretRingError
from keybearer.server.domain.audit import AuditEvent
from keybearer.server.metrics import NO_METRICS, Metrics
from keybearer.server.services.background import SLICE, in_slices
from keybearer.server.services.context import Context, utc_now
from keybearer.server.services.lookups import find_everybody
from keybearer.server.settings import Settings
from keybearer.server.storage import backup, data_dir, realms, restoration, rotation, schema
from keybearer.server.storage.engine import Database
from keybearer.server.storage.restoration import Restoration
from keybearer.server.storage.rotation import Resealed
from keybearer.server.storage.secret_ring import SecretRing


async def prepare(settings: Settings) -> None:
    """Create the data directory (mode 0700), the secrets and the schema if they are missing.

    What exists stays. Secrets are created only for a database without a schema: any other was sealed with secrets that
    no new ring can replace. Raises FileError, SecretRingError if the secrets are not those that the database was
    written with, otherwise StorageError.
    """
    _make_directory(settings.data_dir)
    if not settings.secrets_file.exists() and await schema.current_revision(settings.database_url) is None:
        _make_directory(settings.secrets_file.parent)
        _create_ring(settings.secrets_file)
    SecretRing.load(settings.secrets_file)
    await schema.migrate(settings.database_url)
    async with opened(settings) as context, context.change(None) as change:
        await rotation.remember(change.connection, context.ring)


@asynccontextmanager
async def opened(settings: Settings, metrics: Metrics = NO_METRICS) -> AsyncIterator[Context]:
    """The parts that use cases work with, opened first and closed at the end.

    Raises SecretRingError if the secrets are not those that the database was written with, otherwise StorageError.
    """
    ring = SecretRing.load(settings.secrets_file)
    database = await Database.open(settings.database_url, metrics=metrics)
    try:
        async with database.read() as connection:
            await rotation.check(connection, ring)
        yield Context(settings, database, ring, metrics=metrics)
    finally:
        await database.close()


def _make_directory(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"The directory {path} cannot be created: {error.strerror}") from None


def _create_ring(path: Path) -> None:
    try:
        SecretRing.create(path)
    except SecretRingError:
        if not path.exists():  # otherwise another process was faster, and its ring is as good
            raise


async def back_up(settings: Settings, target: Path, *, overwrite: bool = False) -> None:
    """Write the database, as it is now, into a file that contains no secret. Raises FileError or StorageError."""
    await backup.write(settings.database_url, target, at=utc_now(), overwrite=overwrite)


async def restore(settings: Settings, source: Path, *, overwrite: bool = False) -> Restoration:
    """Replace the database with a backup. No server may be running on the data directory.

    The secrets file that the backup was sealed with must be in its place. Raises FileError or StorageError.
    """
    data_dir.make(settings.data_dir)
    with data_dir.locked(settings.data_dir, "restoring a backup"):
        return await restoration.restore(
            source, settings.database_url, SecretRing.load(settings.secrets_file), overwrite=overwrite
        )


async def rotate_secrets(context: Context) -> Resealed:
    """Seal everything with a new secret. No key changes, and the retired secrets stay for look-up.

    The new secret is the one that `prepare_rotation` added, if it was called.
    """
    rotated = context.ring.rotated()
    rotated.save()  # first: a row must never name a secret that is in no file
    keys = tokens = 0
    for some in in_slices(await find_everybody(context)):
        async with context.change(None, holding=some, for_change=True) as change:
            resealed = await rotation.reseal(change.connection, rotated, some)
        keys, tokens = keys + resealed.api_keys, tokens + resealed.tokens
    sealed = SLICE
    while sealed == SLICE:
        async with context.change(None) as change:
            sealed = await rotation.reseal_mails(change.connection, rotated, limit=SLICE)
    async with context.change(None) as change:
        await rotation.remember(change.connection, rotated)
        realm = await realms.find(change.connection)
        await change.record(AuditEvent.SECRETS_ROTATED, realm=realm, details={"secret": rotated.current_id})
    return Resealed(keys, tokens)


async def prepare_rotation(context: Context) -> None:
    """Add a secret to the file that is known, but with which nothing is written until `rotate_secrets` is called.

    In between, the file is copied to every machine, so that none of them refuses what another writes with the secret.
    Doing this twice changes nothing.
    """
    prepared = context.ring.with_prepared()
    prepared.save()
    async with context.change(None) as change:
        await rotation.remember(change.connection, prepared)
        realm = await realms.find(change.connection)
        await change.record(AuditEvent.SECRETS_PREPARED, realm=realm)
