"""The synchronous client and its calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from keybearer import client
from keybearer.client import models
from keybearer.client.base import BaseClient
from keybearer.client.flow import bot_keys
from keybearer.client.flow.newer_key import KeyDestination
from keybearer.client.flow.protocol import Composite, flow_of
from keybearer.client.flow.state import ClientState
from keybearer.client.http.runner import Runner
from keybearer.client.methods import blocking
from keybearer.client.operations import accounts, api_keys, bots, channels, event_queues, messages, server
from keybearer.client.operations.arguments import checked, require_types
from keybearer.client.operations.narrows import Narrow
from keybearer.client.operations.operation import Operation
from keybearer.secret import Secret
from keybearer.zuliprc.credentials import Credentials

T = TypeVar("T")


class Client(BaseClient):
    """Zulip's API with an account's credentials. Threads may share it.

    Use it as a context manager, or call `close()`. Every call raises ClientError when it fails, and
    ResolutionError when no site is set.
    """

    def _start(self, state: ClientState, replace_key: Callable[[Credentials], KeyDestination] | None) -> None:
        super()._start(state, replace_key)
        self._runner = Runner(state)

    def perform(self, call: Operation[T] | Composite[T]) -> T:
        """Make a call that was built by a function of `keybearer.client.operations`."""
        return self._runner.run(flow_of(self._state, call))

    def close(self) -> None:
        """End every iteration over events, and close the event queues and the connections.

        Any thread and any signal handler may call it. A running call is completed, and a later one opens new
        connections. To listen again, use another `with` block; otherwise listening raises ClientClosed.
        """
        self._runner.end_listeners()
        self._runner.close_queues(tuple(self._runner.listeners))
        self._runner.close()

    def __enter__(self) -> Self:
        self._runner.closed = False
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def events(
        self,
        event_types: Sequence[str] | None = None,
        narrow: Narrow | None = None,
        **options: Any,  # noqa: ANN401 - whatever `register()` takes
    ) -> client.event_iterators.EventIterator:
        """Iterate over events as they arrive, forever. Heartbeats are left out.

        The first iteration opens the queue, or `with client.events(…) as events:` does. Once it is open, the iteration
        waits through restarts of the server, failures of the network and error pages of a proxy. A lost queue is
        replaced, with a warning in the log. The iteration ends when it or the client is closed. It raises errors that
        waiting does not fix: a refused key with no newer one, a deactivated account, a missing right of the key, and a
        certificate that is not accepted.
        """
        from keybearer.client.flow.listening import Listener  # noqa: PLC0415 - few programs listen

        return client.event_iterators.EventIterator(
            self._runner, Listener(checked(event_queues.register)(event_types, narrow, **options))
        )

    def call_on_each_event(
        self,
        callback: Callable[[models.Event], object],
        event_types: Sequence[str] | None = None,
        narrow: Narrow | None = None,
        **options: Any,  # noqa: ANN401 - whatever `register()` takes
    ) -> None:
        """Call the callback with each event, until the client is closed. An error in it ends the loop."""
        require_types("call_on_each_event()", {"callback": Callable[..., object]}, {"callback": callback})
        with self.events(event_types, narrow, **options) as happening:
            for event in happening:
                callback(event)

    def call_on_each_message(self, callback: Callable[[models.Message], object], **options: Any) -> None:  # noqa: ANN401
        """Call the callback with each message, as `call_on_each_event()` does."""
        require_types("call_on_each_message()", {"callback": Callable[..., object]}, {"callback": callback})
        from keybearer.client.flow.listening import of_messages  # noqa: PLC0415 - as above

        self.call_on_each_event(of_messages(callback), ["message"], **options)

    def regenerate_api_key(self) -> Secret:
        """Issue a new API key for this account. The old one ends at once, and the client continues with the new key.

        If the client found its credentials, the new key replaces the old one in their file. If credentials were passed
        to the client, no file is changed, so store the returned key yourself. `close()` and Ctrl-C do not stop it
        halfway.

        Raises RegenerationRefused, before any request, if the credentials are not all from one file or the file cannot
        be written; KeyNotStored if the server has issued a new key and the file does not have it.
        """
        return self._runner.run_apart(self._regeneration())

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

    get_api_keys = blocking(api_keys.get_api_keys)
    get_all_api_keys = blocking(api_keys.get_all_api_keys)
    get_current_api_key = blocking(api_keys.get_current_api_key)
    create_api_key = blocking(api_keys.create_api_key)
    update_api_key = blocking(api_keys.update_api_key)
    regenerate_named_api_key = blocking(api_keys.regenerate_named_api_key)
    revoke_api_key = blocking(api_keys.revoke_api_key)
    revoke_any_api_key = blocking(api_keys.revoke_any_api_key)
    revoke_found_api_key = blocking(api_keys.revoke_found_api_key)

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

    register = blocking(event_queues.register)
    get_events = blocking(event_queues.get_events)
    deregister = blocking(event_queues.deregister)
