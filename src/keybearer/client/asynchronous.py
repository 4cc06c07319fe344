"""The asynchronous client: takes the steps of the protocol as the event loop lets it, on httpx2."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from keybearer.client import bot_keys
from keybearer.client.base import BaseClient
from keybearer.client.exchange import Call, Flow, Operation, Pause, Send, Step
from keybearer.client.methods import awaiting
from keybearer.client.operations import accounts, bots, channels, events, messages, server
from keybearer.client.protocol import Composite, flow_of

if TYPE_CHECKING:
    from keybearer.client.session import Session
    from keybearer.client.transport import AsyncTransport
    from keybearer.zuliprc.resolver import Resolution

T = TypeVar("T")


class AsyncClient(BaseClient):
    """Zulip's API on an account's credentials. Tasks of one event loop may share it.

    Use it as a context manager, or call `aclose()`. Every call raises ClientError where it does not succeed, and
    ResolutionError where no site is set.
    """

    _transport: AsyncTransport | None = None

    def _start(self, session: Session, resolution: Resolution | None) -> None:
        super()._start(session, resolution)
        self._opening = asyncio.Lock()

    async def perform(self, call: Operation[T] | Composite[T]) -> T:
        """Make a call that was built by a function of `keybearer.client.operations`."""
        return await self._run(flow_of(self._session, call))

    async def aclose(self) -> None:
        """Close the connections. A later call opens new ones."""
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _run(self, flow: Flow[T]) -> T:
        try:
            step = next(flow)
            while True:
                step = flow.send(await self._take(step))
        except StopIteration as end:
            result: T = end.value
            return result
        finally:
            flow.close()

    async def _take(self, step: Step) -> object:
        match step:
            case Send(request):
                return await (self._transport or await self._open()).send(request)
            case Pause(seconds):
                await asyncio.sleep(seconds)
                return None
            case Call(function):
                return await asyncio.to_thread(function)
        raise AssertionError(f"no such step: {step!r}")

    async def _open(self) -> AsyncTransport:
        """What sends requests."""
        from keybearer.client.transport import AsyncTransport  # noqa: PLC0415 - the first call loads httpx2, not every start

        async with self._opening:
            if self._transport is None:
                self._transport = await AsyncTransport.open(self._session)
            return self._transport

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

    register = awaiting(events.register)
    get_events = awaiting(events.get_events)
    deregister = awaiting(events.deregister)
