"""Uploaded files: stored, shared by messages, and served as what they are."""

from __future__ import annotations

import io
import re
from urllib.parse import quote

import httpx2
import pytest

from keybearer.server.domain.bots import BotType
from keybearer.testing import Participant
from tests.messaging.conftest import Play
from tests.messaging.wire import (
    call,
    events_of,
    make_channel,
    new_name,
    new_person,
    refusal,
    register,
    remove_subscriber,
    zulip_message,
)


def upload(who: Participant, name: str, content: bytes) -> str:
    file = io.BytesIO(content)
    file.name = name
    url = who.client.upload_file(file).url
    assert url is not None
    return url


def auth(who: Participant) -> tuple[str, str]:
    assert who.client.credentials is not None
    return who.email, who.client.credentials.api_key.reveal()


def get(play: Play, path: str, who: Participant | None = None) -> httpx2.Response:
    return httpx2.get(play.server.site + path, auth=auth(who) if who else None)


def test_a_file_is_returned_unchanged(play: Play) -> None:
    content = bytes(range(256)) * 40
    url = upload(play.hamlet, "skull of yorick.bin", content)
    response = get(play, url, play.hamlet)
    assert (response.status_code, response.content) == (200, content)


def test_a_file_is_shared_by_the_message_that_links_to_it(play: Play) -> None:
    url = upload(play.hamlet, "letter.txt", b"words")
    assert get(play, url, play.cordelia).status_code == 404
    play.hamlet.send(f"[letter]({url})", to=play.cordelia)
    assert get(play, url, play.cordelia).status_code == 200
    assert get(play, url, play.owner).status_code == 404
    play.hamlet.send(f"[letter]({url})", to="general", topic="files")
    assert get(play, url, play.owner).status_code == 200


def test_nobody_can_share_another_accounts_file_by_guessing_its_link(play: Play) -> None:
    url = upload(play.hamlet, "secret.txt", b"words")
    play.cordelia.send(f"[mine?]({url})", to=play.cordelia)
    assert get(play, url, play.cordelia).status_code == 404


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../../etc/skull of yorick.txt", "skull of yorick.txt"),
        (r"C:\Users\hamlet\letter.txt", "letter.txt"),
        ("a/b/", "uploaded-file"),
        ("line\x00break.txt", "line\N{REPLACEMENT CHARACTER}break.txt"),
        ("x" * 2000, "x" * 255),
    ],
    ids=["unix", "windows", "directory", "null", "long"],
)
def test_a_file_is_shown_and_saved_under_its_own_name(play: Play, name: str, shown: str) -> None:
    answer = httpx2.post(
        f"{play.server.site}/api/v1/user_uploads",
        auth=auth(play.hamlet),
        content=b'--x\r\nContent-Disposition: form-data; name="f"; filename="%b"\r\n\r\nwords\r\n--x--\r\n'
        % name.encode(),
        headers={"Content-Type": "multipart/form-data; boundary=x"},
    ).json()
    assert answer["filename"] == shown
    disposition = get(play, answer["url"], play.hamlet).headers["content-disposition"]
    assert disposition.endswith(quote(shown) if quote(shown) != shown else f'"{shown}"')


@pytest.mark.parametrize("name", ["page.html", "picture.svg", "page.xhtml", "script.js"])
def test_files_that_could_be_pages_can_only_be_saved(play: Play, name: str) -> None:
    url = upload(play.hamlet, name, b"<script>alert(document.cookie)</script>")
    headers = get(play, url, play.hamlet).headers
    assert headers["content-disposition"].startswith("attachment")
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"].startswith("sandbox; default-src 'none'")


def test_a_picture_is_shown_and_still_runs_nothing(play: Play) -> None:
    headers = get(play, upload(play.hamlet, "a.png", b"\x89PNG"), play.hamlet).headers
    assert headers["content-type"] == "image/png"
    assert headers["content-disposition"].startswith("inline")
    assert headers["content-security-policy"].startswith("sandbox")


@pytest.mark.parametrize("name", ["../../../etc/passwd", "..\\evil", "/", ".hidden", "a/b", "x" * 300, "ünïcode ☃.txt",
                                  "漢" * 95 + ".txt", "漢" * 200])  # fmt: skip
