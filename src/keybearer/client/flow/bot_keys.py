"""The API key of a bot, from servers of any age."""

from __future__ import annotations

from keybearer.client import models
from keybearer.client.flow.protocol import Composite, perform
from keybearer.client.flow.state import ClientState
from keybearer.client.flow.steps import Flow
from keybearer.client.operations import accounts, bots, event_queues
from keybearer.errors import APIError
from keybearer.secret import Secret


def get_bot_api_key(bot_id: int) -> Composite[Secret]:
    """A bot's API key. For its owner and for administrators.

    Servers before feature level 463 have no endpoint for it. Their event queues have it in the initial state.
    """
    return Composite(lambda state: _bot_api_key(state, bot_id))


def get_own_bots() -> Composite[tuple[models.User, ...]]:
    """The caller's own bots as accounts, the deactivated ones too, which `get_bots()` leaves out."""
    return Composite(_own_bots)


def _bot_api_key(state: ClientState, bot_id: int) -> Flow[Secret]:
    try:
        return (yield from perform(state, bots.fetch_bot_api_key(bot_id)))
    except APIError as error:
        if error.status != 404:
            raise
    key = yield from _key_in_state(state, bot_id)
    if key is None:
        raise APIError(
            f"The server shows no key for bot {bot_id}",
            status=404,
            code="NOT_FOUND",
            hint="Only a bot's owner and administrators see its key: list the bots to see which are yours",
        )
    return key


def _key_in_state(state: ClientState, bot_id: int) -> Flow[Secret | None]:
    """The key from the initial state of a new event queue, which lists all bots whose keys the caller may see."""
    queue = yield from perform(state, event_queues.register(["realm_bot"], fetch_event_types=["realm_bot"]))
    yield from perform(state, event_queues.deregister(queue.queue_id))
    for bot in queue.get("realm_bots") or ():
        if bot.get("user_id") == bot_id and isinstance(bot.get("api_key"), Secret):
            key: Secret = bot["api_key"]
            return key
    return None


def _own_bots(state: ClientState) -> Flow[tuple[models.User, ...]]:
    caller = yield from perform(state, accounts.get_profile())
    members = yield from perform(state, accounts.get_users())
    return tuple(one for one in members if one.is_bot and one.bot_owner_id == caller.user_id)
