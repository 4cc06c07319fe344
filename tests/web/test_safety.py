"""What holds for every page: headers, forgery, changes by GET, keys in answers, cookies, redirects."""

from __future__ import annotations

import re

import httpx2
import pytest

from keybearer.server.domain.rules import ADMINISTRATORS, Way
from keybearer.server.http.csrf import FIELD
from keybearer.server.http.routing import Route
from keybearer.server.web.headers import CONTENT_SECURITY_POLICY
from keybearer.server.web.routes import ROUTES
from tests.server_process import ORGANIZATION, OWNER_EMAIL, OWNER_PASSWORD, RunningServer, running_server
from tests.web.organization import MEMBER, PASSWORD, Organization
from tests.web.probes import as_read, check_headers, path_of, rows
from tests.web.visitor import client_of, token_in

GETS = [page for page in ROUTES if page.method == "GET"]


def test_the_content_policy_allows_nothing_from_other_sites_and_no_inline_script() -> None:
    assert "'unsafe" not in CONTENT_SECURITY_POLICY
    assert "http" not in CONTENT_SECURITY_POLICY
    assert "default-src 'none'" in CONTENT_SECURITY_POLICY
    assert "frame-ancestors 'none'" in CONTENT_SECURITY_POLICY


@pytest.mark.parametrize("page", GETS, ids=lambda page: page.path)
def test_a_page_has_every_header_and_nothing_inline(
    owner: httpx2.Client, organization: Organization, page: Route
) -> None:
    answer = owner.get(path_of(page, organization))
    check_headers(answer)
    assert answer.status_code in (200, 302, 404)
    if answer.headers.get("content-type", "").startswith("text/html"):
        assert answer.headers["cache-control"] == "no-store"
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", answer.text)


def test_a_get_changes_nothing(server: RunningServer, owner: httpx2.Client, organization: Organization) -> None:
    before = rows(server)
    for page in ROUTES:
        owner.get(path_of(page, organization), params={"status": "active", "kind": "Bots"})
    assert rows(server) == before


@pytest.mark.parametrize(
    "page", [page for page in ROUTES if page.rule.least_role is ADMINISTRATORS.least_role], ids=lambda page: page.name
)
def test_members_are_refused_on_administrators_pages(
    server: RunningServer, member: httpx2.Client, organization: Organization, page: Route
) -> None:
    before = rows(server)
    form = {FIELD: token_in(member.get("/settings/account/").text)}
    answer = member.request(page.method, path_of(page, organization), data=form if page.method == "POST" else None)
    assert answer.status_code == 403
    assert rows(server) == before


def test_a_refused_person_is_told_whom_to_ask(member: httpx2.Client) -> None:
    answer = member.get("/organization/users/")
    text = as_read(answer.text)
    assert (
        "Only administrators and owners of the organization can do this. If you need this, ask an administrator" in text
    )


def test_the_page_of_a_missing_bot_does_not_say_that_it_was_deleted(owner: httpx2.Client) -> None:
    answer = owner.get("/settings/bots/99999/")
    assert answer.status_code == 404
    assert "There is no such bot. The address may be mistyped." in as_read(answer.text)


@pytest.mark.parametrize(
    "page", [page for page in ROUTES if not page.rule.ways & Way.NOBODY], ids=lambda page: page.name
)
def test_a_visitor_without_a_session_is_redirected_to_the_sign_in_page(
    nobody: httpx2.Client, organization: Organization, page: Route
) -> None:
    form = {FIELD: token_in(nobody.get("/login/").text)}
    path = path_of(page, organization)
    answer = nobody.request(page.method, path, data=form if page.method == "POST" else None)
    assert answer.status_code == 302
    assert answer.headers["location"].startswith("/login/")


