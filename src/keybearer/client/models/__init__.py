"""The frozen values that calls return, one module per noun, with the fields that programs use.

Everything else that the server sent is in `answer["name"]`. A field that only some servers or some accounts have is
None where it was not sent. `base.py` reads the values from JSON.

`models.Profile` loads the module of Profile when it is first used, so a program loads only the values of its calls.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keybearer.client.models.accounts import FoundUser as FoundUser
    from keybearer.client.models.accounts import Members as Members
    from keybearer.client.models.accounts import NewUser as NewUser
    from keybearer.client.models.accounts import Profile as Profile
    from keybearer.client.models.accounts import User as User
    from keybearer.client.models.api_keys import APIKey as APIKey
    from keybearer.client.models.api_keys import APIKeys as APIKeys
    from keybearer.client.models.api_keys import NewAPIKey as NewAPIKey
    from keybearer.client.models.base import Answer as Answer
    from keybearer.client.models.bots import Bots as Bots
    from keybearer.client.models.bots import IssuedKey as IssuedKey
    from keybearer.client.models.bots import NewBot as NewBot
    from keybearer.client.models.channels import StreamID as StreamID
    from keybearer.client.models.channels import Streams as Streams
    from keybearer.client.models.channels import SubscriptionChange as SubscriptionChange
    from keybearer.client.models.channels import Subscriptions as Subscriptions
    from keybearer.client.models.channels import Topics as Topics
    from keybearer.client.models.event_queues import Event as Event
    from keybearer.client.models.event_queues import Events as Events
    from keybearer.client.models.event_queues import Queue as Queue
    from keybearer.client.models.messages import FoundMessage as FoundMessage
    from keybearer.client.models.messages import Message as Message
    from keybearer.client.models.messages import Messages as Messages
    from keybearer.client.models.messages import RenderedMessage as RenderedMessage
    from keybearer.client.models.messages import SentMessage as SentMessage
    from keybearer.client.models.messages import UploadedFile as UploadedFile
    from keybearer.client.models.server import FetchedKey as FetchedKey
    from keybearer.client.models.server import ServerSettings as ServerSettings

_HOMES = {
    "APIKey": "api_keys",
    "APIKeys": "api_keys",
    "Answer": "base",
    "Bots": "bots",
    "Event": "event_queues",
    "Events": "event_queues",
    "FetchedKey": "server",
    "FoundMessage": "messages",
    "FoundUser": "accounts",
    "IssuedKey": "bots",
    "Members": "accounts",
    "Message": "messages",
    "Messages": "messages",
    "NewAPIKey": "api_keys",
    "NewBot": "bots",
    "NewUser": "accounts",
    "Profile": "accounts",
    "Queue": "event_queues",
    "RenderedMessage": "messages",
    "SentMessage": "messages",
    "ServerSettings": "server",
    "StreamID": "channels",
    "Streams": "channels",
    "SubscriptionChange": "channels",
    "Subscriptions": "channels",
    "Topics": "channels",
    "UploadedFile": "messages",
    "User": "accounts",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
