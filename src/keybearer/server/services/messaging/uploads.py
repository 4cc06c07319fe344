"""Uploaded files: kept in the data directory, shown to who uploaded one and to who sees a message that links to it."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import hashlib
import hmac
import secrets
import shutil
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

from keybearer.server.domain.actors import Caller
from keybearer.server.domain.errors import CapReached, NoSuchFile, Refused
from keybearer.server.domain.limits import Cap
from keybearer.server.domain.messaging.attachments import Attachment, changed
from keybearer.server.domain.messaging.uploads import (
    MAX_SIZE,
    MAX_SIZE_MIB,
    Upload,
    safe_content_type,
    safe_name,
    shown_name,
)
from keybearer.server.domain.rules import check_standing
from keybearer.server.services.context import Context
from keybearer.server.storage import accounts
from keybearer.server.storage.dialect import take_turn
from keybearer.server.storage.messaging import attachments, uploads
from keybearer.store.atomic import replacement

DIRECTORY = "uploads"
COPIED_AT_ONCE = 256 * 1024
MIB = 1024 * 1024
SHARE_OF_ONE = 10
"""The part of the quota that one account may use: a tenth."""

LINK_LIVES = timedelta(minutes=1)
"""How long a temporary link to a file is good: long enough to follow it (as in Zulip)."""


async def save(
    context: Context, caller: Caller, *, name: str, content_type: str, content: BinaryIO, size: int
) -> Upload:
    """Keep a file of so many bytes that the actor uploads. Raises Refused for one that is too large."""
    if size > MAX_SIZE:
        raise Refused(f"Uploaded file is larger than the allowed limit of {MAX_SIZE_MIB} MiB")
    path = f"{caller.account.realm_id}/{secrets.token_hex(1)}/{secrets.token_urlsafe(18)}/{safe_name(name)}"
    place = place_of(context, path)
    try:
        async with context.viewing(caller) as view:  # before a file is written that would not be kept
            quota = context.settings.upload_quota * MIB
            _check_quota(quota, await uploads.size_of_all(view.connection), size)
            _check_quota(quota // SHARE_OF_ONE, await uploads.size_of(view.connection, view.actor.id), size)
            # Here, and not below, where other writers would wait for the sum.
            used = await attachments.size(view.connection)
        await asyncio.to_thread(_write, place, content)
        async with context.change(caller) as change:
            actor = change.actor
            # Once more for the account, whose other uploads may have ended meanwhile.
            await take_turn(change.connection, f"uploads:{actor.id}")
            _check_quota(quota // SHARE_OF_ONE, await uploads.size_of(change.connection, actor.id), size)
            upload = await uploads.add(
                change.connection,
                path=path,
                account_id=actor.id,
                name=shown_name(name),
                content_type=safe_content_type(content_type),
                size=size,
                at=change.now,
            )
            change.tell(changed("add", actor.id, Attachment(upload), used=used + size))
            return upload
    except BaseException:
        discard(place)
        raise


def _check_quota(quota: int, used: int, size: int) -> None:
    """Raise CapReached, in Zulip's words, where a file of this size is more than there is room for."""
    if used + size > quota:
        raise CapReached(Cap.UPLOADS, code="REALM_UPLOAD_QUOTA")


def place_of(context: Context, path: str) -> Path:
    """Where a file's bytes lie."""
    return context.settings.data_dir / DIRECTORY / path


def _write(place: Path, content: BinaryIO) -> None:
    """The whole file or none."""
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    content.seek(0)
    with replacement(place) as file:
        shutil.copyfileobj(content, file, COPIED_AT_ONCE)


def discard(place: Path) -> None:
    """The file, and the directories that hold nothing else."""
    with contextlib.suppress(OSError):
        place.unlink(missing_ok=True)
        place.parent.rmdir()
        place.parent.parent.rmdir()


async def find(context: Context, caller: Caller, path: str) -> Upload:
    """A file that the actor may see. Raises NoSuchFile for one that they may not, or that is not there."""
    if "\x00" in path:  # PostgreSQL cannot even look for it
        raise NoSuchFile("Invalid file")
    async with context.viewing(caller) as view:
        upload = await uploads.find_seen(view.connection, view.actor.account, path)
    if upload is None:
        raise NoSuchFile("Invalid file")
    return upload


def temporary_link(context: Context, caller: Caller, upload: Upload) -> str:
    """A path under which a file is shown to whoever has it, for a minute, while the caller may see it."""
    expires = int((context.clock() + LINK_LIVES).timestamp())
    claim = f"{expires}:{caller.id}:{upload.path}".encode()
    token = base64.urlsafe_b64encode(_signature(context, claim) + claim).decode().rstrip("=")
    return f"/user_uploads/temporary/{token}/{upload.path.rpartition('/')[2]}"


async def find_by_link(context: Context, token: str) -> Upload:
    """The file of a temporary link that is still good. Raises NoSuchFile for any other."""
    try:
        decoded = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        signature, claim = decoded[:32], decoded[32:]
        expires, account_id, path = claim.decode().split(":", 2)
    except (ValueError, binascii.Error):
        raise NoSuchFile("Invalid token") from None
    if not hmac.compare_digest(signature, _signature(context, claim)) or int(expires) < context.clock().timestamp():
        raise NoSuchFile("Invalid token")
    async with context.reading() as connection:
        account = await accounts.find(connection, int(account_id))
        upload = None if account is None else await uploads.find_seen(connection, account, path)
    if account is None or upload is None:
        raise NoSuchFile("Invalid token")
    check_standing(account, by_session=False)
    return upload


def _signature(context: Context, claim: bytes) -> bytes:
    return hmac.digest(context.ring.derive("temporary links to uploads"), claim, hashlib.sha256)