def test_only_answers_that_reveal_a_key_contain_it(
    server: RunningServer, owner: httpx2.Client, organization: Organization
) -> None:
    keys = [server.api_key_of(email) for email in (OWNER_EMAIL, organization.bot.delivery_email)]
    for page in GETS:
        for asked_for in ({}, {"X-Asked-For": "dialog"}, {"X-Asked-For": "page"}):
            text = as_read(owner.get(path_of(page, organization), headers=asked_for).text)
            assert not [key for key in keys if key in text], page.path

    form = {FIELD: token_in(owner.get("/settings/account/").text), "password": OWNER_PASSWORD}
    bot = f"/settings/bots/{organization.bot.id}"
    for key, path in zip(
        [keys[0], keys[0], keys[1], keys[1]],
        ["/settings/account/api-key/", "/settings/account/api-key/zuliprc/", f"{bot}/api-key/", f"{bot}/zuliprc/"],
        strict=True,
    ):
        answer = owner.post(path, data=form)
        assert key in as_read(answer.text)
        assert answer.headers["cache-control"] == "no-store"
        check_headers(answer)


def test_a_zuliprc_is_sent_as_a_download(owner: httpx2.Client, organization: Organization) -> None:
    form = {FIELD: token_in(owner.get("/settings/account/").text)}
    answer = owner.post(f"/settings/bots/{organization.bot.id}/zuliprc/", data=form)
    assert answer.headers["content-disposition"] == 'attachment; filename="zuliprc"'
    assert answer.headers["content-type"] == "application/octet-stream; charset=utf-8"


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE"])
def test_other_methods_are_refused(owner: httpx2.Client, method: str) -> None:
    answer = owner.request(method, "/settings/account/")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"
    check_headers(answer)


