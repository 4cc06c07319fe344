"""The asynchronous client and its calls."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from keybearer.client import models
from keybearer.client.async_event_iterators import AsyncEventIterator
from keybearer.client.base import BaseClient
from keybearer.client.flow import bot_keys
from keybearer.client.flow.listening import Listener, of_messages
from keybearer.client.flow.newer_key import KeyDestination
from keybearer.client.flow.protocol import Composite, flow_of
from keybearer.client.flow.state import ClientState
from keybearer.client.http.async_runner import AsyncRunner
from keybearer.client.methods import awaiting
from keybearer.client.operations import accounts, api_keys, bots, channels, event_queues, messages, server
from keybearer.client.operations.arguments import checked, require_types
from keybearer.client.operations.narrows import Narrow
from keybearer.client.operations.operation import Operation
from keybearer.secret import Secret
from keybearer.zuliprc.credentials import Credentials

T = TypeVar("T")


class AsyncClient(BaseClient):
    """Zulip's API with an account's credentials. Tasks and event loops may share it, in turn or at the same time.

    Use it as an asynchronous context manager, or call `aclose()`. Every call raises ClientError when it fails, and
    ResolutionError when no site is set.
    """

    def _start(self, state: ClientState, replace_key: Callable[[Credentials], KeyDestination] | None) -> None:
        super()._start(state, replace_key)
        self._runner = AsyncRunner(state)

    async def perform(self, call: Operation[T] | Composite[T]) -> T:
        """Make a call that was built by a function of `keybearer.client.operations`."""
        return await self._runner.run(flow_of(self._state, call))

    def close(self) -> None:
        """End every iteration over events. Any thread and any signal handler may call it.

        The iterating tasks close their queues. `aclose()`, or else the end of the event loop, closes the connections.
        """
        self._runner.end_listeners()

    async def aclose(self) -> None:
        """End every iteration over events, and close the event queues and the connections of this event loop.

        A running call is completed, and a later one opens new connections. To listen again, use another `async with`
        block; otherwise listening raises ClientClosed. Waits for a key that is being regenerated.
        """
        self._runner.end_listeners()
        await self._runner.close_queues(tuple(self._runner.listeners))
        await self._runner.aclose()

    async def __aenter__(self) -> Self:
        self._runner.closed = False
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def events(
        self,
        event_types: Sequence[str] | None = None,
        narrow: Narrow | None = None,
        **options: Any,  # noqa: ANN401 - whatever `register()` takes
    ) -> AsyncEventIterator:
        """Iterate over events as they arrive, forever. Heartbeats are left out.

        The first iteration opens the queue, or `async with client.events(…) as events:` does. Once it is open, the
        iteration waits through restarts of the server, failures of the network and error pages of a proxy. A lost queue
        is replaced, with a warning in the log. The iteration ends when it or the client is closed. It raises errors
        that waiting does not fix: a refused key with no newer one, a deactivated account, a missing right of the key,
        and a certificate that is not accepted.
        """
        return AsyncEventIterator(
            self._runner, Listener(checked(event_queues.register)(event_types, narrow, **options))
        )

    async def call_on_each_event(
        self,
        callback: Callable[[models.Event], object],
        event_types: Sequence[str] | None = None,
        narrow: Narrow | None = None,
        **options: Any,  # noqa: ANN401 - whatever `register()` takes
    ) -> None:
        """Call the callback with each event, until the client is closed. It may be asynchronous.

        An error in the callback ends the loop, as a refused key does.
        """
        require_types("call_on_each_event()", {"callback": Callable[..., object]}, {"callback": callback})
        async with self.events(event_types, narrow, **options) as happening:
            async for event in happening:
                outcome = callback(event)
                if inspect.isawaitable(outcome):
                    await outcome

    async def call_on_each_message(self, callback: Callable[[models.Message], object], **options: Any) -> None:  # noqa: ANN401
        """Call the callback with each message, as `call_on_each_event()` does."""
        require_types("call_on_each_message()", {"callback": Callable[..., object]}, {"callback": callback})
        await self.call_on_each_event(of_messages(callback), ["message"], **options)

    async def regenerate_api_key(self) -> Secret:
        """Issue a new API key for this account. The old one ends at once, and the client continues with the new key.

        If the client found its credentials, the new key replaces the old one in their file. If credentials were passed
        to the client, no file is changed, so store the returned key yourself. Cancelling the task, `aclose()` and the
        end of the event loop do not stop it halfway.

        Raises RegenerationRefused, before any request, if the credentials are not all from one file or the file cannot
        be written; KeyNotStored if the server has issued a new key and the file does not have it.
        """
        return await self._runner.run_apart(self._regeneration())

    request = awaiting(server.request)
    get_server_settings = awaiting(server.get_server_settings)
    fetch_api_key = awaiting(server.fetch_api_key)
    dev_fetch_api_key = awaiting(server.dev_fetch_api_key)

    get_profile = awaiting(accounts.get_profile)
    get_users = awaiting(accounts.get_users)
    get_members = get_users
    get_user_by_id = awaiting(accounts.get_user_by_id)
    get_user_by_email = awaiting(accounts.get_user_by_email)
    create_user = awaiting(accounts.create_user)
    update_user_by_id = awaiting(accounts.update_user_by_id)
    deactivate_user_by_id = awaiting(accounts.deactivate_user_by_id)
    reactivate_user_by_id = awaiting(accounts.reactivate_user_by_id)
    deactivate_own_user = awaiting(accounts.deactivate_own_user)
    update_presence = awaiting(accounts.update_presence)

    get_bots = awaiting(bots.get_bots)
    get_own_bots = awaiting(bot_keys.get_own_bots)
    create_bot = awaiting(bots.create_bot)
    update_bot = awaiting(bots.update_bot)
    deactivate_bot = awaiting(bots.deactivate_bot)
    reactivate_bot = awaiting(bots.reactivate_bot)
    get_bot_api_key = awaiting(bot_keys.get_bot_api_key)
    regenerate_bot_api_key = awaiting(bots.regenerate_bot_api_key)

    get_api_keys = awaiting(api_keys.get_api_keys)
    get_all_api_keys = awaiting(api_keys.get_all_api_keys)
    get_current_api_key = awaiting(api_keys.get_current_api_key)
    create_api_key = awaiting(api_keys.create_api_key)
    update_api_key = awaiting(api_keys.update_api_key)
    regenerate_named_api_key = awaiting(api_keys.regenerate_named_api_key)
    revoke_api_key = awaiting(api_keys.revoke_api_key)
    revoke_any_api_key = awaiting(api_keys.revoke_any_api_key)
    revoke_found_api_key = awaiting(api_keys.revoke_found_api_key)

    send_message = awaiting(messages.send_message)
    get_messages = awaiting(messages.get_messages)
    get_raw_message = awaiting(messages.get_raw_message)
    update_message = awaiting(messages.update_message)
    delete_message = awaiting(messages.delete_message)
    add_reaction = awaiting(messages.add_reaction)
    remove_reaction = awaiting(messages.remove_reaction)
    update_message_flags = awaiting(messages.update_message_flags)
    render_message = awaiting(messages.render_message)
    upload_file = awaiting(messages.upload_file)
    set_typing_status = awaiting(messages.set_typing_status)

    get_streams = awaiting(channels.get_streams)
    get_stream_id = awaiting(channels.get_stream_id)
    get_stream_topics = awaiting(channels.get_stream_topics)
    update_stream = awaiting(channels.update_stream)
    delete_stream = awaiting(channels.delete_stream)
    get_subscriptions = awaiting(channels.get_subscriptions)
    add_subscriptions = awaiting(channels.add_subscriptions)
    remove_subscriptions = awaiting(channels.remove_subscriptions)

    register = awaiting(event_queues.register)
    get_events = awaiting(event_queues.get_events)
    deregister = awaiting(event_queues.deregister)
