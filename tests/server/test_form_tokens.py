"""A form whose answer shows what it created is carried out once, however often it is sent."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from datetime import datetime, timedelta

import httpx2
import pytest

from keybearer.server.domain.actors import Caller
from keybearer.server.domain.forms import LIFETIME, AlreadySent, FormTooOld
from keybearer.server.http import form_tokens
from keybearer.server.http.request import Request
from keybearer.server.services import api_keys
from keybearer.server.services.context import utc_now
from keybearer.server.services.housekeeping import sweep
from keybearer.server.storage.tables import sent_forms
from tests.in_process import InProcessServer

PATH = "/settings/account/api-key/regenerate/"


def once_in(page: str) -> str:
    found = re.search(r'name="once" value="([^"]+)"', page)
    assert found is not None
    return found[1]


async def send(client: httpx2.AsyncClient, path: str, **fields: str) -> httpx2.Response:
    return await client.post(path, data=fields)


async def test_sending_a_form_again_creates_no_second_key_and_says_so(server_on_each: InProcessServer) -> None:
    server = server_on_each
    hamlet = await server.add_person("hamlet")
    browser = await server.signed_in(hamlet)
    once = once_in((await browser.get(PATH)).text)
    first = await send(browser, PATH, once=once)
    assert "This is your new API key" in first.text
    new = (await server.known(hamlet.email)).api_key
    again = await send(browser, PATH, once=once)
    assert again.status_code == 409
    assert "This was already done" in again.text
    assert (await server.known(hamlet.email)).api_key == new
    assert new not in re.sub("<[^>]*>", "", again.text)


async def test_a_form_sent_many_times_at_once_is_carried_out_once(server_on_each: InProcessServer) -> None:
    server = server_on_each
    hamlet = await server.add_person("hamlet")
    bot = await server.add_bot(hamlet, "hambot")
    browser = await server.signed_in(hamlet)
    path = f"/settings/bots/{bot.id}/api-key/regenerate/"
    once = once_in((await browser.get(path)).text)
    answers = await asyncio.gather(*(send(browser, path, once=once) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]


async def test_a_form_that_was_refused_can_be_sent_again(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    bot = await server.add_bot(hamlet, "hambot")
    caller = Caller(hamlet.account)._replace(form=b"one-form")
    with pytest.raises(Exception, match="No such bot"):
        await api_keys.regenerate_bot(server.context, caller, 999_999)
    await api_keys.regenerate_bot(server.context, caller, bot.id)
    with pytest.raises(AlreadySent):
        await api_keys.regenerate_bot(server.context, caller, bot.id)


async def test_a_token_of_another_session_or_none_changes_nothing(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    browser, other = await server.signed_in(hamlet), await server.signed_in(hamlet)
    theirs = once_in((await other.get(PATH)).text)
    strange = [f"{made_at}.{'n' * 22}.{'0' * 64}" for made_at in ("0", "9" * 12, "٣")]
    for fields in ({"once": theirs}, *({"once": token} for token in ("x", *strange)), {}):
        answer = await send(browser, PATH, **fields)
        assert answer.status_code == 400
        assert "This page was open for too long" in answer.text
    assert (await server.known(hamlet.email)).api_key == hamlet.api_key


def test_a_token_is_valid_until_it_is_too_old() -> None:
    now = utc_now()
    scope = {"method": "GET", "path": "/", "query_string": b"", "scheme": "http", "client": None}
    request = Request({**scope, "headers": [(b"cookie", b"sessionid=one")], "type": "http"}, ())
    token = form_tokens.new_token(request, now)
    assert form_tokens.read_token(request, token, now + LIFETIME - timedelta(seconds=2))
    with pytest.raises(FormTooOld):
        form_tokens.read_token(request, token, now + LIFETIME)


async def test_records_of_forms_too_old_to_be_sent_again_are_deleted(server_on_each: InProcessServer) -> None:
    server = server_on_each
    hamlet = await server.add_person("hamlet")
    await api_keys.regenerate_own(server.context, Caller(hamlet.account)._replace(form=b"one-form"))
    now = server.context.clock()

    async def kept_at(moment: datetime) -> int:
        await sweep(replace(server.context, clock=lambda: moment))
        async with server.context.reading() as connection:
            return len((await connection.execute(sent_forms.select())).all())

    assert await kept_at(now + LIFETIME - timedelta(hours=1)) == 1
    assert await kept_at(now + LIFETIME) == 0
