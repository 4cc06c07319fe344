"""The example functions of Zulip's API documentation (zerver/openapi/python_examples.py), as calls of its client.

Each works here, or is refused in the one way that is documented. The tables below have a row for every one of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from keybearer.testing import running_server
from tests.peers.examples import channels, messages, organization, users
from tests.peers.examples.stage import Example, Stage, ok, refused

WORKS: Mapping[str, Example] = {
    each.__name__: each for each in (*users.WORKS, *channels.WORKS, *messages.WORKS, *organization.WORKS)
}
"""The examples that work, by Zulip's names."""

NOT_AVAILABLE: Mapping[str, tuple[str, str]] = {
    "add_navigation_views": ("POST", "navigation_views"),
    "get_navigation_views": ("GET", "navigation_views"),
    "update_navigation_views": ("PATCH", "navigation_views/narrow/is/alerted"),
    "remove_navigation_views": ("DELETE", "navigation_views/narrow/is/alerted"),
    "create_saved_snippet": ("POST", "saved_snippets"),
    "get_saved_snippets": ("GET", "saved_snippets"),
    "edit_saved_snippet": ("PATCH", "saved_snippets/1"),
    "delete_saved_snippet": ("DELETE", "saved_snippets/1"),
    "create_user_group": ("POST", "user_groups/create"),
    "update_user_group": ("PATCH", "user_groups/1"),
    "update_user_group_members": ("POST", "user_groups/1/members"),
    "upload_custom_emoji": ("POST", "realm/emoji/my_custom_emoji"),
    "delete_custom_emoji": ("DELETE", "realm/emoji/my_custom_emoji"),
    "add_realm_filter": ("POST", "realm/filters"),
    "update_realm_filter": ("PATCH", "realm/filters/1"),
    "remove_realm_filter": ("DELETE", "realm/filters/1"),
    "reorder_realm_linkifiers": ("PATCH", "realm/linkifiers"),
    "reorder_realm_profile_fields": ("PATCH", "realm/profile_fields"),
    "create_realm_profile_field": ("POST", "realm/profile_fields"),
    "add_realm_playground": ("POST", "realm/playgrounds"),
    "remove_realm_playground": ("DELETE", "realm/playgrounds/1"),
    "export_realm": ("POST", "export/realm"),
    "get_realm_exports": ("GET", "export/realm"),
    "get_realm_export_consents": ("GET", "export/realm/consents"),
    "report_message": ("POST", "messages/1/report"),
    "register_push_device": ("POST", "mobile_push/register"),
    "test_welcome_bot_custom_message": ("POST", "realm/test_welcome_bot_custom_message"),
    "test_realm_deactivated": ("POST", "realm/deactivate"),
}
"""Those that are refused, each with its call."""

PARTLY = {"update_user"}
"""Half of it works, the name; the other half, a profile field, is refused as where Zulip has no such field."""


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with running_server() as server:
        yield Stage.on(server)


def test_every_example_is_here_once() -> None:
    assert len(WORKS) >= 85
    assert len(WORKS.keys() | NOT_AVAILABLE.keys() | PARTLY) == len(WORKS) + len(NOT_AVAILABLE) + len(PARTLY) == 116


@pytest.mark.parametrize("name", WORKS)
def test_an_example_works(stage: Stage, name: str) -> None:
    WORKS[name](stage)


@pytest.mark.parametrize("name", NOT_AVAILABLE)
def test_an_example_that_is_not_available_is_refused_in_the_documented_way(stage: Stage, name: str) -> None:
    method, url = NOT_AVAILABLE[name]
    answer = stage.call(method, url)
    refused(answer, code="NOT_AVAILABLE")
    assert answer["msg"].endswith(" are not available on this server.")


def test_update_user_changes_the_name_and_refuses_a_profile_field_that_is_not_there(stage: Stage) -> None:
    ok(stage.client.update_user_by_id(stage.hamlet.id, full_name="New Name"))
    answer = stage.client.update_user_by_id(stage.hamlet.id, profile_data=[{"id": 9, "value": "some data"}])
    assert (answer["result"], answer["msg"]) == ("error", "Field id 9 not found.")
