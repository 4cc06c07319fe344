"""Mobile devices: the push registrations of an account's apps."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class DeviceKind(StrEnum):
    """Which push service the device uses."""

    APNS = "apns"
    FCM = "fcm"
    E2EE = "e2ee"


@dataclass(frozen=True, slots=True)
class Device:
    """A registration. `token` is the push service's name for the device; `app_id` is the iOS app's bundle id."""

    id: int
    account_id: int
    kind: DeviceKind
    token: str
    app_id: str
    registered_at: datetime
