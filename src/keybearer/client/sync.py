"""The synchronous client: takes the steps of the protocol one after the other, on httpx2."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from keybearer.client import bot_keys
from keybearer.client.base import BaseClient
from keybearer.client.exchange import Call, Flow, Operation, Pause, Send, Step
from keybearer.client.methods import blocking
from keybearer.client.operations import accounts, bots, channels, events, messages, server
from keybearer.client.protocol import Composite, flow_of

if TYPE_CHECKING:
    from keybearer.client.transport import Transport

T = TypeVar("T")


class Client(BaseClient):
    """Zulip's API on an account's credentials. Threads may share it.

    Use it as a context manager, or call `close()`. Every call raises ClientError where it does not succeed, and
    ResolutionError where no site is set.
    """

    _transport: Transport | None = None
    _opening = threading.Lock()

    def perform(self, call: Operation[T] | Composite[T]) -> T:
        """Make a call that was built by a function of `keybearer.client.operations`."""
        return self._run(flow_of(self._session, call))

    def close(self) -> None:
        """Close the connections. A later call opens new ones."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _run(self, flow: Flow[T]) -> T:
        try:
            step = next(flow)
            while True:
                step = flow.send(self._take(step))
        except StopIteration as end:
            result: T = end.value
            return result
        finally:
            flow.close()

    def _take(self, step: Step) -> object:
        match step:
            case Send(request):
                return (self._transport or self._open()).send(request)
            case Pause(seconds):
                time.sleep(seconds)
                return None
            case Call(function):
                return function()
        raise AssertionError(f"no such step: {step!r}")

    def _open(self) -> Transport:
        """What sends requests."""
        from keybearer.client.transport import Transport  # noqa: PLC0415 - the first call loads httpx2, not every start

        with self._opening:
            if self._transport is None:
                self._transport = Transport(self._session)
            return self._transport

    request = blocking(server.request)
    get_server_settings = blocking(server.get_server_settings)
    fetch_api_key = blocking(server.fetch_api_key)
    dev_fetch_api_key = blocking(server.dev_fetch_api_key)

    get_profile = blocking(accounts.get_profile)
    get_users = blocking(accounts.get_users)
    get_members = get_users
    get_user_by_id = blocking(accounts.get_user_by_id)
    get_user_by_email = blocking(accounts.get_user_by_email)
    create_user = blocking(accounts.create_user)
    update_user_by_id = blocking(accounts.update_user_by_id)
    deactivate_user_by_id = blocking(accounts.deactivate_user_by_id)
    reactivate_user_by_id = blocking(accounts.reactivate_user_by_id)
    deactivate_own_user = blocking(accounts.deactivate_own_user)
    update_presence = blocking(accounts.update_presence)

    get_bots = blocking(bots.get_bots)
    get_own_bots = blocking(bot_keys.get_own_bots)
    create_bot = blocking(bots.create_bot)
    update_bot = blocking(bots.update_bot)
    deactivate_bot = blocking(bots.deactivate_bot)
    reactivate_bot = blocking(bots.reactivate_bot)
    get_bot_api_key = blocking(bot_keys.get_bot_api_key)
    regenerate_bot_api_key = blocking(bots.regenerate_bot_api_key)

    send_message = blocking(messages.send_message)
    get_messages = blocking(messages.get_messages)
    get_raw_message = blocking(messages.get_raw_message)
    update_message = blocking(messages.update_message)
    delete_message = blocking(messages.delete_message)
    add_reaction = blocking(messages.add_reaction)
    remove_reaction = blocking(messages.remove_reaction)
    update_message_flags = blocking(messages.update_message_flags)
    render_message = blocking(messages.render_message)
    upload_file = blocking(messages.upload_file)
    set_typing_status = blocking(messages.set_typing_status)

    get_streams = blocking(channels.get_streams)
    get_stream_id = blocking(channels.get_stream_id)
    get_stream_topics = blocking(channels.get_stream_topics)
    update_stream = blocking(channels.update_stream)
    delete_stream = blocking(channels.delete_stream)
    get_subscriptions = blocking(channels.get_subscriptions)
    add_subscriptions = blocking(channels.add_subscriptions)
    remove_subscriptions = blocking(channels.remove_subscriptions)

    register = blocking(events.register)
    get_events = blocking(events.get_events)
    deregister = blocking(events.deregister)
