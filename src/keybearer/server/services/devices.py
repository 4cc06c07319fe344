"""Mobile devices: register and remove push registrations."""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Sequence

from keybearer.server.domain.actors import Caller
from keybearer.server.domain.audit import AuditEvent
from keybearer.server.domain.devices import Device, DeviceKind
from keybearer.server.domain.errors import Refused, check_cap
from keybearer.server.domain.limits import Cap
from keybearer.server.services.change import Change
from keybearer.server.services.context import Context
from keybearer.server.storage import devices

TOKEN_MAX_LENGTH = 4096
SHORTEST_APNS_TOKEN = 32
_HEXADECIMAL = re.compile(r"([0-9a-fA-F]{2})+")
APP_ID = re.compile(r"[.a-zA-Z0-9-]+")


async def register(context: Context, caller: Caller, kind: DeviceKind, token: str, app_id: str = "") -> None:
    """Register one of the actor's devices, or renew its registration. Raises Refused with Zulip's words."""
    check_token(kind, token)
    if kind is DeviceKind.APNS and not APP_ID.fullmatch(app_id):
        raise Refused("appid has invalid format")
    async with context.change(caller) as change:
        actor = change.actor
        await _check_cap(change, actor.id, kind, token)
        await devices.put(change.connection, account_id=actor.id, kind=kind, token=token, app_id=app_id, at=change.now)
        await change.record(AuditEvent.DEVICE_REGISTERED, actor.account, details={"kind": kind.value})


async def _check_cap(change: Change, account_id: int, kind: DeviceKind, token: str) -> None:
    """Raise CapReached if the account already has as many other devices as it may have."""
    check_cap(Cap.DEVICES, await devices.count_others(change.connection, account_id, kind=kind, token=token) + 1)


async def remove(context: Context, caller: Caller, kind: DeviceKind, token: str) -> None:
    """Remove one of the actor's devices. Raises Refused if there is none."""
    check_token(kind, token)
    async with context.change(caller) as change:
        actor = change.actor
        if not await devices.remove(change.connection, actor.id, kind=kind, token=token):
            raise Refused("Token does not exist")
        await change.record(AuditEvent.DEVICE_REMOVED, actor.account, details={"kind": kind.value})


async def register_client(context: Context, caller: Caller) -> int:
    """Register a device that will request encrypted pushes. Returns its id. Each call registers another device."""
    async with context.change(caller) as change:
        actor = change.actor
        token = secrets.token_hex(16)
        await _check_cap(change, actor.id, DeviceKind.E2EE, token)
        device_id = await devices.put(
            change.connection,
            account_id=actor.id,
            kind=DeviceKind.E2EE,
            token=token,
            app_id="",
            at=change.now,
        )
        await change.record(AuditEvent.DEVICE_REGISTERED, actor.account, details={"kind": DeviceKind.E2EE.value})
        return device_id


async def remove_client(context: Context, caller: Caller, device_id: int) -> None:
    """Remove a device that `register_client` registered. Raises Refused if the actor has no such device."""
    async with context.change(caller) as change:
        actor = change.actor
        if not await devices.remove_by_id(change.connection, actor.id, device_id, kind=DeviceKind.E2EE):
            raise Refused("Invalid device_id")
        await change.record(AuditEvent.DEVICE_REMOVED, actor.account, details={"kind": DeviceKind.E2EE.value})


async def remove_by_id(context: Context, caller: Caller, device_id: int) -> None:
    """Remove one of the actor's devices, chosen from the list."""
    async with context.change(caller) as change:
        actor = change.actor
        if not await devices.remove_by_id(change.connection, actor.id, device_id):
            raise Refused("This device is already signed out.")
        await change.record(AuditEvent.DEVICE_REMOVED, actor.account)


async def find_all(context: Context, caller: Caller) -> Sequence[Device]:
    """The actor's devices, newest first."""
    async with context.viewing(caller) as view:
        connection, actor = view.connection, view.actor
        return await devices.find_all(connection, actor.id)


def check_token(kind: DeviceKind, token: str) -> None:
    """Raise Refused unless this can be a token of that push service."""
    if not token or len(token) > TOKEN_MAX_LENGTH:
        raise Refused("Empty or invalid length token")
    if kind is DeviceKind.APNS and not (_HEXADECIMAL.fullmatch(token) or _is_base64(token)):
        raise Refused("Invalid APNS token")


def _is_base64(token: str) -> bool:
    """Whether this is a device's token in base64, as Zulip's old iOS app sent it. Apple's tokens have 32 bytes
    or more.
    """
    try:
        return len(base64.b64decode(token, validate=True)) >= SHORTEST_APNS_TOKEN
    except (binascii.Error, ValueError):
        return False
