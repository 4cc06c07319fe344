"""An argument of the wrong type or value is refused before anything is sent, in every call and constructor."""

from __future__ import annotations

import inspect
import io
import typing
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keybearer import AsyncClient, Client, Credentials, KeybearerError, Secret
from keybearer.client.flow.retry import RetryPolicy
from keybearer.client.operations.arguments import LONGEST_TIMEOUT, checked
from keybearer.errors import InvalidArgument
from tests.client.callers import Opener
from tests.client.scripted_server import EMAIL, KEY, ScriptedServer, success
from tests.client.test_operations import CASES

SITE = "https://chat.example.com"
CREDENTIALS = Credentials(EMAIL, Secret(KEY), SITE)


@pytest.mark.parametrize(
    ("name", "args", "kwargs"),
    [
        ("get_user_by_id", (1.5,), {}),
        ("get_user_by_id", (True,), {}),
        ("get_user_by_id", (None,), {}),
        ("get_user_by_id", ("me",), {}),
        ("get_user_by_email", (7,), {}),
        ("add_subscriptions", ("general",), {}),
        ("add_subscriptions", ({"name": "general"},), {}),
        ("add_subscriptions", ([7],), {}),
        ("add_subscriptions", (["general"],), {"principals": "iago@example.com"}),
        ("add_subscriptions", (["general"],), {"principals": [1.5]}),
        ("remove_subscriptions", ("general",), {}),
        ("send_message", (), {"to": 1.5, "content": "x"}),
        ("send_message", (), {"to": "x", "content": b"soup"}),
        ("send_message", ("soup",), {}),
        ("send_message", ([("to", "x")],), {}),
        ("get_messages", (), {"narrow": "is:dm"}),
        ("get_messages", (), {"narrow": ["is", "dm"]}),
        ("get_messages", (), {"num_before": "many"}),
        ("update_message", ({"message_id": 1.5},), {}),
        ("update_message", ({"message_id": "1/../2"},), {}),
        ("update_stream", ({"stream_id": "general"},), {}),
        ("update_stream", ({},), {}),
        ("get_stream_topics", ("general",), {}),
        ("register", ("message",), {}),
        ("register", ([7],), {}),
        ("get_events", (), {"queue_id": 7}),
        ("get_events", (), {"queue_id": "q", "timeout": float("nan")}),
        ("upload_file", ("soup.txt",), {}),
        ("request", ("GET", 7), {}),
        ("request", ("GET", "users/me"), {"timeout": "5"}),
        ("request", ("GET", "users/me"), {"timeout": 0}),
        ("request", ("POST", "messages"), {"files": ["soup.txt"]}),
        ("create_bot", ("Bot", 7), {}),
        ("create_bot", ("Bot", "bot"), {"config_data": {"key": 7}}),
        ("update_bot", ("bot@example.com",), {}),
        ("get_bot_api_key", ([7],), {}),
        ("fetch_api_key", (EMAIL, b"password"), {}),
    ],
)
def test_a_wrong_argument_is_refused_before_anything_is_sent(
    open_client: Opener, server: ScriptedServer, name: str, args: Any, kwargs: Any
) -> None:
    client = open_client(Credentials(EMAIL, Secret(KEY), server.site))
    with pytest.raises(ValueError, match=r"\w") as caught:
        getattr(client, name)(*args, **kwargs)
    assert isinstance(caught.value, KeybearerError)
    assert server.seen == []


@pytest.mark.parametrize("kind", [Client, AsyncClient])
@pytest.mark.parametrize("timeout", ["5", -1, 0, float("nan"), float("inf"), True, [5], LONGEST_TIMEOUT + 1])
def test_an_invalid_timeout_is_refused_at_construction(kind: Any, timeout: Any) -> None:
    with pytest.raises(InvalidArgument, match="timeout"):
        kind(CREDENTIALS, timeout=timeout)
    with pytest.raises(InvalidArgument, match="timeout"):
        kind.unauthenticated(SITE, timeout=timeout)


