"""The server as processes: starting, refusing to start, failing workers, TLS, stopping."""

from __future__ import annotations

import signal
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
import trustme

from keybearer.server.storage.secret_ring import SecretRing
from tests.server_process import (
    OWNER_EMAIL,
    RunningServer,
    run_keybearer,
    running_server,
    started_server,
)

SETTINGS = "/api/v1/server_settings"


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def certificate(authority: trustme.CA, tmp_path: Path) -> list[str]:
    """The flags that make the server speak TLS."""
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(tmp_path / "server.key")
    for number, blob in enumerate(issued.cert_chain_pems):
        blob.write_to_path(tmp_path / "server.pem", append=number > 0)
    return ["--tls-cert", str(tmp_path / "server.pem"), "--tls-key", str(tmp_path / "server.key")]


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def answer(server: RunningServer, path: str = "/api/v1/users/me") -> httpx2.Response:
    return httpx2.get(server.site + path, auth=(OWNER_EMAIL, server.api_key_of()))


def eventually(condition: object, seconds: float = 20.0) -> bool:
    """Whether the condition becomes true within that time."""
    assert callable(condition)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.05)
    return False


def is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_the_first_start_prints_a_link_by_itself_and_the_next_where_to_sign_in(data_dir: Path) -> None:
    with started_server(data_dir) as server:
        assert server.setup_link is not None
        assert server.setup_link in server.lines
        assert httpx2.get(server.setup_link).status_code == 200
        server.set_up()
        site, key = server.site, server.api_key_of()
    with started_server(data_dir) as server:
        assert server.setup_link is None
        assert server.lines[1] == f"Sign in at {site}/login/"
        assert server.api_key_of() == key
        assert answer(server).json()["email"] == OWNER_EMAIL


def test_a_start_before_the_set_up_prints_a_new_link_and_ends_the_old_one(data_dir: Path) -> None:
    links: list[str] = []
    good: list[bool] = []
    for _ in range(2):
        with started_server(data_dir) as server:
            assert server.setup_link is not None
            links.append(server.setup_link.removeprefix(server.site))
            good = [httpx2.get(server.site + link).status_code == 200 for link in links]
    assert good == [False, True]


def test_only_the_owner_can_read_the_data_directory_and_its_content(data_dir: Path) -> None:
    with started_server(data_dir):
        modes = {path.name: path.stat().st_mode & 0o777 for path in [data_dir, *data_dir.iterdir()]}
    assert modes.pop("data") == 0o700
    assert {"keybearer.db", "secrets.json"} <= modes.keys()
    assert set(modes.values()) == {0o600}


def test_a_port_used_by_another_program_is_reported_in_one_line(data_dir: Path, taken_port: int) -> None:
    done = run_keybearer("serve", "--data-dir", data_dir, "--port", str(taken_port))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert f"port {taken_port} of 127.0.0.1 is used by another program" in done.stderr
    assert "--port" in done.stderr
    assert not data_dir.exists()


@pytest.mark.soak
def test_a_port_used_by_another_keybearer_is_refused(data_dir: Path, tmp_path: Path) -> None:
    with started_server(data_dir) as server:
        done = run_keybearer("serve", "--data-dir", tmp_path / "other", "--port", str(server.port))
    assert done.returncode == 1
    assert "is used by another program" in done.stderr


def test_a_data_directory_in_use_is_refused_naming_the_process_that_uses_it(data_dir: Path) -> None:
    with started_server(data_dir) as server:
        done = run_keybearer("serve", "--data-dir", data_dir, "--port", "0")
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1
        assert f"process {server.process.pid}, {server.site}" in done.stderr
        assert str(data_dir) in done.stderr


def test_a_data_directory_that_is_a_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    done = run_keybearer("serve", "--data-dir", tmp_path / "data", "--port", "0")
    assert done.returncode == 1
    assert "is not a directory" in done.stderr


def test_a_data_directory_below_a_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run_keybearer("serve", "--data-dir", tmp_path / "file" / "data", "--port", "0")
    assert done.returncode == 1
    assert "cannot be written" in done.stderr


