"""The main job on a real server process: a key works in every client, and is refused in every client once replaced."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import zulip

import keybearer
from keybearer.errors import InvalidAPIKey
from tests.server_process import OWNER_EMAIL, OWNER_NAME, RunningServer, clean_environ, run_keybearer, running_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("main-job") / "data") as started:
        yield started


@pytest.fixture
def zuliprc(server: RunningServer, tmp_path: Path) -> Path:
    return server.write_zuliprc(tmp_path / "zuliprc")


async def test_the_file_works_in_both_of_our_clients(zuliprc: Path) -> None:
    with keybearer.Client(config_file=zuliprc) as client:
        name = client.get_profile().full_name
    async with keybearer.AsyncClient(config_file=zuliprc) as client:
        assert (await client.get_profile()).full_name == name == OWNER_NAME


def test_the_file_works_in_the_official_client(zuliprc: Path) -> None:
    profile = zulip.Client(config_file=str(zuliprc)).get_profile()

    assert profile["result"] == "success"
    assert profile["email"] == OWNER_EMAIL


def test_the_command_line_says_whose_file_it_is(zuliprc: Path) -> None:
    told = run_keybearer("whoami", "--config-file", zuliprc, "--json")

    assert told.returncode == 0, told.stderr
    assert OWNER_EMAIL in json.dumps(json.loads(told.stdout))


def test_the_variables_do_instead_of_the_file(server: RunningServer, tmp_path: Path) -> None:
    environ = {
        "HOME": str(tmp_path),
        "ZULIP_EMAIL": OWNER_EMAIL,
        "ZULIP_API_KEY": server.api_key_of(),
        "ZULIP_SITE": server.site,
        "ZULIP_ALLOW_INSECURE": "false",
    }
    program = "import keybearer; print(keybearer.Client().get_profile().email)"
    told = subprocess.run(
        [sys.executable, "-c", program], env=clean_environ(environ), capture_output=True, text=True, check=True
    )

    assert told.stdout.strip() == OWNER_EMAIL


def test_the_issued_file_is_byte_for_byte_that_of_zulips_web_app(server: RunningServer, tmp_path: Path) -> None:
    key = server.api_key_of()
    written = tmp_path / "zuliprc"
    keybearer.write_zuliprc(written, keybearer.Credentials(OWNER_EMAIL, keybearer.Secret(key), server.site))

    assert written.read_bytes() == f"[api]\nemail={OWNER_EMAIL}\nkey={key}\nsite={server.site}\n".encode()


async def test_a_replaced_key_is_refused_at_the_next_request_of_every_client(
    server: RunningServer, zuliprc: Path, tmp_path: Path
) -> None:
    ours = keybearer.Client(config_file=zuliprc)
    official = zulip.Client(config_file=str(zuliprc))
    assert ours.get_profile().full_name == OWNER_NAME

    replaced = ours.request("POST", "users/me/api_key/regenerate")

    with pytest.raises(InvalidAPIKey):
        ours.get_profile()
    async with keybearer.AsyncClient(config_file=zuliprc) as client:
        with pytest.raises(InvalidAPIKey):
            await client.get_profile()
    assert official.get_profile()["msg"] == "Invalid API key"
    refused = run_keybearer("whoami", "--config-file", zuliprc)
    assert refused.returncode == 1
    assert "Invalid API key" in refused.stderr
    fresh = server.write_zuliprc(tmp_path / "fresh")
    assert str(replaced["api_key"]) in fresh.read_text()
    assert zulip.Client(config_file=str(fresh)).get_profile()["result"] == "success"
    ours.close()


def test_the_demonstration_runs_to_its_end() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "demo"],
        cwd=Path(__file__).parents[2],
        env=clean_environ({"NO_COLOR": "1", "PATH": os.environ["PATH"]}),
        capture_output=True,
        text=True,
        check=False,
    )

    assert told.returncode == 0, told.stdout + told.stderr
    assert "call, official client refused: Invalid API key" in told.stdout
    assert told.stdout.rstrip().endswith("nothing of it is left")