def test_any_name_is_one_part_of_the_url_and_no_file_is_written(play: Play, name: str) -> None:
    response = httpx2.post(
        f"{play.server.site}/api/v1/user_uploads", auth=auth(play.hamlet), files={"file": (name, b"content")}
    )
    url = response.json()["url"]
    assert ".." not in url
    assert get(play, url, play.hamlet).content == b"content"
    assert not (play.server.directory / "uploads").exists()


@pytest.mark.parametrize(
    "path", ["/user_uploads/1/x/y", "/user_uploads/../secrets.json", "/user_uploads/%2e%2e/%2e%2e/secrets.json",
             "/user_uploads/", "/user_uploads/temporary/", "/user_uploads/temporary/AAAA/x", "/user_uploads/1/x/%00"]
)  # fmt: skip
def test_a_missing_file_is_not_found(play: Play, path: str) -> None:
    assert get(play, path, play.hamlet).status_code == 404


def test_unknown_callers_get_no_file(play: Play) -> None:
    url = upload(play.hamlet, "private.txt", b"words")
    assert get(play, url).status_code == 401
    response = httpx2.get(play.server.site + url, auth=(play.hamlet.email, "k" * 32))
    assert (response.status_code, response.headers["www-authenticate"]) == (401, 'Basic realm="zulip"')
    response = httpx2.get(play.server.site + url, headers={"accept": "text/html"})
    assert (response.status_code, response.headers["location"]) == (302, f"/login/?next={url}")


def test_an_incoming_webhook_bot_gets_no_file(play: Play) -> None:
    url = upload(play.hamlet, "public.txt", b"words")
    play.hamlet.send(f"[file]({url})", to="general", topic="files")
    hook = play.server.add_bot("Hook", owner=play.hamlet, bot_type=BotType.INCOMING_WEBHOOK)
    response = get(play, url, hook)
    assert (response.status_code, response.text) == (401, "This API is not available to incoming webhook bots.\n")


def test_a_wrong_scheme_or_host_is_refused(play: Play) -> None:
    url = play.server.site + upload(play.hamlet, "private.txt", b"words")
    assert httpx2.get(url, headers={"Authorization": "Bearer x"}).status_code == 400
    assert httpx2.get(url, auth=auth(play.hamlet), headers={"Host": "chat.example.org"}).status_code == 401


def test_a_temporary_link_needs_no_key_and_cannot_be_changed(play: Play) -> None:
    url = upload(play.hamlet, "linked.txt", b"words")
    link = call(play.hamlet, "GET", url.lstrip("/"))["url"]
    assert get(play, link).content == b"words"
    prefix, token, name = link.rpartition("/temporary/")[0] + "/temporary/", link.split("/")[3], link.split("/")[4]
    changed = ("B" if token[0] == "A" else "A") + token[1:]
    assert get(play, f"{prefix}{changed}/{name}").status_code == 404


def test_there_is_no_link_to_a_missing_file(play: Play) -> None:
    """As for the file itself Zulip's status is 404."""
    gone, hidden = "/user_uploads/1/aa/nothing/gone.txt", upload(play.owner, "hidden.txt", b"hidden")
    for url in (gone, hidden):
        assert get(play, url, play.hamlet).status_code == 404
        error = refusal(play.hamlet, "GET", url.lstrip("/"))
        assert (error.status, zulip_message(error)) == (404, "Invalid file")


def test_a_temporary_link_is_valid_only_while_its_creator_may_see_the_file(play: Play) -> None:
    secret, who = new_name(), new_person(play.server)
    make_channel(play.owner, secret, who, is_private=True)
    url = upload(play.owner, "planted.txt", b"planted")
    play.owner.send(f"[file]({url})", to=secret)
    link = call(who, "GET", url.lstrip("/"))["url"]
    assert get(play, link).content == b"planted"
    remove_subscriber(play.owner, who, secret)
    assert get(play, link).status_code == 404
    of_owner = call(play.owner, "GET", url.lstrip("/"))["url"]
    assert get(play, of_owner).content == b"planted"


def test_files_are_in_folders_of_two_characters_as_in_zulip(play: Play) -> None:
    assert re.fullmatch(r"/user_uploads/\d+/[0-9a-f]{2}/[\w-]+/x\.txt", upload(play.hamlet, "x.txt", b"words"))


LARGE = bytes(range(256)) * 3000


def large_file(play: Play) -> str:
    return upload(play.hamlet, "large.bin", LARGE)


