"""Puts the recorded questions to the server: the accounts, what the questions refer to, and what is compared."""

from __future__ import annotations

import base64
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import httpx2

from keybearer import api_key as api_key_format
from keybearer.server.domain.accounts import Role
from keybearer.server.domain.realms import SystemGroup
from keybearer.server.services import deactivation
from keybearer.server.services.change import Change
from keybearer.server.storage import realms
from tests.in_process import PASSWORD, InProcessServer, Known
from tests.wire.exchanges import Exchange

DOMAIN = "zulip.testserver"
CAST = {
    "desdemona": Role.OWNER,
    "iago": Role.ADMINISTRATOR,
    "shiva": Role.MODERATOR,
    "hamlet": Role.MEMBER,
    "cordelia": Role.MEMBER,
    "othello": Role.MEMBER,
    "polonius": Role.GUEST,
    "prospero": Role.MEMBER,
}
PASSWORDS = {
    "cordelia:new": "cordelia-second-password-8264",
    "cordelia:third": "cordelia-third-password-9375",
}
ADDRESS = "198.51.100.20"


class Play:
    """A server with the accounts, and what the questions refer to."""

    def __init__(self, server: InProcessServer) -> None:
        self.server = server
        self._sessions: dict[str, httpx2.AsyncClient] = {}
        self._before: dict[str, str] = {}
        self._client = server.client(address=ADDRESS)

    async def cast(self) -> None:
        """Create all accounts."""
        for name, role in CAST.items():
            await self.server.add_person(name, role, domain=DOMAIN)
        await self.server.add_bot(await self.known("hamlet"), "hambot", name="Hamlet Bot")
        async with self.server.context.change(None) as change:
            realm = await realms.find(change.connection)
            assert realm is not None
            description = "Reference realm for comparisons"
            await realms.save(change.connection, replace(realm, name="Reference Realm", description=description))
        await deactivation.deactivate_person(self.server.context, None, (await self.known("prospero")).id)

    async def known(self, name: str) -> Known:
        """An account of the play by its name."""
        return await self.server.known(email_of(name))

    async def ask(self, exchange: Exchange) -> httpx2.Response:
        """Put a question."""
        client, headers = self._client, {key: self._text(value) for key, value in exchange.headers.items()}
        if exchange.session is not None:
            client = await self.session(exchange.session)
            if exchange.without_token:
                headers["X-CSRFToken"] = ""
        authorization = await self._authorization(exchange)
        if authorization is not None:
            headers["Authorization"] = authorization
        return await client.request(
            exchange.method,
            await self._filled(exchange.path),
            headers=headers,
            params={key: await self._filled(value) for key, value in exchange.query.items()} or None,
            data={key: await self._filled(value) for key, value in exchange.form.items()} or None,
            json=exchange.json,
            follow_redirects=False,
        )

    async def session(self, name: str) -> httpx2.AsyncClient:
        """The browser in which an account is signed in: `cordelia`, or another one, `cordelia elsewhere`."""
        if name not in self._sessions:
            known = await self.known(name.partition(" ")[0])
            self._sessions[name] = await self.server.signed_in(known, address=ADDRESS)
        return self._sessions[name]

    async def call(self, who: str, method: str, path: str, **form: str) -> httpx2.Response:
        """A question that was asked between the recorded ones."""
        known = await self.known(who)
        filled = {name: await self._filled(value) for name, value in form.items()}
        response = await self._client.request(
            method, f"/api/v1/{await self._filled(path)}", auth=known.auth, data=filled or None
        )
        assert response.status_code == 200, response.text
        return response

    async def try_password(self, email: str, times: int) -> None:
        """Fail to fetch a key this many times."""
        for _ in range(times):
            await self._client.post("/api/v1/fetch_api_key", data={"username": email, "password": "wrong"})

    async def change(self, step: Callable[[Change], Awaitable[object]]) -> None:
        """Something that no question can do."""
        async with self.server.context.change(None) as change:
            await step(change)

    async def remember_key(self, name: str) -> None:
        """Remember the key that an account has now."""
        self._before[name] = (await self.known(name)).api_key

    def _text(self, text: str) -> str:
        return text.replace("<HOST>", self.server.site.partition("//")[2]).replace("<SITE>", self.server.site)

    async def _authorization(self, exchange: Exchange) -> str | None:
        if exchange.key_of is not None:
            return "Basic " + await self._credentials(exchange.key_of)
        if exchange.basic is not None:
            return "Basic " + encoded(await self._filled(exchange.basic))
        return None if exchange.authorization is None else await self._filled(exchange.authorization)

    async def _credentials(self, name: str) -> str:
        return encoded(":".join((await self.known(name)).auth))

    async def _filled(self, text: str) -> str:
        """The text with its placeholders replaced."""
        for placeholder, kind, name, variant in re.findall(r"(<([A-Z_0-9]+):([\w-]+)(?::([\w-]+))?>)", text):
            text = text.replace(placeholder, await self._value(kind, name, variant))
        times = re.fullmatch(r"<(\d+) TIMES (.)>", text)
        return self._text(text if times is None else times[2] * int(times[1]))

    async def _value(self, kind: str, name: str, variant: str) -> str:
        match kind, variant:
            case "ID", _:
                return str((await self.known(name)).id)
            case "GROUP", _:
                return str(SystemGroup[name.upper()].value)
            case "PASSWORD", _:
                return PASSWORDS.get(f"{name}:{variant}", PASSWORD)
            case "BASE64", _:
                return await self._credentials(name)
            case "API_KEY", "before":
                return self._before[name]
            case "API_KEY", "swapcase":
                return (await self.known(name)).api_key.swapcase()
            case _:
                return (await self.known(name)).api_key

    async def differences(self, exchange: Exchange, response: httpx2.Response) -> dict[str, tuple[object, object]]:
        """Where the server's answer differs: field → what was recorded, what the server says."""
        found: dict[str, tuple[object, object]] = {}
        if response.status_code != exchange.status:
            found["status"] = (exchange.status, response.status_code)
        for name, wanted in exchange.answer_headers.items():
            ours = _header(response, name)
            if not await self._fits(_names(wanted) if name == "vary" else wanted, ours):
                found[f"header.{name}"] = (wanted, ours)
        if exchange.is_page:
            return found
        for name in response.headers.keys() - exchange.answer_headers.keys() - ALWAYS_HERE:
            found[f"header.{name}"] = (None, response.headers[name])
        await self._compare(exchange.body, _json(response), "", found)
        return found

    async def _compare(self, wanted: Any, ours: Any, path: str, found: dict[str, tuple[object, object]]) -> None:
        if isinstance(wanted, dict) and isinstance(ours, dict):
            for name in {**wanted, **ours}:
                below = f"{path}.{name}" if path else name
                if name in wanted and name in ours:
                    await self._compare(wanted[name], ours[name], below, found)
                else:
                    found[below] = (wanted.get(name, "absent"), ours.get(name, "absent"))
        elif path == "bots":
            await self._compare(_by_username(wanted), _by_username(ours), path, found)
        elif isinstance(wanted, list) and isinstance(ours, list) and len(wanted) == len(ours):
            for index, (one, other) in enumerate(zip(wanted, ours, strict=True)):
                await self._compare(one, other, f"{path}[{index}]", found)
        elif not await self._fits(wanted, ours):
            found[path or "body"] = (wanted, ours)

    async def _fits(self, wanted: object, ours: object) -> bool:
        if wanted == "<ANY>":
            return ours is not None
        if wanted == "<NEW_API_KEY>":
            return isinstance(ours, str) and api_key_format.is_ours(ours)
        if isinstance(wanted, str):
            filled = await self._filled(wanted)
            return filled == (str(ours) if wanted.startswith(("<ID:", "<GROUP:")) else ours)
        return type(wanted) is type(ours) and wanted == ours


