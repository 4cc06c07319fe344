"""Uploaded files: stored, and shown to their uploader and to everybody who sees a message that links to them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from datetime import timedelta

from keybearer.server.domain.actors import Caller
from keybearer.server.domain.errors import NoSuchFile
from keybearer.server.domain.messaging.attachments import Attachment, changed
from keybearer.server.domain.messaging.uploads import Upload, safe_content_type, safe_name, shown_name
from keybearer.server.domain.rules import check_standing
from keybearer.server.services.context import Context
from keybearer.server.services.messaging.upload_contents import IncomingContent
from keybearer.server.storage import accounts
from keybearer.server.storage.messaging import attachments, uploads

LINK_LIVES = timedelta(minutes=1)
"""How long a temporary link to a file is valid: long enough to follow it (as in Zulip)."""


async def save(context: Context, caller: Caller, *, name: str, content_type: str, content: IncomingContent) -> Upload:
    """Store a file that the actor has sent. Raises Refused if it is too large; then nothing of it is kept."""
    try:
        await content.check()
        async with context.viewing(caller) as view:
            # Here, and not in the transaction below, where other writers would wait for the sum.
            used = await attachments.size(view.connection)
        async with context.change(caller) as change:
            upload = await uploads.add(
                change.connection,
                path=f"{caller.account.realm_id}/{secrets.token_hex(1)}/{secrets.token_urlsafe(18)}/{safe_name(name)}",
                account_id=change.actor.id,
                name=shown_name(name),
                content_type=safe_content_type(content_type),
                size=content.size,
                at=change.now,
            )
            await content.finish(change, upload.id)
            change.tell(changed("add", change.actor.id, Attachment(upload), used=used + content.size))
        return upload
    except BaseException:
        await content.discard()
        raise


async def find(context: Context, caller: Caller, path: str) -> Upload:
    """A file that the actor may see. Raises NoSuchFile for one that they may not see, or that does not exist."""
    if "\x00" in path:  # PostgreSQL cannot even search for it
        raise NoSuchFile("Invalid file")
    async with context.viewing(caller) as view:
        upload = await uploads.find_seen(view.connection, view.actor.account, path)
    if upload is None:
        raise NoSuchFile("Invalid file")
    return upload


def temporary_link(context: Context, caller: Caller, upload: Upload) -> str:
    """A path under which a file is shown to everybody who has it, for a minute, while the caller may see the file."""
    expires = int((context.clock() + LINK_LIVES).timestamp())
    claim = f"{expires}:{caller.id}:{upload.path}".encode()
    token = base64.urlsafe_b64encode(_signatures(context, claim)[0] + claim).decode().rstrip("=")
    return f"/user_uploads/temporary/{token}/{upload.path.rpartition('/')[2]}"


async def find_by_link(context: Context, token: str) -> Upload:
    """The file of a temporary link that is still valid. Raises NoSuchFile for any other."""
    try:
        decoded = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        signature, claim = decoded[:32], decoded[32:]
        expires, account_id, path = claim.decode().split(":", 2)
    except (ValueError, binascii.Error):
        raise NoSuchFile("Invalid token") from None
    is_ours = any(hmac.compare_digest(signature, each) for each in _signatures(context, claim))
    if not is_ours or int(expires) < context.clock().timestamp():
        raise NoSuchFile("Invalid token")
    async with context.reading() as connection:
        account = await accounts.find(connection, int(account_id))
        upload = None if account is None else await uploads.find_seen(connection, account, path)
    if account is None or upload is None:
        raise NoSuchFile("Invalid token")
    check_standing(account, by_session=False)
    return upload


def _signatures(context: Context, claim: bytes) -> list[bytes]:
    """The claim's signatures under every secret. New links have the first."""
    return [hmac.digest(key, claim, hashlib.sha256) for key in context.ring.derive_all("temporary links to uploads")]
