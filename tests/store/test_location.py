"""The active file, and the errors if it does not exist."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from keybearer.errors import ResolutionError
from keybearer.secret import Secret
from keybearer.store.home import configuration_directory, expand, home_directory
from keybearer.store.loading import LARGEST
from keybearer.store.location import locate
from keybearer.store.resolution import resolve

NAMES = ("argument", "profile", "variable", "variable-profile", "default")


@pytest.fixture
def environ(tmp_path: Path) -> Mapping[str, str]:
    """The environment of a person with every kind of zuliprc, each with its own key."""
    profiles = tmp_path / ".config" / "zulip"
    profiles.mkdir(parents=True)
    paths = {
        "argument": tmp_path / "argument",
        "profile": profiles / "profile.zuliprc",
        "variable": tmp_path / "variable",
        "variable-profile": profiles / "other.zuliprc",
        "default": tmp_path / ".zuliprc",
    }
    for key, path in paths.items():
        path.write_text(f"[api]\nemail=a@x.org\nkey={key}\n")
        path.chmod(0o600)
    return {"HOME": str(tmp_path)}


@pytest.mark.parametrize("first", range(5), ids=NAMES)
def test_arguments_override_variables_and_variables_override_the_default(
    environ: Mapping[str, str], first: int
) -> None:
    home = environ["HOME"]
    named: list[tuple[str, str]] = [("config_file", f"{home}/argument"), ("profile", "profile")]
    variables = [("ZULIP_CONFIG", f"{home}/variable"), ("ZULIP_PROFILE", "other")]

    resolution = resolve(
        config_file=named[0][1] if first <= 0 else None,
        profile=named[1][1] if first <= 1 else None,
        environ={**environ, **dict(variables[max(0, first - 2) :])},
    )

    assert resolution.credentials.api_key == Secret(NAMES[first])
    assert resolution.config_file == resolution.origins["key"].path
    assert resolution.own_file is None


@pytest.mark.parametrize("name", ["ZULIP_CONFIG", "ZULIP_PROFILE"])
def test_an_empty_variable_names_no_file(environ: Mapping[str, str], name: str) -> None:
    assert resolve(environ={**environ, name: ""}).api_key == Secret("default")


@pytest.mark.parametrize(
    ("arguments", "kind"), [({"config_file": ""}, "is_directory"), ({"profile": ""}, "bad_profile_name")], ids=str
)
def test_an_empty_argument_does_not_select_another_file(
    environ: Mapping[str, str], arguments: dict[str, Any], kind: str
) -> None:
    with pytest.raises(ResolutionError) as raised:
        resolve(**arguments, environ=environ)

    assert raised.value.kind == kind


@pytest.mark.parametrize("named_by", ["config_file", "ZULIP_CONFIG"])
@pytest.mark.parametrize("complete", [False, True])
def test_a_missing_named_file_is_always_an_error(environ: Mapping[str, str], named_by: str, complete: bool) -> None:
    given = {"ZULIP_EMAIL": "a@x.org", "ZULIP_API_KEY": "k", "ZULIP_SITE": "z.x"} if complete else {}
    path = f"{environ['HOME']}/missing"
    variables = {**environ, **given, **({"ZULIP_CONFIG": path} if named_by == "ZULIP_CONFIG" else {})}

    with pytest.raises(ResolutionError) as raised:
        resolve(path if named_by == "config_file" else None, environ=variables)
    assert (raised.value.kind, raised.value.place) == ("config_not_found", path)


@pytest.mark.parametrize("named_by", ["profile", "ZULIP_PROFILE"])
def test_a_missing_profile_has_its_own_error(environ: Mapping[str, str], named_by: str) -> None:
    variables = {**environ, "ZULIP_PROFILE": "missing"} if named_by == "ZULIP_PROFILE" else environ

    with pytest.raises(ResolutionError, match="no profile missing") as raised:
        resolve(profile="missing" if named_by == "profile" else None, environ=variables)
    assert raised.value.kind == "profile_not_found"


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden", "-x", "a\0b", "a b", "ä", "a\n", "x" * 200, "/etc/passwd"])
def test_a_profile_is_a_name_and_not_a_path(environ: Mapping[str, str], name: str) -> None:
    with pytest.raises(ResolutionError) as raised:
        resolve(profile=name, environ=environ)

    assert raised.value.kind == "bad_profile_name"


def test_profiles_are_in_the_configuration_directory(environ: Mapping[str, str], tmp_path: Path) -> None:
    assert locate(None, "work", environ).path == tmp_path / ".config" / "zulip" / "work.zuliprc"
    assert locate(None, "work", {**environ, "XDG_CONFIG_HOME": "/etc/me"}).path == Path("/etc/me/zulip/work.zuliprc")
    assert configuration_directory({**environ, "XDG_CONFIG_HOME": "relative"}) == tmp_path / ".config" / "zulip"


def test_a_tilde_is_the_home_directory_in_arguments_and_variables(environ: Mapping[str, str]) -> None:
    assert resolve("~/argument", environ=environ).api_key == Secret("argument")
    assert resolve(environ={**environ, "ZULIP_CONFIG": "~/variable"}).api_key == Secret("variable")


def test_a_tilde_with_a_name_is_the_home_directory_of_that_user(environ: Mapping[str, str]) -> None:
    home = pwd.getpwuid(os.getuid()).pw_dir

    assert expand(f"~{_user()}/rc", environ) == Path(home, "rc")
    assert expand("~nobody-of-that-name/rc", environ).name == "rc"


@pytest.mark.parametrize("arguments", [{"config_file": 5}, {"config_file": b"rc"}, {"profile": 5}, {"email": True}])
def test_an_argument_of_a_wrong_type_is_wrong_usage(environ: Mapping[str, str], arguments: dict[str, Any]) -> None:
    with pytest.raises(ResolutionError) as raised:
        resolve(**arguments, environ=environ)

    assert raised.value.kind == "usage"


def test_a_relative_file_is_in_the_working_directory(
    environ: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert resolve(Path("argument"), environ=environ).config_file == str(tmp_path / "argument")


def test_no_file_in_the_working_directory_is_read_unless_named(
    environ: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in ("zuliprc", ".zuliprc"):
        (elsewhere / name).write_text("[api]\nemail=planted@x.org\nkey=planted\n")
    monkeypatch.chdir(elsewhere)

    assert resolve(environ=environ).email == "a@x.org"
    with pytest.raises(ResolutionError):
        resolve(environ={"HOME": str(tmp_path / "empty")})


def test_without_home_in_the_environment_that_of_the_system_is_used() -> None:
    for environ in ({}, {"HOME": ""}):
        assert home_directory(environ) == os.path.expanduser(f"~{_user()}")  # noqa: PTH111 - the system's own answer


def test_absolute_paths_work_in_a_deleted_working_directory(
    environ: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()

    assert resolve(environ=environ).api_key == Secret("default")
    assert expand("x", environ) == Path("/x")


def test_the_error_names_a_file_from_before_2013(tmp_path: Path) -> None:
    (tmp_path / ".humbugrc").write_text("[api]\nkey=k\nemail=e\n")

    with pytest.raises(ResolutionError, match="Rename it") as raised:
        resolve(environ={"HOME": str(tmp_path)})
    assert (raised.value.kind, raised.value.place) == ("legacy_file", str(tmp_path / ".humbugrc"))


def test_a_directory_instead_of_a_file_has_its_own_error(tmp_path: Path) -> None:
    (tmp_path / ".zuliprc").mkdir()

    with pytest.raises(ResolutionError) as raised:
        resolve(environ={"HOME": str(tmp_path)})
    assert raised.value.kind == "is_directory"


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000, "file/below"])
def test_an_impossible_file_name_raises_our_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(ResolutionError) as raised:
        resolve(tmp_path / name, environ={})
    assert raised.value.kind in {"config_not_found", "file_unreadable"}


@pytest.mark.parametrize(("path", "said"), [("/dev/zero", "a device"), ("large", "too large")])
def test_an_endless_device_is_not_a_zuliprc(tmp_path: Path, path: str, said: str) -> None:
    (tmp_path / "large").write_bytes(b"#" * (LARGEST + 1))

    with pytest.raises(ResolutionError, match=said) as raised:
        resolve(tmp_path / path, environ={})
    assert raised.value.kind == "file_unreadable"


def test_a_pipe_is_read_like_a_file() -> None:
    reader, writer = os.pipe()
    os.write(writer, b"[api]\nemail=a@x.org\nkey=k\n")
    os.close(writer)
    try:
        resolution = resolve(f"/dev/fd/{reader}", environ={})
    finally:
        os.close(reader)

    assert resolution.api_key == Secret("k")
    assert resolution.warnings == ()


def _user() -> str:
    return pwd.getpwuid(os.getuid()).pw_name
