"""How many bytes of bodies a worker holds: few of a stranger, and never more than the caps of all together."""

from __future__ import annotations

import asyncio
import hashlib
import re
import tracemalloc
from collections import Counter
from collections.abc import AsyncIterator, Sequence

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from keybearer.server.api import routes
from keybearer.server.api.door import BY_KEY, BY_SESSION
from keybearer.server.api.messaging import files
from keybearer.server.domain.errors import Overloaded
from keybearer.server.domain.grants import Scope
from keybearer.server.domain.limits import (
    BODIES_IN_FLIGHT,
    BODIES_OF_NETWORK,
    BODIES_OF_ONE,
    BODIES_OF_STRANGERS,
    UNCOUNTED_BODY,
)
from keybearer.server.domain.rules import EVERYBODY
from keybearer.server.http.body import SMALL_FORM
from keybearer.server.http.limits import HeldBody
from keybearer.server.http.multipart import HELD_OF_FILE, FormUnreadable, MultipartForm, TooLarge
from keybearer.server.http.routing import Place, Prefix, Router
from keybearer.server.storage.messaging.tables import upload_contents
from keybearer.server.web import door as pages
from keybearer.server.web.routes import ROUTES as PAGES
from tests.asgi import FORM_TYPE, Answer, Sending, ask, by_key, form
from tests.in_process import PASSWORD, InProcessServer

MIB = 1024 * 1024
ENDPOINTS = routes.endpoints(for_development=True)
ROUTERS = [
    Router(BY_KEY, ENDPOINTS),
    Router(BY_SESSION, ENDPOINTS),
    files.FilesDoor.router,
    Router(pages.PREFIX, PAGES),
]


def places() -> list[tuple[Prefix, Place]]:
    """Every place behind every door."""
    found = []
    for router in ROUTERS:
        found += [(router.prefix, place) for place in router._fixed.values()]
        found += [(router.prefix, place) for _, place in router._patterns]
    return found


def test_routes_for_strangers_accept_a_small_form_and_no_file() -> None:
    opened = [route for _, place in places() for route in place.routes.values() if route.rule.is_open]
    assert opened
    assert all(route.body.form <= SMALL_FORM.form for route in opened)
    assert all(route.body.multipart <= SMALL_FORM.multipart and not route.body.keeper for route in opened)


async def test_nothing_of_a_body_is_read_before_its_sender_is_known(server: InProcessServer) -> None:
    asked = 0
    for prefix, place in places():
        for method, route in place.routes.items():
            if route.rule.is_open or method == "GET":
                continue
            path = prefix.text + re.sub(r"{\w+}", "1", place.path)
            sending = Sending(server.app, method, path, {"content-type": FORM_TYPE, "content-length": str(25 * MIB)})
            answer = await sending.ended()
            assert answer.status in (302, 401, 403, 404), (method, path, answer.status)
            assert not sending.was_asked, (method, path)
            asked += 1
    assert asked > 50


async def test_a_stranger_holds_no_more_than_a_small_form(server: InProcessServer) -> None:
    sending = Sending(server.app, "POST", "/api/v1/fetch_api_key", {"content-type": FORM_TYPE})
    await sending.hand_over(b"x" * SMALL_FORM.form)
    await sending.hand_over(b"x")
    assert (await sending.ended()).status == 413


async def hold(server: InProcessServer, size: int, headers: dict[str, str] | None = None) -> Sending:
    """A request that has sent this much of its body, and waits."""
    path = "/api/v1/settings" if headers else "/api/v1/fetch_api_key"
    method = "PATCH" if headers else "POST"
    sending = Sending(server.app, method, path, {"content-type": FORM_TYPE, **(headers or {})})
    await sending.hand_over(b"full_name=" + b"x" * (size - 10))
    return sending


def check_is_overloaded(answer: Answer) -> None:
    assert (answer.status, answer.headers["retry-after"]) == (503, "5"), answer.text
    assert answer.message == "The server has too much to do at the moment. Try again soon."


