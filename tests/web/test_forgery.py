"""Forgery: no other site can make a browser change something here, and no link leads to another site."""

from __future__ import annotations

import httpx2
import pytest

from keybearer.server.http.csrf import FIELD
from keybearer.server.http.routing import Route
from keybearer.server.web.routes import ROUTES
from keybearer.server.web.visit import safe_path
from tests.server_process import OWNER_PASSWORD, RunningServer
from tests.web.organization import MEMBER, PASSWORD, Organization
from tests.web.probes import check_headers, path_of, rows
from tests.web.visitor import token_in

POSTS = [page for page in ROUTES if page.method == "POST"]

EVIL = [
    "http://[x",
    "//[x",
    "https://evil.example/",
    "//evil.example/",
    "///evil.example/",
    "/\\evil.example/",
    "\\\\evil.example",
    "javascript:alert(1)",
    "/\n/evil.example",
    "\t//evil.example",
    "http:evil.example",
    "evil.example",
    "",
]


@pytest.mark.parametrize("page", POSTS, ids=lambda page: page.path)
def test_a_change_without_a_valid_token_is_refused_and_changes_nothing(
    server: RunningServer, owner: httpx2.Client, organization: Organization, page: Route
) -> None:
    before = rows(server)
    answer = owner.post(path_of(page, organization), data={"password": OWNER_PASSWORD})
    assert answer.status_code == 403
    assert "CSRF token missing" in answer.text
    check_headers(answer)
    assert rows(server) == before


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Referer": "https://evil.example/"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"X-CSRFToken": "wrong"},
    ],
    ids=str,
)
def test_a_change_that_another_site_sends_is_refused(owner: httpx2.Client, headers: dict[str, str]) -> None:
    token = token_in(owner.get("/settings/account/").text)
    form = {"full_name": "Forged", FIELD: token}
    assert owner.post("/settings/account/name/", data=form, headers=headers).status_code == 403
    assert "Forged" not in owner.get("/settings/account/").text


def test_another_persons_token_is_refused(owner: httpx2.Client, member: httpx2.Client) -> None:
    token = token_in(member.get("/settings/account/").text)
    answer = owner.post("/settings/account/name/", data={"full_name": "Forged", FIELD: token})
    assert answer.status_code == 403


@pytest.mark.parametrize("wanted", EVIL)
def test_no_redirect_leads_to_another_site(wanted: str) -> None:
    assert safe_path(wanted) == "/"


@pytest.mark.parametrize("wanted", ["/", "/settings/bots/?filter=x#top", "/help/zuliprc/"])
def test_a_path_on_this_site_is_kept(wanted: str) -> None:
    assert safe_path(wanted) == wanted


@pytest.mark.parametrize("wanted", EVIL)
def test_signing_in_leads_to_no_other_site(nobody: httpx2.Client, wanted: str) -> None:
    page = nobody.get("/login/", params={"next": wanted})
    form = {"username": MEMBER, "password": PASSWORD.reveal(), "next": wanted, FIELD: token_in(page.text)}
    answer = nobody.post("/login/", data=form)
    assert (answer.status_code, answer.headers["location"]) == (302, "/")


def test_a_browser_that_opens_the_wire_is_not_redirected_in_a_loop(owner: httpx2.Client) -> None:
    page = owner.get("/api/v1/users/me", headers={"Accept": "text/html"}, follow_redirects=True)
    assert (page.status_code, page.url.path) == (200, "/settings/account/")
