"""The client's public types, and the modules that importing it loads."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from keybearer import Client
from keybearer.client.operations import accounts

if TYPE_CHECKING:
    from typing import Any, assert_type

    from keybearer import AsyncClient, Secret
    from keybearer.client.models.accounts import Members, Profile, User
    from keybearer.client.models.event_queues import Event
    from keybearer.client.models.messages import Messages, SentMessage
    from keybearer.client.models.server import ServerSettings

    def the_synchronous_client_is_typed(client: Client) -> None:
        """mypy checks these, which never run."""
        assert_type(client.get_profile(), Profile)
        assert_type(client.get_profile().user_id, int)
        assert_type(client.get_users(), Members)
        assert_type(client.get_users()[0], User)
        assert_type(client.get_server_settings(), ServerSettings)
        assert_type(client.send_message(to="x", content="y"), SentMessage)
        assert_type(client.get_messages(anchor="newest"), Messages)
        assert_type(client.get_bot_api_key(1), Secret)
        assert_type(client.regenerate_api_key(), Secret)
        assert_type(client.request("GET", "users/me"), dict[str, Any])
        assert_type(next(client.events()), Event)
        assert_type(client.perform(accounts.get_profile()), Profile)
        client.get_user_by_id("7")  # type: ignore[arg-type]  # an argument of the wrong type is found

    async def the_asynchronous_client_is_typed(client: AsyncClient) -> None:
        """As above."""
        assert_type(await client.get_profile(), Profile)
        assert_type(await client.get_users(), Members)
        assert_type(await client.send_message(to="x", content="y"), SentMessage)
        assert_type(await client.regenerate_api_key(), Secret)
        assert_type(await client.request("GET", "users/me"), dict[str, Any])
        async for event in client.events():
            assert_type(event, Event)
        assert_type(await client.perform(accounts.get_profile()), Profile)


def test_the_reference_lists_every_call() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "client.md").read_text()
    calls = {name for name, value in vars(Client).items() if callable(value) and not name.startswith("_")}
    named = set(re.findall(r"`(\w+)\(", page))
    assert calls - named - {"perform"} == set()


def test_the_types_of_every_call_resolve_in_a_new_program() -> None:
    code = (
        "import typing, keybearer\n"
        "for kind in (keybearer.Client, keybearer.AsyncClient):\n"
        "    for name, value in vars(kind).items():\n"
        "        if callable(value) and not name.startswith('__'): typing.get_type_hints(value)\n"
        "assert typing.get_type_hints(keybearer.Client.events)['return'].__name__ == 'EventIterator'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def loaded_by(code: str) -> set[str]:
    script = f"{code}; import sys; print(*sys.modules)"
    return set(
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    )


def test_importing_a_client_loads_no_http_library_no_command_line_no_server_and_no_logging() -> None:
    heavy = {
        "logging",
        "httpx2",
        "httpcore2",
        "ssl",
        "asyncio",
        "click",
        "rich",
        "msgspec",
        "starlette",
        "keybearer.store",
        "keybearer.client.event_iterators",
    }
    assert not heavy & loaded_by("import keybearer.client.sync")


def test_constructing_a_client_from_credentials_loads_no_http_library() -> None:
    code = (
        "from keybearer import Client, Credentials, Secret; Client(Credentials('a@b.c', Secret('k'), 'https://x.org'))"
    )
    assert not {"httpcore2", "ssl"} & loaded_by(code)


def test_the_first_call_of_the_synchronous_client_loads_no_event_loop() -> None:
    assert "asyncio" not in loaded_by("import keybearer.client.sync, keybearer.client.http.transport")