async def test_strangers_use_up_only_their_own_room(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    size = SMALL_FORM.form
    most = BODIES_OF_NETWORK // (size - UNCOUNTED_BODY)
    held = [await hold(server, size) for _ in range(most)]
    assert not any(each.sent for each in held)
    check_is_overloaded(await (await hold(server, size)).ended())
    page = Sending(server.app, "POST", "/login/", {"content-type": FORM_TYPE})
    await page.hand_over(b"x" * size)
    answer = await page.ended()
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    signing_in = await ask(
        server.app,
        "POST",
        "/api/v1/fetch_api_key",
        {"content-type": FORM_TYPE},
        form({"username": hamlet.email, "password": PASSWORD}),
    )
    assert signing_in.status == 200, signing_in.text
    known = await hold(server, MIB, by_key(hamlet.auth))
    assert not known.sent
    for each in (*held, known):
        await each.disconnect()
    again = await hold(server, size)
    assert not again.sent
    await again.disconnect()


async def test_an_account_uses_up_only_its_own_share(server: InProcessServer) -> None:
    hamlet, othello = await server.add_person("hamlet"), await server.add_person("othello")
    most = BODIES_OF_ONE // (MIB - UNCOUNTED_BODY)
    held = [await hold(server, MIB, by_key(hamlet.auth)) for _ in range(most)]
    check_is_overloaded(await (await hold(server, MIB, by_key(hamlet.auth))).ended())
    other = await hold(server, MIB, by_key(othello.auth))
    assert not other.sent
    for each in (*held, other):
        await each.disconnect()


@given(st.lists(st.tuples(st.one_of(st.integers(1, 6), st.sampled_from(["192.0.2.1", "192.0.2.2", "192.0.2.3"] * 4)),
                          st.integers(1, 3 * MIB), st.booleans()), max_size=60))  # fmt: skip
def test_the_bytes_of_all_bodies_never_exceed_their_caps(requests: list[tuple[int | str, int, bool]]) -> None:
    bodies: Counter[int | str] = Counter()
    held: list[tuple[HeldBody, int | str, int]] = []
    for sender, size, ends in requests:
        each = HeldBody(bodies, sender)
        try:
            for _ in range(4):
                each.add(size)
        except Overloaded:
            each.release()
        else:
            held.append((each, sender, max(0, 4 * size - UNCOUNTED_BODY)))
        if ends and held:
            held.pop(0)[0].release()
        known = Counter[int | str]()
        for _, who, counted in held:
            known[who] += counted
        strangers = sum(size for who, size in known.items() if isinstance(who, str))
        assert strangers <= BODIES_OF_STRANGERS
        assert known.total() <= BODIES_IN_FLIGHT
        assert all(
            size <= (BODIES_OF_NETWORK if isinstance(who, str) else BODIES_OF_ONE) for who, size in known.items()
        )
        assert {name: size for name, size in bodies.items() if name in known} == +known
    for each, _, _ in held:
        each.release()
    assert not bodies


async def stream(content: bytes, pieces: Sequence[int]) -> AsyncIterator[bytes]:
    """The content in pieces of these sizes, and the rest in one piece."""
    start = 0
    for size in pieces:
        yield content[start : start + size]
        start += size
    yield content[start:]


def encoded(texts: dict[str, str], files: list[tuple[str, bytes]]) -> tuple[str, bytes]:
    """The content type and the body of a form, as a real client encodes it."""
    named = [(f"file{number}", file) for number, file in enumerate(files)]
    request = httpx2.Request("POST", "http://localhost/", data=texts, files=named or [("none", ("", b""))])
    return request.headers["content-type"], request.read()


class Kept:
    """Receives the content of a file: its pieces, or only their digest."""

    def __init__(self, *, forgets: bool = False) -> None:
        self.pieces: list[bytes] = []
        self.digest = hashlib.sha256()
        self.is_discarded = False
        self._forgets = forgets

    async def write(self, content: bytes) -> None:
        self.digest.update(content)
        if not self._forgets:
            self.pieces.append(content)

    async def discard(self) -> None:
        self.is_discarded = True


WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=["C"], exclude_characters='"\\'), min_size=1, max_size=20
)