@pytest.mark.parametrize("path", ["/logout/", "/accounts/logout/"])
def test_signing_out_by_get_is_refused(owner: httpx2.Client, path: str) -> None:
    answer = owner.get(path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"
    assert owner.get("/settings/account/").status_code == 200


@pytest.mark.parametrize(
    "path", ["/api/v1/nothing", "/json/nothing", "/nothing", "/settings/bots/99999999999999999999/"]
)
def test_an_unknown_path_shows_a_page_that_says_so(nobody: httpx2.Client, path: str) -> None:
    answer = nobody.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    check_headers(answer)


def test_a_missing_slash_is_added(nobody: httpx2.Client) -> None:
    answer = nobody.get("/login?next=/settings/bots/")
    assert (answer.status_code, answer.headers["location"]) == (307, "/login/?next=/settings/bots/")


def test_signing_out_clears_what_the_browser_has_stored(server: RunningServer, organization: Organization) -> None:
    with client_of(server, MEMBER, PASSWORD.reveal()) as client:
        form = {FIELD: token_in(client.get("/settings/account/").text)}
        answer = client.post("/logout/", data=form)
    assert (answer.status_code, answer.headers["location"]) == (302, "/login/")
    assert answer.headers["clear-site-data"] == '"cache", "storage"'
    assert "sessionid" not in answer.cookies


def test_over_https_cookies_are_tied_to_the_host_and_browsers_must_stay_on_https(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    proxied = {"KEYBEARER_TRUSTED_PROXIES": "127.0.0.1"}
    with running_server(tmp_path_factory.mktemp("https") / "data", environ=proxied) as server:
        headers = {"X-Forwarded-Proto": "https", "Referer": server.site.replace("http:", "https:")}
        page = httpx2.get(f"{server.site}/login/", headers=headers)
        assert page.headers["strict-transport-security"] == "max-age=31536000"
        cookie = page.headers["set-cookie"]
        assert cookie.startswith("__Host-csrftoken=")
        for attribute in ("Secure", "HttpOnly", "SameSite=lax", "Path=/"):
            assert attribute in cookie
        form = {"username": OWNER_EMAIL, "password": OWNER_PASSWORD, FIELD: token_in(page.text)}
        sent = {**headers, "Cookie": cookie.partition(";")[0]}
        answer = httpx2.post(f"{server.site}/login/", data=form, headers=sent, timeout=30)
        session = next(each for each in answer.headers.get_list("set-cookie") if "sessionid" in each)
        assert session.startswith("__Host-sessionid=")
        for attribute in ("Secure", "HttpOnly", "SameSite=lax", "Path=/", "Max-Age=1209600"):
            assert attribute in session
        del sent["Referer"]
        assert httpx2.post(f"{server.site}/login/", data=form, headers=sent, timeout=30).status_code == 403


def test_another_host_has_no_pages(server: RunningServer, organization: Organization) -> None:
    answer = httpx2.get(f"{server.site}/login/", headers={"Host": "chat.elsewhere.example"})
    assert answer.status_code == 404
    assert server.site in answer.text
    assert "sign" not in answer.text.partition("<main")[2].partition("</main")[0].lower()


@pytest.mark.parametrize("host", ["a b", "localhost:port", "localhost, elsewhere.example", "user@localhost"])
@pytest.mark.parametrize("path", ["/login/", "/api/v1/nothing", "/api/v1/server_settings"])
def test_an_invalid_host_is_a_bad_request_everywhere(nobody: httpx2.Client, host: str, path: str) -> None:
    answer = nobody.get(path, headers={"Host": host})
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("text/html")
    assert ORGANIZATION not in answer.text


def test_static_files_may_be_cached_for_ever_only_under_their_digest(nobody: httpx2.Client) -> None:
    page = nobody.get("/login/").text
    paths = re.findall(r'(?:href|src)="(/static/[^"]+)"', page)
    assert len(paths) > 5
    for path in paths:
        answer = nobody.get(path)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        check_headers(answer)
    assert nobody.get(re.sub(r"/static/\w+/", "/static/0123456789abcdef/", paths[0])).status_code == 404
    assert nobody.get("/static/../routes.py").status_code == 404


def test_a_picture_shows_initials_to_viewers_who_may_see_the_account(
    owner: httpx2.Client, nobody: httpx2.Client, organization: Organization
) -> None:
    path = f"/avatar/{organization.member.id}?version=1"
    assert ">MD<" in owner.get(path).text
    assert ">?<" in nobody.get(path).text
    assert owner.get(path).headers["content-type"].startswith("image/svg+xml")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"a=" + b"x" * 70_000, 413),
        (b"&".join(b"a=1" for _ in range(1001)), 400),
        (b"full_name=Mia%00", 400),
        (b"full_name=\xff\xfe", 400),
    ],
    ids=["too large", "too many fields", "a null character", "not UTF-8"],
)
def test_a_form_of_another_site_is_refused(owner: httpx2.Client, body: bytes, status: int) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    token = token_in(owner.get("/settings/account/name/").text)
    content = body + f"&{FIELD}={token}".encode()
    answer = owner.post("/settings/account/name/", content=content, headers=headers)
    assert answer.status_code == status
    check_headers(answer)


def test_robots_txt_and_the_icon_exist(nobody: httpx2.Client) -> None:
    assert nobody.get("/robots.txt").text == "User-agent: *\nDisallow: /\n"
    assert nobody.get("/favicon.ico").headers["content-type"].startswith("image/svg+xml")


def test_pages_of_other_sites_can_load_the_icon_from_server_settings(nobody: httpx2.Client) -> None:
    address = nobody.get("/api/v1/server_settings").json()["realm_icon"]
    icon = nobody.get(address)
    assert (icon.status_code, icon.headers["content-type"]) == (200, "image/svg+xml")
    assert icon.headers["cross-origin-resource-policy"] == "cross-origin"


@pytest.mark.parametrize(("size", "kept"), [(1000, True), (200_000, False)], ids=["small", "large"])
def test_the_body_of_a_refused_request_does_not_reach_the_next_one(
    server: RunningServer, size: int, kept: bool
) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    with httpx2.Client(base_url=server.site, timeout=30) as client:
        refused = client.post("/api/v1/messages", content=b"a" * size, headers=form)
        assert refused.status_code == 401
        assert (refused.headers.get("connection") != "close") is kept
        assert client.get("/api/v1/server_settings").status_code == 200
