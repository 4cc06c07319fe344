"""Shows the life of an API key, line by line, with a real server process and real clients."""

from __future__ import annotations

import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import zulip
from rich.console import Console

import keybearer
from keybearer.errors import InvalidAPIKey

KEYBEARER = str(Path(sys.executable).with_name("keybearer"))
OWNER_EMAIL = "ada@example.com"
PASSWORD = "a long and unlikely pass phrase"  # noqa: S105  of an account that lives for seconds
STARTS_WITHIN = 30.0

console = Console(highlight=False, soft_wrap=True)


def tell(step: str, what: str) -> None:
    """Print one step."""
    console.print(f"[bold]{step:<22}[/bold]{what}")


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def server(data_dir: Path, port: int) -> Iterator[None]:
    """A running server; its output is shown if it does not start."""
    log = (data_dir.parent / "server.log").open("w+")
    process = subprocess.Popen(
        [KEYBEARER, "serve", "--data-dir", str(data_dir), "--port", str(port)], stdout=log, stderr=subprocess.STDOUT
    )
    try:
        deadline = time.monotonic() + STARTS_WITHIN
        while not is_listening(port):
            if process.poll() is not None or time.monotonic() > deadline:
                log.seek(0)
                sys.exit(f"the server did not start:\n{log.read()}")
            time.sleep(0.05)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)
        log.close()


def is_listening(port: int) -> bool:
    """Whether a program accepts connections on the port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def sign_in(site: str) -> httpx2.Client:
    """A client with the cookies of a browser that has signed in with the form and its token."""
    browser = httpx2.Client(base_url=site, headers={"Origin": site})
    browser.get("/login/").raise_for_status()
    answer = browser.post(
        "/login/",
        data={"username": OWNER_EMAIL, "password": PASSWORD, "csrfmiddlewaretoken": browser.cookies["csrftoken"]},
    )
    if answer.status_code != 302:
        sys.exit(f"the sign-in was refused with status {answer.status_code}")
    browser.headers["X-CSRFToken"] = browser.cookies["csrftoken"]
    return browser


def result(answer: httpx2.Response) -> dict[str, object]:
    """The fields of a successful answer."""
    answer.raise_for_status()
    fields: dict[str, object] = answer.json()
    return fields


def tell_the_story(directory: Path) -> None:
    """Run every step of the main job."""
    port = free_port()
    site = f"http://localhost:{port}"
    data_dir = directory / "data"
    owner = ["--owner-email", OWNER_EMAIL, "--owner-name", "Ada Lovelace", "--owner-password-stdin"]
    made = subprocess.run(
        [KEYBEARER, "init", "--data-dir", str(data_dir), "--organization", "Demo", "--site", site, *owner],
        input=PASSWORD,
        text=True,
        check=False,
        capture_output=True,
    )
    if made.returncode != 0:
        sys.exit(made.stderr)
    tell("set up", "organization Demo, owner Ada Lovelace")
    with server(data_dir, port):
        tell("start", site)
        browser = sign_in(site)
        tell("sign in", OWNER_EMAIL)
        short_name = f"echo-{secrets.token_hex(2)}"
        bot = result(browser.post("/json/bots", data={"full_name": "Echo", "short_name": short_name}))
        bot_id, email = bot["user_id"], f"{short_name}-bot@keybearer.localhost"
        tell("add a bot", email)
        path = directory / "zuliprc"
        old_key = str(result(browser.get(f"/json/bots/{bot_id}/api_key"))["api_key"])
        keybearer.write_zuliprc(path, keybearer.Credentials(email, keybearer.Secret(old_key), site))
        tell("write its zuliprc", f"{path}, mode {path.stat().st_mode & 0o777:04o}")
        call_through_both(path)
        new_key = str(result(browser.post(f"/json/bots/{bot_id}/api_key/regenerate"))["api_key"])
        tell("generate a new key", "the old one is invalid from now on")
        see_it_refused(path)
        keybearer.write_zuliprc(path, keybearer.Credentials(email, keybearer.Secret(new_key), site))
        tell("write the new zuliprc", str(path))
        call_through_both(path)


def call_through_both(path: Path) -> None:
    """Call the API with the file, with our client and the official one."""
    with keybearer.Client(config_file=path) as client:
        tell("call, our client", f"this file is {client.get_profile().full_name}")
    profile = zulip.Client(config_file=str(path)).get_profile()
    if profile["result"] != "success":
        sys.exit(f"the official client was refused: {profile['msg']}")
    tell("call, official client", f"this file is {profile['full_name']}")


def see_it_refused(path: Path) -> None:
    """Call the API with a file whose key was replaced."""
    try:
        with keybearer.Client(config_file=path) as client:
            client.get_profile()
    except InvalidAPIKey as error:
        tell("call, our client", f"refused: {error.message}")
    else:
        sys.exit("the old key was accepted")
    profile = zulip.Client(config_file=str(path)).get_profile()
    if profile["result"] != "error":
        sys.exit("the old key was accepted")
    tell("call, official client", f"refused: {profile['msg']}")


def main() -> None:
    """Run the demo in a temporary directory."""
    with tempfile.TemporaryDirectory(prefix="keybearer-demo-") as directory:
        tell_the_story(Path(directory))
    tell("done", "nothing of it is left")


main()
