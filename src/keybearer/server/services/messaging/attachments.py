"""Attachments: list and delete the files that an account has uploaded."""

from __future__ import annotations

from collections.abc import Collection

from keybearer.server.domain.accounts import Account
from keybearer.server.domain.actors import Caller
from keybearer.server.domain.errors import Refused
from keybearer.server.domain.messaging.attachments import Attachments, changed, removed
from keybearer.server.services.change import Change
from keybearer.server.services.context import Context
from keybearer.server.services.messaging import upload_contents
from keybearer.server.storage.messaging import attachments
from keybearer.server.storage.messaging import upload_contents as contents


async def find_all(context: Context, caller: Caller) -> Attachments:
    """The actor's files."""
    async with context.viewing(caller) as view:
        return await attachments.find(view.connection, view.actor.account)


async def delete(context: Context, caller: Caller, upload_id: int) -> None:
    """Delete one of the actor's own files: links to it lead nowhere from then on. Raises Refused with Zulip's words."""
    async with context.change(caller) as change:
        content_id = await contents.find(change.connection, upload_id)
        upload = await attachments.remove(change.connection, change.actor.id, upload_id)
        if upload is None:
            raise Refused("Invalid attachment")
        change.tell(removed(change.actor.id, upload.id, used=await attachments.size(change.connection)))
    # Last, and in small pieces: by now nobody can see it.
    if content_id is not None:
        await upload_contents.remove(context, content_id)


async def tell_linked(change: Change, author: Account, upload_ids: Collection[int]) -> None:
    """Tell the author's clients which messages now link to these files of theirs."""
    if upload_ids:
        now = await attachments.find(change.connection, author, upload_ids=upload_ids)
        change.tell(*(changed("update", author.id, each, used=now.used) for each in now.found))
