"""The doctor with `keybearer serve`: each fault of an account is caused on the server itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from keybearer import Client, Credentials
from keybearer.cli.user_display import email_of
from keybearer.store.files import write_zuliprc
from tests.cli.command_line import CommandLine
from tests.cli.commands.doctor.patients import Json
from tests.server_process import RunningServer, running_server


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("doctor") / "data") as server:
        yield server


@pytest.fixture
def zuliprc(keybearer: CommandLine, running: RunningServer) -> Path:
    return running.write_zuliprc(keybearer.home / ".zuliprc")


def findings(keybearer: CommandLine, *options: str) -> dict[str, Json]:
    """The doctor's faults and warnings, by kind."""
    told = json.loads(keybearer("doctor", "--json", *options).out)["findings"]
    return {finding["kind"]: finding for finding in told if finding["severity"] != "good"}


def new_bot(zuliprc: Path, name: str, bot_type: int) -> tuple[int, Path]:
    """One of the owner's bots, and its zuliprc."""
    with Client(config_file=zuliprc) as client:
        bot_id = client.create_bot(name, name, bot_type=bot_type).user_id
        email = email_of(client.get_user_by_id(bot_id))
        key = client.get_bot_api_key(bot_id)
    path = zuliprc.with_name(f"{name}.zuliprc")
    write_zuliprc(path, Credentials(email, key, client.site))
    return bot_id, path


def test_a_valid_zuliprc_has_no_faults(keybearer: CommandLine, zuliprc: Path) -> None:
    done = keybearer("doctor")

    assert findings(keybearer) == {}
    assert done.code == 0
    assert "Olivia Owner <owner@example.com>, owner" in done.out


def test_a_key_that_was_replaced_is_refused(keybearer: CommandLine, zuliprc: Path) -> None:
    with Client(config_file=zuliprc) as client:
        client.request("POST", "users/me/api_key/regenerate")

    assert list(findings(keybearer)) == ["key_refused"]


def test_an_email_that_does_not_match_the_key_is_refused(keybearer: CommandLine, zuliprc: Path) -> None:
    zuliprc.write_text(zuliprc.read_text().replace("owner@", "somebody@"))

    assert list(findings(keybearer)) == ["key_refused"]


def test_a_deactivated_account_is_reported(keybearer: CommandLine, zuliprc: Path) -> None:
    bot_id, path = new_bot(zuliprc, "sleeper", bot_type=1)
    assert findings(keybearer, "-c", str(path)) == {}
    with Client(config_file=zuliprc) as client:
        client.deactivate_bot(bot_id)

    assert list(findings(keybearer, "-c", str(path))) == ["account_deactivated"]


def test_the_key_of_an_incoming_webhook_bot_is_only_for_messages(keybearer: CommandLine, zuliprc: Path) -> None:
    _, path = new_bot(zuliprc, "webhook", bot_type=2)
    found = findings(keybearer, "-c", str(path))

    assert list(found) == ["incoming_webhook_bot"]
    assert found["incoming_webhook_bot"]["severity"] == "warning"


def test_keybearers_server_over_tls_with_client_certificates(
    keybearer: CommandLine, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    ca = trustme.CA()
    bundle, client = tmp_path / "ca.pem", tmp_path / "client.pem"
    ca.cert_pem.write_to_path(str(bundle))
    issued = ca.issue_cert("localhost", "127.0.0.1")
    issued.private_key_pem.write_to_path(str(tmp_path / "server.key"))
    (tmp_path / "server.pem").write_bytes(issued.cert_chain_pems[0].bytes())
    ca.issue_cert("bot@example.com").private_key_and_cert_chain_pem.write_to_path(str(client))
    client.chmod(0o600)
    flags = ("--tls-cert", tmp_path / "server.pem", "--tls-key", tmp_path / "server.key", "--tls-client-ca", bundle)
    with running_server(tmp_path_factory.mktemp("tls") / "data", *flags) as server:
        zuliprc = server.write_zuliprc(keybearer.home / ".zuliprc")
        assert list(findings(keybearer)) == ["unknown_issuer"]
        zuliprc.write_text(f"{zuliprc.read_text()}cert_bundle={bundle}\n")
        assert list(findings(keybearer)) == ["client_certificate_required"]
        zuliprc.write_text(f"{zuliprc.read_text()}client_cert={client}\n")
        assert findings(keybearer) == {}


@pytest.mark.parametrize(("days", "warned"), [(3, ["key_ends_soon"]), (90, [])])
def test_a_named_key_is_reported_with_a_warning_before_its_end(
    keybearer: CommandLine, zuliprc: Path, days: int, warned: list[str]
) -> None:
    with Client(config_file=zuliprc) as client:
        new = client.create_api_key(f"for {days} days", expires_in_days=days)
        write_zuliprc(zuliprc, Credentials(client.email, new.api_key, client.site))

    told = {finding["kind"]: finding for finding in json.loads(keybearer("doctor", "--json").out)["findings"]}
    assert told["named_key"]["message"].startswith(f'The key is the named key "for {days} days" (read, send), ends ')
    assert "key_accepted" in told
    assert list(findings(keybearer)) == warned


def test_a_key_without_the_read_scope_has_no_fault(keybearer: CommandLine, zuliprc: Path) -> None:
    with Client(config_file=zuliprc) as client:
        new = client.create_api_key("announcements", scopes=["send"])
        write_zuliprc(zuliprc, Credentials(client.email, new.api_key, client.site))

    assert findings(keybearer) == {}