ALWAYS_HERE = {
    "content-length",
    "cache-control",
    "expires",
    "content-language",
    "x-content-type-options",
    "x-frame-options",
    "strict-transport-security",
    "access-control-allow-origin",
    "access-control-allow-headers",
    "access-control-allow-methods",
}
"""Headers that the server's answers always have. In Zulip some are from the proxy, some only on some answers."""


def email_of(name: str) -> str:
    """The address of an account by name."""
    if name in CAST:
        return f"{name}@{DOMAIN}"
    short = {"upper1": "UPPER1", "othello-bot": "othello", "hambot-bot": "hambot"}.get(name, name)
    return f"{short}-bot@{DOMAIN}"


def encoded(text: str) -> str:
    """Base64 of the text."""
    return base64.b64encode(text.encode()).decode()


def _header(response: httpx2.Response, name: str) -> object:
    """A header as it is compared: the names of cookies; a list of names in a fixed order."""
    if name == "set-cookie":
        return [cookie.partition("=")[0] for cookie in response.headers.get_list(name)]
    value = response.headers.get(name)
    return _names(value) if name == "vary" and value is not None else value


def _names(text: str) -> str:
    """A list of names in a header, in a fixed order."""
    return ", ".join(sorted(name.strip() for name in text.split(",")))


def _by_username(bots: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {bot["username"]: bot for bot in bots}


def _json(response: httpx2.Response) -> Any:
    return response.json() if response.content else None
