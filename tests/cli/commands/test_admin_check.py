"""`keybearer admin check`: each problem of a server is found before it is started."""

from __future__ import annotations

import datetime
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import trustme
from click.testing import CliRunner, Result

from keybearer.cli.commands.admin.command import admin
from keybearer.server.storage.instants import to_microseconds
from tests.cli.commands.test_admin import run_admin, run_init
from tests.client.authority import Authority

Change = Callable[[Path], dict[str, str]]
"""Causes a problem in a data directory, and returns the variables for the check."""


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    path = tmp_path / "data"
    assert run_init(path, site="http://localhost:9991").exit_code == 0
    return path


def run_check(data_dir: Path, *options: str, environ: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(
        admin, ["--data-dir", str(data_dir), "check", *options], env=environ, standalone_mode=False
    )


def findings(result: Result) -> dict[str, tuple[str, str]]:
    """The severity and the message of each finding, by its subject."""
    return {one["about"]: (one["severity"], one["message"]) for one in json.loads(result.stdout)}


@pytest.mark.parametrize("on", ["sqlite", "postgresql"])
def test_a_working_server_has_no_faults(request: pytest.FixtureRequest, tmp_path: Path, on: str) -> None:
    url = () if on == "sqlite" else ("--database-url", request.getfixturevalue("empty_postgresql_url"))
    made = run_init(tmp_path / "data", site="http://localhost:9991", **({"database_url": url[1]} if url else {}))
    assert made.exit_code == 0
    result = run_check(tmp_path / "data", "--json", *url)
    assert result.return_value == 0
    assert {about: severity for about, (severity, _) in findings(result).items()} == {
        "data directory": "good",
        "disk": "good",
        "database": "good",
        "secrets": "good",
        "clock": "good",
        "site": "good",
        "limits": "good",
        "certificate": "good",
        "mail server": "warning",
    }
    assert "The server can start." in run_check(tmp_path / "data", *url).stderr


def test_a_directory_that_does_not_exist_yet_has_no_faults(tmp_path: Path) -> None:
    assert run_check(tmp_path / "new").return_value == 0
    assert list(tmp_path.iterdir()) == []


def open_directory(data_dir: Path) -> dict[str, str]:
    data_dir.chmod(0o755)
    return {}


def open_secrets(data_dir: Path) -> dict[str, str]:
    (data_dir / "secrets.json").chmod(0o644)
    return {}


def lose_secrets(data_dir: Path) -> dict[str, str]:
    (data_dir / "secrets.json").unlink()
    return {}


def other_secrets(data_dir: Path) -> dict[str, str]:
    run_init(data_dir.with_name("other"))
    return {"KEYBEARER_SECRETS": str(data_dir.with_name("other") / "secrets.json")}


def no_database(_data_dir: Path) -> dict[str, str]:
    return {"KEYBEARER_DATABASE_URL": "postgresql://kb:hunter2@127.0.0.1:1/kb"}


def execute(data_dir: Path, statement: str, *values: object) -> dict[str, str]:
    with closing(sqlite3.connect(data_dir / "keybearer.db")) as connection, connection:
        connection.execute(statement, values)
    return {}


def newer_schema(data_dir: Path) -> dict[str, str]:
    execute(data_dir, "UPDATE oldest_program SET revision = '9999'")
    return execute(data_dir, "UPDATE alembic_version SET version_num = '9999'")


def usable_newer_schema(data_dir: Path) -> dict[str, str]:
    return execute(data_dir, "UPDATE alembic_version SET version_num = '9999'")


def clock_behind(data_dir: Path) -> dict[str, str]:
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
    return execute(data_dir, "UPDATE audit SET at = ?", to_microseconds(later))


def site_behind_a_proxy(data_dir: Path) -> dict[str, str]:
    run_admin(data_dir, "set-site", "https://chat.example.com")
    return {}


def nobody_to_send(_data_dir: Path) -> dict[str, str]:
    return {"KEYBEARER_SMTP_URL": "smtp+starttls://post:hunter2@127.0.0.1:1"}


def certificate_of_another_key(data_dir: Path) -> dict[str, str]:
    authority = Authority(data_dir)
    one, other = authority.ca.issue_cert("localhost"), authority.ca.issue_cert("localhost")
    return {
        "KEYBEARER_TLS_CERT": authority.write("cert.pem", one.cert_chain_pems[0].bytes()),
        "KEYBEARER_TLS_KEY": authority.write("key.pem", other.private_key_pem.bytes()),
    }


def certificate_until(data_dir: Path, days: int) -> dict[str, str]:
    end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
    run_admin(data_dir, "set-site", "https://localhost:9991")
    issued = trustme.CA().issue_cert("localhost", not_before=end - datetime.timedelta(days=30), not_after=end)
    authority = Authority(data_dir)
    return {
        "KEYBEARER_TLS_CERT": authority.write("cert.pem", issued.cert_chain_pems[0].bytes()),
        "KEYBEARER_TLS_KEY": authority.write("key.pem", issued.private_key_pem.bytes()),
    }


@pytest.mark.parametrize(
    ("make_wrong", "about", "severity", "message"),
    [
        (open_directory, "data directory", "warning", "others can read"),
        (open_secrets, "secrets", "fault", "can be read or written by others"),
        (lose_secrets, "secrets", "fault", "does not exist"),
        (other_secrets, "secrets", "fault", "not the one that this database was written with"),
        (no_database, "database", "fault", "cannot be reached"),
        (newer_schema, "database", "fault", "of a newer Keybearer"),
        (usable_newer_schema, "database", "warning", "and this one may use it"),
        (clock_behind, "clock", "fault", "ahead of it"),
        (site_behind_a_proxy, "site", "fault", "nobody can sign in"),
        (nobody_to_send, "mail server", "fault", "cannot be used (ConnectionRefusedError"),
        (certificate_of_another_key, "certificate", "fault", "are not a certificate and its key"),
        (lambda path: certificate_until(path, -1), "certificate", "fault", "expired at"),
        (lambda path: certificate_until(path, 7), "certificate", "warning", "is valid until"),
    ],
)
def test_each_problem_is_found(data_dir: Path, make_wrong: Change, about: str, severity: str, message: str) -> None:
    result = run_check(data_dir, "--json", environ=make_wrong(data_dir))
    assert result.return_value == (1 if severity == "fault" else 0)
    found = findings(result)
    assert (found[about][0], message in found[about][1]) == (severity, True), found[about]
    assert "hunter2" not in result.output


def test_a_site_behind_a_trusted_proxy_has_no_faults(data_dir: Path) -> None:
    site_behind_a_proxy(data_dir)
    result = run_check(data_dir, "--json", environ={"KEYBEARER_TRUSTED_PROXIES": "10.0.0.1"})
    assert findings(result)["site"][0] == "good"