def test_a_data_directory_that_is_not_writable_is_reported(tmp_path: Path) -> None:
    read_only = Path("/proc/self")  # not even root can create anything in there
    done = run_keybearer("serve", "--data-dir", read_only, "--port", "0")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "cannot be written" in done.stderr
    assert "--data-dir" in done.stderr


def test_a_bad_variable_is_reported_by_its_name(data_dir: Path) -> None:
    done = run_keybearer("serve", "--data-dir", data_dir, environ={"KEYBEARER_WORKERS": "many"})
    assert done.returncode == 1
    assert "KEYBEARER_WORKERS: 'many' is not a number" in done.stderr
    assert not data_dir.exists()


def test_a_host_of_another_machine_is_reported(data_dir: Path) -> None:
    done = run_keybearer("serve", "--data-dir", data_dir, "--host", "192.0.2.1", "--port", "0")
    assert done.returncode == 1
    assert "cannot listen on 192.0.2.1" in done.stderr
    assert not data_dir.exists()


def test_a_database_with_missing_secrets_is_not_given_new_ones(data_dir: Path) -> None:
    with running_server(data_dir):
        pass
    (data_dir / "secrets.json").unlink()
    done = run_keybearer("serve", "--data-dir", data_dir, "--port", "0")
    assert done.returncode == 1
    assert "does not exist" in done.stderr
    assert not (data_dir / "secrets.json").exists()


def test_a_database_with_the_secrets_of_another_is_refused(data_dir: Path) -> None:
    with running_server(data_dir):
        pass
    (data_dir / "secrets.json").unlink()
    SecretRing.create(data_dir / "secrets.json")
    done = run_keybearer("serve", "--data-dir", data_dir, "--port", "0")
    assert done.returncode == 1
    assert "lacks" in done.stderr
    assert "Put the right secrets file back" in done.stderr


def test_secrets_that_others_can_read_are_refused(data_dir: Path) -> None:
    with started_server(data_dir):
        pass
    (data_dir / "secrets.json").chmod(0o644)
    done = run_keybearer("serve", "--data-dir", data_dir, "--port", "0")
    assert done.returncode == 1
    assert "chmod 600" in done.stderr


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_is_asked_to_stop_ends_with_all_its_processes(
    data_dir: Path, signal_number: signal.Signals
) -> None:
    with running_server(data_dir, "--workers", "2") as server:
        workers = server.workers()
        server.process.send_signal(signal_number)
        assert server.process.wait(20) == 0
        assert not any(is_alive(pid) for pid in workers)
        socket.create_server(("127.0.0.1", server.port)).close()


def test_workers_do_not_outlive_a_server_that_is_killed(data_dir: Path) -> None:
    with running_server(data_dir, "--workers", "2") as server:
        workers = server.workers()
        server.process.kill()
        server.process.wait()
        assert eventually(lambda: not any(is_alive(pid) for pid in workers))
    with started_server(data_dir) as server:
        assert answer(server).status_code == 200


@pytest.mark.soak
def test_secrets_are_rotated_and_backups_made_while_every_worker_serves(data_dir: Path, tmp_path: Path) -> None:
    with running_server(data_dir, "--workers", "2") as server:
        key = server.api_key_of()
        for command in (["rotate-secrets"], ["backup", str(tmp_path / "b")], ["rotate-secrets"]):
            assert run_keybearer("admin", *command, "--data-dir", data_dir).returncode == 0
            for _ in range(8):  # each on a separate connection: the workers take turns
                found = httpx2.get(f"{server.site}/api/v1/users/me", auth=(OWNER_EMAIL, key))
                assert found.status_code == 200
        done = run_keybearer("admin", "restore", tmp_path / "b", "--force", "--data-dir", data_dir)
        assert done.returncode == 1
        assert f"in use by another Keybearer (process {server.process.pid}" in done.stderr
    assert run_keybearer("admin", "restore", tmp_path / "b", "--force", "--data-dir", data_dir).returncode == 0


def test_no_key_reaches_the_log(data_dir: Path) -> None:
    with running_server(data_dir) as server:
        key = server.api_key_of()
        answer(server)
        httpx2.get(f"{server.site}{SETTINGS}?api_key={key}")
        httpx2.get(f"{server.site}/api/v1/users/me", auth=(OWNER_EMAIL, key[:-1]))
    assert key[:-1] not in server.log.read_text() + "".join(server.lines)


