"""The wheel: its content, and whether it works with only its required packages."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

import keybearer
from keybearer.testing import Server
from tests.package.installing import ROOT, Installation, build_wheel, install, metadata_of, packages_of
from tests.server_process import OWNER_EMAIL, OWNER_PASSWORD, RunningServer, started_server

FOR_SERVER = "pip install 'keybearer[server]'"

SOURCE = ROOT / "src"
BESIDE = {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def client(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return install(wheel, tmp_path_factory.mktemp("client"))


@pytest.fixture(scope="module")
def server(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return install(wheel, tmp_path_factory.mktemp("server"), "server")


def test_the_wheel_contains_only_the_package_and_shared_files(wheel: Path) -> None:
    name = f"keybearer-{keybearer.__version__}"
    package = {str(path.relative_to(SOURCE)) for path in files(SOURCE / "keybearer")}
    shared = {f"{name}.data/data/{path.relative_to(ROOT)}" for path in files(ROOT / "share")}
    beside = {f"{name}.dist-info/{file}" for file in BESIDE}

    with zipfile.ZipFile(wheel) as archive:
        assert set(archive.namelist()) == package | shared | beside
    assert "keybearer/py.typed" in package


def test_the_wheel_states_version_licence_and_extras(wheel: Path) -> None:
    stated = metadata_of(wheel)

    assert stated["Version"] == keybearer.__version__
    assert stated["License-Expression"] == "Apache-2.0"
    assert stated.get_all("Provides-Extra") == ["keyring", "postgresql", "redis", "server"]


def test_without_the_extra_the_packages_of_the_server_are_not_installed(wheel: Path, client: Installation) -> None:
    program = "import importlib.metadata as m, json; print(json.dumps([d.metadata['Name'] for d in m.distributions()]))"
    there = {name.lower().replace("_", "-") for name in json.loads(client.python(program).stdout)}

    assert there == packages_of(wheel) | {"keybearer"}
    assert not there & {"starlette", "sqlalchemy", "granian", "cryptography", "jinja2", "asyncpg"}


def test_the_client_half_works_without_the_packages_of_the_server(
    client: Installation, keybearer_server: Server
) -> None:
    zuliprc = keybearer_server.owner.zuliprc
    program = "import keybearer, sys; print(keybearer.Client(config_file=sys.argv[1]).get_profile().email)"

    assert client.run("--version").stdout == f"keybearer {keybearer.__version__}\n"
    assert keybearer_server.owner.email in client.run("whoami", "--config-file", zuliprc).stdout
    assert client.python(program, zuliprc).stdout.strip() == keybearer_server.owner.email


@pytest.mark.parametrize("command", ["serve", "init", "admin"])
def test_a_command_of_the_server_names_the_extra_that_is_missing(client: Installation, command: str) -> None:
    done = client.run(command, "--help")

    assert (done.returncode, done.stdout) == (1, "")
    assert FOR_SERVER in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["keybearer.server.create_app", "keybearer.testing.running_server"])
def test_a_name_of_the_server_names_the_extra_that_is_missing(client: Installation, name: str) -> None:
    module, _, attribute = name.rpartition(".")
    program = f"import {module}\ntry: {module}.{attribute}\nexcept ImportError as error: print(error)"

    assert FOR_SERVER in client.python(program).stdout


def test_the_manual_and_the_completions_are_installed(client: Installation) -> None:
    for path in files(ROOT / "share"):
        assert (client.directory / path.relative_to(ROOT)).read_bytes() == path.read_bytes()


def test_the_server_works_with_its_extra(server: Installation, tmp_path: Path) -> None:
    initialize(server, tmp_path / "data")
    with started_server(tmp_path / "data", lines=1, keybearer=server.keybearer) as running:
        assert_signs_in(server, running, tmp_path / "zuliprc")


@pytest.mark.parametrize(
    ("name", "value", "extra"),
    [
        ("KEYBEARER_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nowhere", "keybearer[server,postgresql]"),
        ("KEYBEARER_LIMITS_URL", "redis://127.0.0.1:1", "keybearer[server,redis]"),
    ],
)
def test_a_setting_names_the_extra_that_it_needs(
    server: Installation, tmp_path: Path, name: str, value: str, extra: str
) -> None:
    done = server.run("serve", "--data-dir", tmp_path / "data", "--port", "0", **{name: value})

    assert done.returncode == 1
    assert f"pip install '{extra}'" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.soak
def test_the_server_works_on_postgresql_with_both_extras(
    wheel: Path, tmp_path: Path, empty_postgresql_url: str
) -> None:
    both = install(wheel, tmp_path / "both", "server", "postgresql")
    flags = ("--database-url", empty_postgresql_url)
    initialize(both, tmp_path / "data", *flags)
    with started_server(tmp_path / "data", *flags, lines=1, keybearer=both.keybearer) as running:
        assert_signs_in(both, running, tmp_path / "zuliprc")


def files(directory: Path) -> list[Path]:
    """All files below it, except those that Python creates."""
    return [path for path in directory.rglob("*") if path.is_file() and "__pycache__" not in path.parts]


def initialize(installed: Installation, data_dir: Path, *flags: str) -> None:
    """Make the organization and its owner."""
    organization = ("--organization", "Example", "--site", "http://127.0.0.1:9991")
    owner = ("--owner-email", OWNER_EMAIL, "--owner-name", "Olivia Owner", "--owner-password-stdin")
    done = installed.run("init", "--data-dir", data_dir, *flags, *organization, *owner, stdin=OWNER_PASSWORD)
    assert done.returncode == 0, done.stderr


def assert_signs_in(installed: Installation, running: RunningServer, zuliprc: Path) -> None:
    """Get a zuliprc from the server for the owner, and check its account."""
    got = installed.run(
        *("login", running.site, "--email", OWNER_EMAIL, "--config-file", zuliprc, "--password-stdin"),
        stdin=OWNER_PASSWORD,
    )
    assert got.returncode == 0, got.stderr
    asked = installed.run("whoami", "--config-file", zuliprc)
    assert OWNER_EMAIL in asked.stdout