@pytest.mark.parametrize(
    ("asked", "status", "part"),
    [
        ("bytes=0-99", 206, (0, 100)),
        ("bytes=262143-262144", 206, (262_143, 262_145)),
        ("bytes=300000-", 206, (300_000, 768_000)),
        ("bytes=-10", 206, (767_990, 768_000)),
        ("bytes=100-999999999", 206, (100, 768_000)),
        ("bytes=768000-", 416, (0, 0)),
        ("bytes=5-4", 200, (0, 768_000)),
        ("bytes=0-1,5-9", 200, (0, 768_000)),
        ("lines=1-2", 200, (0, 768_000)),
    ],
)
def test_a_requested_part_of_a_file_is_served(play: Play, asked: str, status: int, part: tuple[int, int]) -> None:
    start, end = part
    response = httpx2.get(play.server.site + large_file(play), auth=auth(play.hamlet), headers={"Range": asked})
    assert (response.status_code, response.content) == (status, LARGE[start:end])
    content_range = {206: f"bytes {start}-{end - 1}/768000", 416: "bytes */768000"}.get(status)
    assert response.headers.get("content-range") == content_range


def test_head_is_answered_like_get_without_the_content(play: Play) -> None:
    url = large_file(play)
    head = httpx2.head(play.server.site + url, auth=auth(play.hamlet))
    whole = get(play, url, play.hamlet)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-length", "content-type", "content-disposition", "accept-ranges"):
        assert head.headers[name] == whole.headers[name]


def test_a_file_that_is_too_large_is_refused(play: Play) -> None:
    response = httpx2.post(
        f"{play.server.site}/api/v1/user_uploads",
        auth=auth(play.hamlet),
        files={"file": ("large", b"x" * (25 * 1024 * 1024 + 1))},
    )
    assert response.json()["msg"] == "Uploaded file is larger than the allowed limit of 25 MiB"


def test_exactly_one_file_must_be_sent(play: Play) -> None:
    address, who = f"{play.server.site}/api/v1/user_uploads", auth(play.hamlet)
    assert httpx2.post(address, auth=who).json()["msg"] == "You must specify a file to upload"
    two = httpx2.post(address, auth=who, files={"a": ("a", b"x"), "b": ("b", b"y")})
    assert two.json()["msg"] == "You may only upload one file at a time"


def test_attachments_are_listed_with_their_messages_and_the_total_size(play: Play) -> None:
    who = new_person(play.server)
    queue_id = register(who, event_types=["attachment"])
    url = upload(who, "list.txt", b"12345")
    sent = who.send(f"[list]({url})", to=play.cordelia)
    call(who, "PATCH", f"messages/{sent}", content=f"again [list]({url})")
    answer = call(who, "GET", "attachments")
    (row,) = answer["attachments"]
    (link,) = row["messages"]
    assert (row["name"], row["path_id"], row["size"]) == ("list.txt", url.removeprefix("/user_uploads/"), 5)
    # Zulip counts milliseconds here.
    assert (link["id"], len(str(link["date_sent"])), len(str(row["create_time"]))) == (sent, 13, 13)
    assert answer["upload_space_used"] >= 5
    told = events_of(who, queue_id)
    assert [(each["op"], [m["id"] for m in each["attachment"]["messages"]]) for each in told] == [
        ("add", []),
        ("update", [sent]),
        ("update", [sent]),
    ]
    assert told[-1]["attachment"] == row
    assert call(play.cordelia, "GET", "attachments")["attachments"] == []


def test_a_deleted_attachment_is_gone_with_its_bytes_and_only_its_owner_deletes_it(play: Play) -> None:
    who = new_person(play.server)
    url = upload(who, "gone.txt", b"words")
    who.send(f"[gone]({url})", to=play.cordelia)
    (row,) = call(who, "GET", "attachments")["attachments"]
    path = f"attachments/{row['id']}"
    assert zulip_message(refusal(play.owner, "DELETE", path)) == "Invalid attachment"
    assert get(play, url, play.cordelia).status_code == 200
    queue_id = register(who, event_types=["attachment"])
    used = call(who, "GET", "attachments")["upload_space_used"]
    call(who, "DELETE", path)
    (event,) = events_of(who, queue_id)
    assert (event["op"], event["attachment"]) == ("remove", {"id": row["id"]})
    assert event["upload_space_used"] == used - 5
    assert get(play, url, play.cordelia).status_code == 404
    assert zulip_message(refusal(who, "DELETE", path)) == "Invalid attachment"
