"""Calls outgoing webhooks. The calls are limited in time, size and number, and only allowed addresses are called."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import socket
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, final
from urllib.parse import urlsplit, urlunsplit

from keybearer._version import __version__
from keybearer.errors import StorageError
from keybearer.server.domain.accounts import Account
from keybearer.server.domain.actors import Caller, RequestOrigin
from keybearer.server.domain.bots import BotService
from keybearer.server.domain.errors import Refused
from keybearer.server.domain.messaging.message_events import message_fields
from keybearer.server.domain.messaging.messages import Message
from keybearer.server.domain.messaging.outgoing_webhooks import (
    ATTEMPTS,
    LARGEST_ANSWER,
    BadAnswer,
    Payload,
    may_be_called,
    payload,
    reply_in,
    wait_before,
)
from keybearer.server.domain.once_every import OnceEvery
from keybearer.server.services.background import repeat, woken_by
from keybearer.server.services.context import Context
from keybearer.server.services.messaging import sending
from keybearer.server.services.messaging.lookups import directory_of, with_visible_edits
from keybearer.server.services.messaging.sending import Draft, ToChannel, ToPeople
from keybearer.server.storage import accounts, bots
from keybearer.server.storage.messaging import messages, webhook_calls
from keybearer.server.storage.messaging.webhook_calls import NOT_CALLED, WebhookCall

if TYPE_CHECKING:
    import httpx2

LOOK_EVERY = 5.0
BATCH = 20
MOST_CALLS = 100
"""Calls that one worker makes at the same time."""

MOST_CALLS_OF_OWNER = 10
"""The part of them for the bots of one owner."""

LOOK_UPS = 4
"""Names of services that are looked up at the same time."""

FAILURES_TOLD_EVERY = timedelta(minutes=1)
TIMEOUT = 10.0
CALL_TAKES = timedelta(minutes=1)

_log = logging.getLogger(__name__)


class _Failed(Exception):
    """A call that did not succeed. `again` says whether it may be tried again."""

    def __init__(self, reason: str, *, again: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.again = again


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A call with everything it needs. `payload` is None if the service's interface has no form for the message."""

    bot: Account
    service: BotService
    message: Message
    payload: Payload | None