@settings(max_examples=60)
@given(
    st.dictionaries(WORDS, st.text(st.characters(codec="utf-8"), max_size=50), max_size=4),
    st.lists(st.tuples(WORDS, st.binary(max_size=3000)), min_size=1, max_size=3),
    st.lists(st.integers(1, 700), max_size=12),
)
async def test_a_form_is_the_same_in_whatever_pieces_it_arrives(
    texts: dict[str, str],
    files: list[tuple[str, bytes]],
    pieces: list[int],
) -> None:
    content_type, body = encoded(texts, files)
    kept = Kept()
    parsed = MultipartForm(content_type, HeldBody(Counter(), 1), MIB, lambda: kept)
    await parsed.read(stream(body, pieces))
    assert {name: parsed.texts[name] for name in texts} == texts
    assert [each.name for each in parsed.files] == [name for name, _ in files]
    assert [each.content for each in parsed.files] == [kept, *[None] * (len(files) - 1)]
    assert b"".join(kept.pieces) == files[0][1]
    assert not kept.is_discarded


async def test_a_large_file_is_passed_on_as_it_arrives_and_never_completely_in_memory() -> None:
    content = b"0123456789abcdef" * (MIB // 16) * 16
    content_type, body = encoded({"name": "x"}, [("large.bin", content)])
    bodies: Counter[int | str] = Counter()
    most = 0

    async def watched() -> AsyncIterator[bytes]:
        nonlocal most
        view = memoryview(body)
        for start in range(0, len(view), 64 * 1024):
            most = max(most, bodies[1])
            yield bytes(view[start : start + 64 * 1024])

    kept = Kept(forgets=True)
    parsed = MultipartForm(content_type, HeldBody(bodies, 1), MIB, lambda: kept)
    tracemalloc.start()
    await parsed.read(watched())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * MIB
    assert most <= HELD_OF_FILE
    assert kept.digest.digest() == hashlib.sha256(content).digest()


@pytest.mark.parametrize("wrong", ["cut", "no boundary", "no name", "too many parts", "long header", "much text"])
async def test_a_form_that_is_refused_leaves_no_file(wrong: str) -> None:
    content_type, body = encoded({}, [("a.txt", b"content" * 100)])
    boundary = content_type.partition("boundary=")[2].encode()
    part = b"--%b\r\nContent-Disposition: form-data; %%b\r\n\r\nx\r\n" % boundary
    parts = body[: body.rindex(b"--" + boundary)]
    bad = {
        "cut": body[:-60],
        "no boundary": body,
        "no name": parts + part % b"" + b"--%b--\r\n" % boundary,
        "too many parts": parts + part % b'name="x"; filename="y"' * 1000 + b"--%b--\r\n" % boundary,
        "long header": parts + part % (b'name="x"; y=' + b"z" * 10_000) + b"--%b--\r\n" % boundary,
        "much text": parts + part % b'name="x"' + part % b'name="y"' * 20 + b"--%b--\r\n" % boundary,
    }[wrong]
    kept = Kept()
    with pytest.raises(TooLarge if wrong == "much text" else FormUnreadable):
        parsed = MultipartForm(
            "multipart/form-data" if wrong == "no boundary" else content_type, HeldBody(Counter(), 1), 10, lambda: kept
        )
        await parsed.read(stream(bad, [300]))
    assert kept.is_discarded == bool(kept.pieces)


async def test_sixteen_uploads_at_once_stay_within_the_share_of_their_account(server: InProcessServer) -> None:
    hamlet = await server.add_person("hamlet")
    content = b"x" * (2 * MIB)
    content_type, body = encoded({}, [("large.bin", content)])
    headers = {**by_key(hamlet.auth), "content-type": content_type, "content-length": str(len(body))}
    sendings = [Sending(server.app, "POST", "/api/v1/user_uploads", headers) for _ in range(16)]
    for start in range(0, len(body), 256 * 1024):
        await asyncio.gather(*(each.hand_over(body[start : start + 256 * 1024]) for each in sendings))
    answers = [await each.finish() for each in sendings]
    assert [answer.status for answer in answers] == [200] * 16
    async with server.context.reading() as connection:
        sizes = (await connection.execute(select(upload_contents.c.size))).scalars().all()
    assert sizes == [len(content)] * 16


def test_every_route_that_keeps_a_file_needs_an_account() -> None:
    keeping = [route for _, place in places() for route in place.routes.values() if route.body.keeper]
    assert {(route.name, route.rule) for route in keeping} == {("POST user_uploads", EVERYBODY.may(Scope.SEND))}
