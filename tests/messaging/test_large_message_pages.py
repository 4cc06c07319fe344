"""Pages of messages: conversations of many people, and messages whose HTML takes long."""

from __future__ import annotations

import re
from dataclasses import dataclass

from keybearer.server.domain.actors import Caller
from keybearer.server.services.messaging.places import NAMES_SHOWN
from keybearer.server.services.messaging.sending import Draft, ToPeople, send
from keybearer.server.web.messaging.places import MOST_PEOPLE
from tests.asgi import FORM_TYPE, Answer, ask, by_session, form
from tests.in_process import InProcessServer, Known
from tests.steps import most_steps_at_once

OTHERS = MOST_PEOPLE + 10
LIST = "- a\n" * 1000


@dataclass(frozen=True)
class Reader:
    """Somebody with a browser."""

    server: InProcessServer
    who: Known
    headers: dict[str, str]

    async def get(self, path: str) -> Answer:
        return await ask(self.server.app, "GET", path, self.headers)

    async def post(self, path: str, **fields: str) -> Answer:
        return await ask(self.server.app, "POST", path, {**self.headers, "content-type": FORM_TYPE}, form(fields))

    async def write(self, *people: int, text: str = "text") -> int:
        return await send(self.server.context, Caller(self.who.account), Draft(ToPeople((self.who.id, *people)), text))


async def reader(server: InProcessServer, name: str) -> Reader:
    who = await server.add_person(name)
    return Reader(server, who, by_session(await server.signed_in(who)))


async def add_people(server: InProcessServer, count: int) -> list[Known]:
    return [await server.add_person(f"person{number}") for number in range(count)]


async def test_a_conversation_of_many_people_has_a_short_address_and_is_answered_from_its_page(
    server: InProcessServer,
) -> None:
    hamlet, people = await reader(server, "hamlet"), await add_people(server, OTHERS)
    await hamlet.write(*(each.id for each in people), text="to all of you")
    page = await hamlet.get("/messages/")
    (address,) = set(re.findall(r'href="(/messages/\?conversation=\d+)"', page.text))
    place = await hamlet.get(address)
    assert place.status == 200
    assert "to all of you" in place.text
    (to,) = re.findall(r'name="to" value="([^"]*)"', place.text)
    answer = await hamlet.post(address, to=to, content="an answer")
    assert (answer.status, answer.headers["location"]) == (303, address)
    last = Reader(server, people[-1], by_session(await server.signed_in(people[-1])))
    assert "an answer" in (await last.get(address)).text


async def test_a_conversation_is_no_place_for_others(server: InProcessServer) -> None:
    hamlet, ophelia = await reader(server, "hamlet"), await reader(server, "ophelia")
    people = [each.id for each in await add_people(server, OTHERS)]
    await hamlet.write(*people)
    (number,) = set(re.findall(r"\?conversation=(\d+)", (await hamlet.get("/messages/")).text))
    for who, asked in ((ophelia, number), (ophelia, "999999"), (hamlet, "999999"), (hamlet, "x")):
        answer = await who.get(f"/messages/?conversation={asked}")
        assert answer.status == 404
        assert "Back to the messages" in answer.text
    refused = await ophelia.post("/messages/", to=f"conversation:{number}", content="let me in")
    assert refused.status == 400
    assert "let me in" not in (await hamlet.get("/messages/")).text


async def test_a_page_names_few_of_the_people_of_a_conversation(server: InProcessServer) -> None:
    hamlet, people = await reader(server, "hamlet"), await add_people(server, OTHERS)
    for number in range(5):
        await hamlet.write(*(each.id for each in people), text=f"message {number}")
    page = await hamlet.get("/messages/")
    shown, hidden = people[NAMES_SHOWN - 1].account.full_name, people[NAMES_SHOWN].account.full_name
    assert f"{shown} and {OTHERS - NAMES_SHOWN} others" in page.text
    assert f"{hidden}," not in page.text


async def test_a_page_of_long_lists_is_built_message_by_message(server: InProcessServer) -> None:
    hamlet = await reader(server, "hamlet")
    await hamlet.get("/messages/")

    async def most_steps(messages: int) -> int:
        for _ in range(messages):
            await hamlet.write(text=LIST)
        answer, steps = await most_steps_at_once(hamlet.get("/messages/"))
        assert answer.text.count("<li>a</li>") >= messages * LIST.count("-")
        return steps

    alone, many = await most_steps(1), await most_steps(10)
    assert many < 1.5 * alone