@final
class OutgoingWebhooks:
    """Makes the calls that are due. A call that fails is tried three times. Then the conversation and the bot's owner
    are told.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._calls: dict[int, asyncio.Task[None]] = {}
        self._of_owner: Counter[int] = Counter()
        self._failed: OnceEvery[tuple[str, int]] = OnceEvery(FAILURES_TOLD_EVERY, context.clock)
        # A name server that does not answer must not take the threads of others.
        self._look_ups = ThreadPoolExecutor(LOOK_UPS, "webhook-names")

    async def run(self) -> None:
        """Make calls as they become due, until cancelled."""
        try:
            due = woken_by(self._context.webhooks_due, at_latest=LOOK_EVERY)
            await repeat(self.call_due, wait=due, what="looking for webhooks to call", at_once=True)
        finally:
            for call in self._calls.values():
                call.cancel()
            self._look_ups.shutdown(wait=False, cancel_futures=True)

    async def call_due(self) -> None:
        """Begin the calls that are due, as far as there is room for them: the slow services of one owner must not make
        the calls of others wait.
        """
        if len(self._calls) >= MOST_CALLS:
            return
        busy = [owner for owner, number in self._of_owner.items() if number >= MOST_CALLS_OF_OWNER]
        async with self._context.reading() as connection:
            due = await webhook_calls.find_due(connection, self._context.clock(), besides_owners=busy, limit=BATCH)
        begun = [call for call in due if self._begin(call)]
        if begun and len(due) == BATCH:
            self._context.webhooks_due.set()  # others may be due behind these

    def _begin(self, call: WebhookCall) -> bool:
        """Begin a call, unless it has begun or there is no room for it."""
        is_full = len(self._calls) >= MOST_CALLS or self._of_owner[call.owner_id] >= MOST_CALLS_OF_OWNER
        if is_full or call.id in self._calls:
            return False
        self._of_owner[call.owner_id] += 1
        task = self._calls[call.id] = asyncio.create_task(self._attempt_call(call))
        task.add_done_callback(lambda _: self._end(call))
        return True

    def _end(self, call: WebhookCall) -> None:
        del self._calls[call.id]
        self._of_owner[call.owner_id] -= 1
        self._of_owner += Counter()  # removes owners without calls
        self._context.webhooks_due.set()

    async def _attempt_call(self, call: WebhookCall) -> None:
        """Make a call. If the database fails, it is due again in a minute."""
        with contextlib.suppress(StorageError):
            await self._make_call(call)

    async def _make_call(self, call: WebhookCall) -> None:
        async with self._context.change(None) as change:
            if not await webhook_calls.claim(change.connection, call, until=change.now + CALL_TAKES):
                return
            if call.attempts > ATTEMPTS:  # not even the failure could be reported
                await webhook_calls.remove(change.connection, call.id)
                _log.warning("a call of the outgoing webhook of bot %d never ended and was removed", call.bot_id)
                return
        prepared = await self._prepare(call)
        if prepared is not None and call.trigger == NOT_CALLED:
            await self._give_up(prepared, "Too many calls wait for your bots already")
        elif prepared is not None and call.attempts == ATTEMPTS:
            await self._give_up(prepared, "The server stopped during each of its calls")
        elif prepared is not None:
            try:
                if prepared.payload is None:
                    await self._reply(prepared, "Failure! Slack outgoing webhooks don't support direct messages.")
                else:
                    await self._reply(
                        prepared, reply_in(prepared.service, await self._post(prepared, prepared.payload))
                    )
            except BadAnswer as error:
                await self._give_up(prepared, str(error))
            except _Failed as error:
                if error.again and call.attempts + 1 < ATTEMPTS:
                    await self._postpone(call)
                    return
                await self._give_up(prepared, error.reason)
        async with self._context.change(None) as change:
            await webhook_calls.remove(change.connection, call.id)

    async def _postpone(self, call: WebhookCall) -> None:
        wait = wait_before(call.attempts + 1)
        async with self._context.change(None) as change:
            await webhook_calls.postpone(change.connection, call.id, until=change.now + wait)
        asyncio.get_running_loop().call_later(wait.total_seconds(), self._context.webhooks_due.set)

    async def _prepare(self, call: WebhookCall) -> _Prepared | None:
        """The call. None if the bot or the message is gone in the meantime, or the bot may not see the message."""
        async with self._context.reading() as connection:
            bot = await accounts.find(connection, call.bot_id)
            message = None if bot is None else await messages.find_seen(connection, bot, call.message_id)
            service = (await bots.find_services(connection, [call.bot_id])).get(call.bot_id)
            token = await bots.reveal_token(connection, self._context.ring, call.bot_id)
            if bot is None or not bot.is_active or message is None or service is None or token is None:
                return None
            (message,) = await with_visible_edits(connection, bot, [message])
            fields = message_fields(message, await directory_of(connection, [message]))
        fields |= {
            "content": message.content,
            "content_type": "text/x-markdown",
            "rendered_content": message.rendered,
        }
        body = payload(
            service, bot, token=token.reveal(), trigger=call.trigger, message=fields, content=message.content
        )
        return _Prepared(bot, service, message, body)

    async def _post(self, prepared: _Prepared, payload: Payload) -> bytes:
        """The service's answer. Raises _Failed."""
        import httpx2  # noqa: PLC0415  slow to import, and few servers have such bots

        url = prepared.service.base_url
        address, host = await self._address(url)
        headers = {
            "Host": host,
            "Content-Type": payload.content_type,
            "Accept-Encoding": "identity",
            "User-Agent": f"KeybearerOutgoingWebhook/{__version__}",
        }
        try:
            # The connection is made to the address that was checked, whatever the name resolves to a moment later.
            async with (
                httpx2.AsyncClient(timeout=TIMEOUT, follow_redirects=False, trust_env=False) as client,
                asyncio.timeout(2 * TIMEOUT),
                client.stream(
                    "POST",
                    address,
                    content=payload.body,
                    headers=headers,
                    extensions={"sni_hostname": urlsplit(url).hostname},
                ) as response,
            ):
                if response.status_code >= 500:
                    raise _Failed(f"The service answered with status {response.status_code}", again=True)
                if not response.is_success:
                    raise _Failed(f"Third party responded with {response.status_code}", again=False)
                return await _read_answer(response)
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError) as error:
            raise _Failed(f"The service cannot be reached ({type(error).__name__})", again=True) from None

    async def _address(self, url: str) -> tuple[str, str]:
        """The URL with an allowed address instead of the host name, and the value of the Host header."""
        parts = urlsplit(url)
        try:
            port = parts.port or (443 if parts.scheme == "https" else 80)
            look_up = partial(
                socket.getaddrinfo, parts.hostname, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
            )
            async with asyncio.timeout(TIMEOUT):
                found = await asyncio.get_running_loop().run_in_executor(self._look_ups, look_up)
        except (OSError, UnicodeError, ValueError):  # a time-out is an OSError
            raise _Failed("The service's host name is unknown", again=True) from None
        allowed = self._context.settings.webhook_networks
        for _family, _type, _protocol, _name, place in found:
            address = ipaddress.ip_address(str(place[0]).partition("%")[0])
            if may_be_called(address, allowed):
                literal = f"[{address}]" if address.version == 6 else str(address)
                host = parts.netloc.rpartition("@")[2]
                return urlunsplit((parts.scheme, f"{literal}:{port}", parts.path, parts.query, "")), host
        raise _Failed("This server's operator does not allow webhooks to that address", again=False)

    async def _reply(self, prepared: _Prepared, text: str | None) -> None:
        """Post an answer to the place of the message that triggered the call."""
        if text is None:
            return
        message = prepared.message
        to: ToChannel | ToPeople
        if message.channel_id is None:
            to = ToPeople(message.recipient_ids)
        else:
            to = ToChannel(message.channel_id, message.topic)
        await self._send(prepared.bot, to, text)

    async def _give_up(self, prepared: _Prepared, reason: str) -> None:
        """Report the failure in the conversation, once for each message, and tell the bot's owner why. One message may
        mention hundreds of bots, so an owner is told once a minute for each.
        """
        bot = prepared.bot
        is_news = self._failed.is_due(("bot", bot.id))
        if is_news:
            _log.warning("the outgoing webhook of bot %d failed: %s", bot.id, reason)
        if self._failed.is_due(("message", prepared.message.id)):
            await self._reply(prepared, "Failure! Bot is unavailable")
        if is_news and bot.bot_owner_id is not None:
            text = f"A message to your bot @_**{bot.full_name}|{bot.id}** triggered an outgoing webhook.\n{reason}."
            await self._send(bot, ToPeople((bot.bot_owner_id,)), text)

    async def _send(self, bot: Account, to: ToChannel | ToPeople, text: str) -> None:
        caller = Caller(bot, RequestOrigin(client="OutgoingWebhookResponse"))
        try:
            await sending.send(self._context, caller, Draft(to, text))
        except Refused as error:
            _log.warning("the answer of bot %d was refused: %s", bot.id, error.message)


async def _read_answer(response: httpx2.Response) -> bytes:
    """The answer as it was sent. A compressed one is refused: what was compressed several times can take minutes to
    unpack.
    """
    if response.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise _Failed("The service's answer is compressed, which was not asked for", again=False)
    body = bytearray()
    async for part in response.aiter_raw():
        body += part
        if len(body) > LARGEST_ANSWER:
            raise _Failed("The service's answer is too large", again=False)
    return bytes(body)