@pytest.mark.parametrize("kind", [Client, AsyncClient])
@pytest.mark.parametrize(
    "arguments",
    [
        {"credentials": EMAIL},
        {"credentials": 7},
        {"credentials": Credentials("", Secret(KEY), SITE)},
        {"credentials": Credentials(None, Secret(KEY), SITE)},  # type: ignore[arg-type]  # the point of the test
        {"credentials": Credentials(EMAIL, Secret(KEY), 7)},  # type: ignore[arg-type]  # as above
        {"retry": 3},
        {"read_anew": "zuliprc"},
        {"client_name": 7},
        {"email": 7, "api_key": KEY, "site": SITE},
        {"config_file": 7},
    ],
)
def test_a_wrong_argument_of_a_client_is_refused_at_construction(kind: Any, arguments: Mapping[str, Any]) -> None:
    given = arguments if "credentials" in arguments or "config_file" in arguments or "email" in arguments else None
    with pytest.raises(KeybearerError) as caught:
        kind(**arguments) if given else kind(CREDENTIALS, **arguments)
    assert KEY not in str(caught.value)


def test_an_error_about_an_argument_does_not_show_its_text() -> None:
    with Client(CREDENTIALS) as client, pytest.raises(InvalidArgument) as caught:
        client.get_user_by_id(KEY)  # type: ignore[arg-type]  # a key where an id belongs
    assert str(caught.value) == "user_id of get_user_by_id() must be a whole number, not str. Nothing was sent"


@pytest.mark.parametrize("policy", [{"attempts": "3"}, {"patience": float("nan")}, {"patience": "1"}, {"attempts": 0}])
def test_an_invalid_retry_policy_is_refused(policy: Mapping[str, Any]) -> None:
    with pytest.raises(InvalidArgument):
        RetryPolicy(**policy)


def test_a_callback_that_is_not_a_function_is_refused_before_a_queue_is_opened(
    open_client: Opener, server: ScriptedServer
) -> None:
    client = open_client(Credentials(EMAIL, Secret(KEY), server.site))
    with pytest.raises(InvalidArgument, match="callback"):
        client.call_on_each_event("print")
    with pytest.raises(InvalidArgument, match="callback"):
        client.call_on_each_message(None)
    with pytest.raises(InvalidArgument, match="event_types"):
        client.client.events("message")
    assert server.seen == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_every_argument_that_the_bindings_accept_is_accepted(
    open_client: Opener, server: ScriptedServer, case: Any
) -> None:
    name, args, kwargs, _, _, _, answer = case
    server.otherwise = success(**answer)
    getattr(open_client(Credentials(EMAIL, Secret(KEY), server.site)), name)(*args, **kwargs)
    assert len(server.seen) == 1


def test_ids_may_be_digits_and_lists_may_be_tuples_or_generators(server: ScriptedServer) -> None:
    with Client(Credentials(EMAIL, Secret(KEY), server.site)) as client:
        client.request("GET", "users/me", files=iter(()))
        server.otherwise = success(streams=[], subscriptions=[], user={}, subscribed={}, already_subscribed={})
        client.add_subscriptions(name for name in ("general", "random"))
        client.add_subscriptions(("general",), principals=(7, 8))
        assert [one.form["subscriptions"] for one in server.seen[1:]] == [
            '[{"name":"general"},{"name":"random"}]',
            '[{"name":"general"}]',
        ]


def test_every_parameter_of_every_call_has_a_type_that_can_be_checked() -> None:
    for name, method in vars(Client).items():
        build = inspect.unwrap(method) if callable(method) and not name.startswith("_") else None
        if build is not None and build.__module__.startswith("keybearer.client.operations"):
            assert typing.get_type_hints(build)


def takes(number: int, text: str, several: Sequence[str], table: Mapping[str, int]) -> None:
    """A function of many types."""


ANYTHING = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.lists(st.integers())


@given(ANYTHING, ANYTHING, ANYTHING | st.lists(st.text()), ANYTHING | st.dictionaries(st.text(), st.integers()))
def test_every_accepted_argument_has_the_type_in_the_signature(a: Any, b: Any, c: Any, d: Any) -> None:
    try:
        checked(takes)(a, b, c, d)
    except InvalidArgument:
        return
    assert int(a) == a or a == str(int(a)).zfill(len(a))
    assert isinstance(b, str)
    assert isinstance(c, list)
    assert all(isinstance(one, str) for one in c)
    assert isinstance(d, dict)


def test_an_open_file_is_accepted() -> None:
    with Client(CREDENTIALS) as client, pytest.raises(KeybearerError, match="open in text mode"):
        client.upload_file(io.StringIO("soup"))  # type: ignore[arg-type]  # the file's mode is told apart later
