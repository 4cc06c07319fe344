"""Zulip API keys and zuliprc files: find, check, explain, write and use them; and the server that issues them.

Each name is loaded when it is first used, so `import keybearer` is fast.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from keybearer._version import __version__

if TYPE_CHECKING:
    from keybearer import server as server
    from keybearer.client.asynchronous import AsyncClient as AsyncClient
    from keybearer.client.flow.retry import RetryPolicy as RetryPolicy
    from keybearer.client.models.accounts import FoundUser as FoundUser
    from keybearer.client.models.accounts import Members as Members
    from keybearer.client.models.accounts import NewUser as NewUser
    from keybearer.client.models.accounts import Profile as Profile
    from keybearer.client.models.accounts import User as User
    from keybearer.client.models.api_keys import APIKey as APIKey
    from keybearer.client.models.api_keys import APIKeys as APIKeys
    from keybearer.client.models.api_keys import NewAPIKey as NewAPIKey
    from keybearer.client.models.base import Answer as Answer
    from keybearer.client.models.base import Listing as Listing
    from keybearer.client.models.bots import Bot as Bot
    from keybearer.client.models.bots import Bots as Bots
    from keybearer.client.models.bots import IssuedKey as IssuedKey
    from keybearer.client.models.bots import NewBot as NewBot
    from keybearer.client.models.channels import Stream as Stream
    from keybearer.client.models.channels import StreamID as StreamID
    from keybearer.client.models.channels import Streams as Streams
    from keybearer.client.models.channels import Subscription as Subscription
    from keybearer.client.models.channels import SubscriptionChange as SubscriptionChange
    from keybearer.client.models.channels import Subscriptions as Subscriptions
    from keybearer.client.models.channels import Topic as Topic
    from keybearer.client.models.channels import Topics as Topics
    from keybearer.client.models.event_queues import Event as Event
    from keybearer.client.models.event_queues import Events as Events
    from keybearer.client.models.event_queues import Queue as Queue
    from keybearer.client.models.messages import FoundMessage as FoundMessage
    from keybearer.client.models.messages import Message as Message
    from keybearer.client.models.messages import Messages as Messages
    from keybearer.client.models.messages import Reaction as Reaction
    from keybearer.client.models.messages import RenderedMessage as RenderedMessage
    from keybearer.client.models.messages import SentMessage as SentMessage
    from keybearer.client.models.messages import UploadedFile as UploadedFile
    from keybearer.client.models.server import FetchedKey as FetchedKey
    from keybearer.client.models.server import ServerSettings as ServerSettings
    from keybearer.client.sync import Client as Client
    from keybearer.errors import KeybearerError as KeybearerError
    from keybearer.errors import ResolutionError as ResolutionError
    from keybearer.secret import Secret as Secret
    from keybearer.store.files import read_zuliprc as read_zuliprc
    from keybearer.store.files import write_zuliprc as write_zuliprc
    from keybearer.store.resolution import resolve as resolve
    from keybearer.zuliprc.credentials import Credentials as Credentials
    from keybearer.zuliprc.credentials import TLSOptions as TLSOptions
    from keybearer.zuliprc.document import render_zuliprc as render_zuliprc
    from keybearer.zuliprc.resolver import Resolution as Resolution
    from keybearer.zuliprc.sources import Origin as Origin

_HOMES = {
    "APIKey": "keybearer.client.models.api_keys",
    "APIKeys": "keybearer.client.models.api_keys",
    "Answer": "keybearer.client.models.base",
    "AsyncClient": "keybearer.client.asynchronous",
    "Bot": "keybearer.client.models.bots",
    "Bots": "keybearer.client.models.bots",
    "Client": "keybearer.client.sync",
    "Credentials": "keybearer.zuliprc.credentials",
    "Event": "keybearer.client.models.event_queues",
    "Events": "keybearer.client.models.event_queues",
    "FetchedKey": "keybearer.client.models.server",
    "FoundMessage": "keybearer.client.models.messages",
    "FoundUser": "keybearer.client.models.accounts",
    "IssuedKey": "keybearer.client.models.bots",
    "KeybearerError": "keybearer.errors",
    "Listing": "keybearer.client.models.base",
    "Members": "keybearer.client.models.accounts",
    "Message": "keybearer.client.models.messages",
    "Messages": "keybearer.client.models.messages",
    "NewAPIKey": "keybearer.client.models.api_keys",
    "NewBot": "keybearer.client.models.bots",
    "NewUser": "keybearer.client.models.accounts",
    "Origin": "keybearer.zuliprc.sources",
    "Profile": "keybearer.client.models.accounts",
    "Queue": "keybearer.client.models.event_queues",
    "Reaction": "keybearer.client.models.messages",
    "RenderedMessage": "keybearer.client.models.messages",
    "Resolution": "keybearer.zuliprc.resolver",
    "ResolutionError": "keybearer.errors",
    "RetryPolicy": "keybearer.client.flow.retry",
    "Secret": "keybearer.secret",
    "SentMessage": "keybearer.client.models.messages",
    "ServerSettings": "keybearer.client.models.server",
    "Stream": "keybearer.client.models.channels",
    "StreamID": "keybearer.client.models.channels",
    "Streams": "keybearer.client.models.channels",
    "Subscription": "keybearer.client.models.channels",
    "SubscriptionChange": "keybearer.client.models.channels",
    "Subscriptions": "keybearer.client.models.channels",
    "TLSOptions": "keybearer.zuliprc.credentials",
    "Topic": "keybearer.client.models.channels",
    "Topics": "keybearer.client.models.channels",
    "UploadedFile": "keybearer.client.models.messages",
    "User": "keybearer.client.models.accounts",
    "read_zuliprc": "keybearer.store.files",
    "render_zuliprc": "keybearer.zuliprc.document",
    "resolve": "keybearer.store.resolution",
    "write_zuliprc": "keybearer.store.files",
}
_ROOMS = {"client", "errors", "server", "store", "zuliprc"}

__all__ = [
    "APIKey",
    "APIKeys",
    "Answer",
    "AsyncClient",
    "Bot",
    "Bots",
    "Client",
    "Credentials",
    "Event",
    "Events",
    "FetchedKey",
    "FoundMessage",
    "FoundUser",
    "IssuedKey",
    "KeybearerError",
    "Listing",
    "Members",
    "Message",
    "Messages",
    "NewAPIKey",
    "NewBot",
    "NewUser",
    "Origin",
    "Profile",
    "Queue",
    "Reaction",
    "RenderedMessage",
    "Resolution",
    "ResolutionError",
    "RetryPolicy",
    "Secret",
    "SentMessage",
    "ServerSettings",
    "Stream",
    "StreamID",
    "Streams",
    "Subscription",
    "SubscriptionChange",
    "Subscriptions",
    "TLSOptions",
    "Topic",
    "Topics",
    "UploadedFile",
    "User",
    "__version__",
    "read_zuliprc",
    "render_zuliprc",
    "resolve",
    "server",
    "write_zuliprc",
]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        value: object = getattr(importlib.import_module(_HOMES[name]), name)
    elif name in _ROOMS:
        value = importlib.import_module(f"keybearer.{name}")
    else:
        raise AttributeError(f"module 'keybearer' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