def test_the_server_speaks_tls_with_its_certificate(
    data_dir: Path, authority: trustme.CA, certificate: list[str]
) -> None:
    with running_server(data_dir, *certificate) as server:
        assert server.site.startswith("https://127.0.0.1:")
        found = httpx2.get(server.site + SETTINGS, verify=trusting(authority))
        assert found.json()["realm_url"] == server.site
        with pytest.raises(httpx2.TransportError):
            httpx2.get(server.site + SETTINGS)


def test_if_client_certificates_are_required_no_client_connects_without_one(
    data_dir: Path, authority: trustme.CA, certificate: list[str], tmp_path: Path
) -> None:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with running_server(data_dir, *certificate, "--tls-client-ca", tmp_path / "ca.pem") as server:
        with_certificate = trusting(authority)
        authority.issue_cert("client.example.com").configure_cert(with_certificate)
        assert httpx2.get(server.site + SETTINGS, verify=with_certificate).status_code == 200
        stranger = trusting(authority)
        trustme.CA().issue_cert("client.example.com").configure_cert(stranger)
        for context in (trusting(authority), stranger):
            with pytest.raises(httpx2.TransportError):
                httpx2.get(server.site + SETTINGS, verify=context)


@pytest.mark.parametrize("flags", [["--tls-cert", "x"], ["--tls-key", "x"], ["--tls-client-ca", "x"], ["--port", "x"]])
def test_flags_that_do_not_go_together_are_wrong_usage(data_dir: Path, flags: list[str]) -> None:
    done = run_keybearer("serve", "--data-dir", data_dir, *flags)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


def test_a_certificate_with_the_key_of_another_is_reported(
    data_dir: Path, certificate: list[str], tmp_path: Path
) -> None:
    trustme.CA().issue_cert("127.0.0.1").private_key_pem.write_to_path(tmp_path / "server.key")
    done = run_keybearer("serve", "--data-dir", data_dir, "--port", "0", *certificate)
    assert done.returncode == 1
    assert "are not a certificate and its key" in done.stderr
    assert not data_dir.exists()


def test_a_missing_certificate_is_reported(data_dir: Path, certificate: list[str], tmp_path: Path) -> None:
    (tmp_path / "server.pem").unlink()
    done = run_keybearer("serve", "--data-dir", data_dir, "--port", "0", *certificate)
    assert done.returncode == 1
    assert "server.pem cannot be read" in done.stderr
    assert not data_dir.exists()


def test_development_mode_needs_the_flag_and_prints_a_warning(data_dir: Path) -> None:
    with running_server(data_dir, environ={"KEYBEARER_DEVELOPMENT": "1"}) as server:
        assert httpx2.get(f"{server.site}/api/v1/dev_list_users").status_code != 200
    assert "development" not in server.log.read_text()
    with started_server(data_dir, "--development") as server:
        assert httpx2.get(f"{server.site}/api/v1/dev_list_users").status_code == 200
    assert "development mode" in server.log.read_text()


def test_a_server_open_to_the_network_without_tls_prints_a_warning(data_dir: Path) -> None:
    with started_server(data_dir, "--host", "0.0.0.0") as server:  # noqa: S104  for a moment
        assert server.site.startswith("http://127.0.0.1:")
        assert httpx2.get(server.site + SETTINGS).status_code in {200, 400}
    assert "without TLS" in server.log.read_text()


def test_a_password_in_the_database_flag_prints_a_warning_without_repeating_it(data_dir: Path) -> None:
    url = "postgresql://user:hunter2@127.0.0.1:1/keybearer"
    done = run_keybearer("serve", "--data-dir", data_dir, "--port", "0", "--database-url", url)
    assert done.returncode == 1
    assert "KEYBEARER_DATABASE_URL" in done.stderr
    assert "cannot be reached" in done.stderr
    assert "hunter2" not in done.stderr


def test_a_server_on_postgresql_does_the_same(data_dir: Path, empty_postgresql_url: str) -> None:
    with running_server(data_dir, environ={"KEYBEARER_DATABASE_URL": empty_postgresql_url}) as server:
        assert answer(server).json()["email"] == OWNER_EMAIL
    assert not (data_dir / "keybearer.db").exists()
