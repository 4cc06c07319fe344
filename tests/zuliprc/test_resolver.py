"""The active value of a setting, its origin, what it shadows, and the errors without one."""

from __future__ import annotations

import itertools
import pickle
import threading
from pathlib import Path
from typing import Any

import pytest

from keybearer.errors import ResolutionError
from keybearer.secret import Secret
from keybearer.zuliprc.fields import FIELDS, Field
from keybearer.zuliprc.resolver import PasswordCommand
from keybearer.zuliprc.sources import Origin
from tests.zuliprc.resolving import GOOD, PATH, resolve_text

BY_SOURCE = {
    "key": ("argument", "variable", "file"),
    "email": ("a@argument", "a@variable", "a@file"),
    "site": ("https://argument", "https://variable", "https://file"),
    "client_cert": ("/argument", "/variable", "/file"),
    "client_cert_key": ("/argument", "/variable", "/file"),
    "client_bundle": ("/argument", "/variable", "/file"),
    "insecure": ("false", "true", "false"),
}
WITH_ALL_SOURCES = [field for field in FIELDS.values() if field.argument and field.variable]


def test_every_setting_with_an_argument_and_a_variable_is_tested() -> None:
    assert {field.name for field in WITH_ALL_SOURCES} == set(BY_SOURCE)


@pytest.mark.parametrize("field", WITH_ALL_SOURCES, ids=lambda field: field.name)
@pytest.mark.parametrize("present", list(itertools.product([True, False], repeat=3)), ids=str)
def test_arguments_override_variables_and_variables_override_the_file(
    field: Field[object], present: tuple[bool, ...]
) -> None:
    texts = BY_SOURCE[field.name]
    others = "".join(f"{name}={values[2]}\n" for name, values in BY_SOURCE.items() if name != field.name)
    own = f"{field.name}={texts[2]}\n" if present[2] else ""
    arguments: dict[str, Any] = {field.argument: texts[0]} if present[0] else {}
    environ = {field.variable: texts[1]} if present[1] else {}
    origins = [
        Origin("argument", field.argument, field.argument),
        Origin("environment", field.variable, field.variable),
        Origin("file", f"{PATH}:2", field.name, PATH, 2),
    ]
    expected = [origin for origin, there in zip(origins, present, strict=True) if there]
    if not expected and (field.required or field.name == "client_cert"):
        with pytest.raises(ResolutionError):
            resolve_text(f"[api]\n{own}{others}", environ=environ, **arguments)
        return

    resolution = resolve_text(f"[api]\n{own}{others}", environ=environ, **arguments)

    value = resolution.values.get(field.name)
    shown = value.reveal() if isinstance(value, Secret) else value
    winner = next((text for text, there in zip(texts, present, strict=True) if there), None)
    assert (str(shown).lower() if isinstance(shown, bool) else shown) == winner
    assert resolution.origins[field.name] == (expected[0] if expected else Origin("default"))
    assert resolution.shadowed.get(field.name, ()) == tuple(expected[1:])


def test_every_field_has_an_origin() -> None:
    assert list(resolve_text().origins) == list(FIELDS)


@pytest.mark.parametrize(
    ("line", "environ"),
    [("insecure=banana", {"ZULIP_ALLOW_INSECURE": "true"}), ("site=//", {"ZULIP_SITE": "y.x"}),
     ("client_bundle=/a\ncert_bundle=/b", {"ZULIP_CERT_BUNDLE": "/c"}), ("token=t\nkey=%(x)s", {"ZULIP_API_KEY": "k"}),
     ("key='a'\npasscmd=b", {"ZULIP_API_KEY": "k"})],
)  # fmt: skip
def test_a_shadowed_value_is_not_checked(line: str, environ: dict[str, str]) -> None:
    text = f"[api]\nemail=a@x.org\n{line}\n" + ("key=k\n" if "key=" not in line else "")

    assert resolve_text(text, environ=environ).email == "a@x.org"


def test_the_names_of_the_bundle_are_one_setting() -> None:
    for name in ("client_bundle", "cert_bundle"):
        resolution = resolve_text(f"{GOOD}{name}=/b.pem\n")
        assert resolution.tls.cert_bundle == "/b.pem"
        assert resolution.origins["client_bundle"].name == name


def test_two_names_with_the_same_value_are_no_conflict() -> None:
    assert resolve_text(f"{GOOD}client_bundle=/b.pem\ncert_bundle=/b.pem\n").tls.cert_bundle == "/b.pem"


def test_two_names_with_different_values_are_a_conflict_with_both_lines() -> None:
    with pytest.raises(ResolutionError, match=r"zuliprc:5: .*\(line 6\)") as raised:
        resolve_text(f"{GOOD}client_bundle=/b.pem\ncert_bundle=/c.pem\n")

    assert raised.value.kind == "conflicting_keys"


@pytest.mark.parametrize(
    ("written", "path"),
    [("/c.pem", "/c.pem"), ("c.pem", "/home/me/c.pem"), ("../c", "/home/me/../c"), ("~/c.pem", "/home/me/c.pem"),
     ("~", "/home/me"), ("~x/c.pem", "/home/me/~x/c.pem"), ("50%%.pem", "/home/me/50%.pem")],
)  # fmt: skip
def test_a_path_in_the_file_is_relative_to_the_file(written: str, path: str) -> None:
    assert resolve_text(f"{GOOD}client_cert={written}\n").tls.client_cert == path


@pytest.mark.parametrize(
    ("given", "path"), [("c.pem", "/here/c.pem"), ("~/c.pem", "/home/me/c.pem"), (Path("c"), "/here/c")]
)
def test_a_path_from_elsewhere_is_relative_to_the_working_directory(given: str | Path, path: str) -> None:
    assert resolve_text(client_cert=given).tls.client_cert == path
    assert resolve_text(environ={"ZULIP_CERT": str(given)}).tls.client_cert == path


@pytest.mark.parametrize("line", ["insecure=1", "insecure=yes", "insecure=0", "insecure=truee"])
def test_only_true_and_false_are_booleans(line: str) -> None:
    with pytest.raises(ResolutionError) as raised:
        resolve_text(f"{GOOD}{line}\n")

    assert (raised.value.kind, raised.value.place) == ("bad_boolean", f"{PATH}:5")


@pytest.mark.parametrize(("given", "value"), [(True, True), (False, False), ("true", True), (" False ", False)])
def test_insecure_as_an_argument_is_parsed(given: object, value: bool) -> None:
    assert resolve_text(insecure=given).tls.insecure is value


@pytest.mark.parametrize(
    "value",
    [
        '"k1"',
        "'k1'",
        "“k1”",
        "k1 # mine",
        "k1\t; mine",
        "# k1",
        "k\x011",
        "k\t1",
        "k\u20281",
        "k1\x0c",
        "\x1fk1\u00a0",
        "k1\x85",
        "k1\0",
    ],
)
def test_a_value_that_readers_disagree_about_is_an_error_that_does_not_show_it(value: str) -> None:
    with pytest.raises(ResolutionError) as raised:
        resolve_text(f"[api]\nemail=a@x.org\nkey = {value}\n")

    assert (raised.value.kind, raised.value.place) == ("suspicious_value", f"{PATH}:3")
    assert "k1" not in str(raised.value)


def test_quotes_around_a_variable_are_an_error_and_a_hash_is_not() -> None:
    with pytest.raises(ResolutionError) as raised:
        resolve_text(environ={"ZULIP_API_KEY": '"k"'})
    assert (raised.value.kind, raised.value.place) == ("suspicious_value", "ZULIP_API_KEY")
    assert resolve_text(environ={"ZULIP_CERT": "/team #1/c.pem"}).tls.client_cert == "/team #1/c.pem"


def test_an_argument_is_used_unchanged() -> None:
    assert resolve_text(email="'a'@x.org #1", api_key='"k"').credentials.api_key == Secret('"k"')


def test_an_empty_argument_does_not_select_another_account() -> None:
    resolution = resolve_text(api_key="")

    assert resolution.api_key == Secret("")
    assert "empty_argument" in [warning.kind for warning in resolution.warnings]


@pytest.mark.parametrize("value", [5, b"k", ["k"]])
def test_an_argument_of_a_wrong_type_is_wrong_usage(value: object) -> None:
    with pytest.raises(ResolutionError, match="argument api_key") as raised:
        resolve_text(api_key=value)

    assert raised.value.kind == "usage"


def test_a_private_key_without_a_certificate_has_its_own_error() -> None:
    with pytest.raises(ResolutionError) as raised:
        resolve_text(f"{GOOD}client_cert_key=/k.pem\n")

    assert (raised.value.kind, raised.value.place) == ("key_without_cert", f"{PATH}:5")
    assert resolve_text(f"{GOOD}client_cert_key=/k.pem\n", environ={"ZULIP_CERT": "/c.pem"}).tls.client_cert == "/c.pem"


@pytest.mark.parametrize(
    ("text", "environ", "kind", "place"),
    [
        (None, {}, "config_not_found", PATH),
        (None, {"ZULIP_API_KEY": "k"}, "missing_email", ""),
        (None, {"ZULIP_EMAIL": "e"}, "missing_key", ""),
        ("", {}, "missing_section", PATH),
        ("[zterm]\n", {"ZULIP_API_KEY": "k"}, "missing_section", PATH),
        ("[api]\n", {}, "missing_key", PATH),
        ("[api]\nkey=k\n", {}, "missing_email", PATH),
        ("[api]\nkey=\nemail=e\n", {}, "missing_key", PATH),
    ],
)
def test_missing_and_incomplete_credentials_are_different_errors(
    text: str | None, environ: dict[str, str], kind: str, place: str
) -> None:
    with pytest.raises(ResolutionError) as raised:
        resolve_text(text, environ=environ)

    assert (raised.value.kind, raised.value.place) == (kind, place)
    assert raised.value.hint


def test_the_error_for_a_missing_setting_names_a_misspelt_one() -> None:
    with pytest.raises(ResolutionError, match="Did you mean key in line 3"):
        resolve_text("[api]\nemail=e\napi_key=k\n")


def test_the_error_for_a_missing_section_names_a_misspelt_one() -> None:
    with pytest.raises(ResolutionError, match=r"Write line 2 as \[api\]"):
        resolve_text("# c\n[ API ]\nkey=k\n")


def test_the_file_from_before_2013_matters_only_if_credentials_are_missing() -> None:
    with pytest.raises(ResolutionError) as raised:
        resolve_text(None, legacy="/home/me/.humbugrc")
    assert (raised.value.kind, raised.value.place) == ("legacy_file", "/home/me/.humbugrc")
    assert resolve_text(None, legacy="/home/me/.humbugrc", email="e", api_key="k").email == "e"


COMMAND = "[api]\nemail=a@x.org\npasscmd=pass show zulip\n"


def test_a_command_runs_once_and_only_when_the_key_is_needed() -> None:
    runs = []

    def fetch(command: PasswordCommand) -> Secret:
        runs.append(command.text.reveal())
        return Secret("fetched")

    resolution = resolve_text(COMMAND, fetch_key=fetch)
    assert (resolution.email, resolution.site, resolution.values.get("key")) == ("a@x.org", None, None)
    assert str(resolution.origins["key"]) == f"{PATH}:3"
    assert resolution.own_file is None
    repr(resolution)
    assert runs == []

    threads = [threading.Thread(target=lambda: resolution.credentials) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert resolution.credentials.api_key == resolution.api_key == Secret("fetched")
    assert runs == ["pass show zulip"]


def test_a_key_from_a_higher_source_does_not_run_the_command() -> None:
    resolution = resolve_text(COMMAND, environ={"ZULIP_API_KEY": "k"})

    assert resolution.credentials.api_key == Secret("k")
    assert [origin.name for origin in resolution.shadowed["key"]] == ["passcmd"]


def test_a_key_beside_a_command_is_a_conflict() -> None:
    with pytest.raises(ResolutionError) as raised:
        resolve_text(f"{COMMAND}key=k\n")

    assert raised.value.kind == "conflicting_keys"


def test_quotes_and_hashes_belong_to_a_command() -> None:
    text = "[api]\nemail=a@x.org\npasscmd='/opt/my tools/get' # 'x'\n"

    assert resolve_text(text, fetch_key=lambda command: command.text).api_key == Secret("'/opt/my tools/get' # 'x'")


def test_credentials_from_one_file_name_it() -> None:
    assert resolve_text().own_file == PATH
    assert resolve_text(site="y.x").own_file is None
    assert resolve_text("[api]\nemail=e\nkey=k\n").own_file is None


def test_a_resolution_can_be_shown_but_not_pickled() -> None:
    resolution = resolve_text(f"{GOOD}token=t0k3n-t0k3n-t0k3n\n", api_key="kbCanaryCanaryCanaryCanaryCanary")

    assert "Canary" not in repr(resolution)
    assert "t0k3n-t0k3n" not in repr(resolution)
    with pytest.raises(TypeError):
        pickle.dumps(resolution)


@pytest.mark.parametrize(("text", "line"), [("[api]\nemail=\nkey=k1\n", 2), ("[api]\nemail=a@x.org\n\nkey =\n", 4)])
def test_for_an_empty_setting_the_hint_names_its_line(text: str, line: int) -> None:
    with pytest.raises(ResolutionError) as raised:
        resolve_text(text)
    assert raised.value.hint == f"Fill in line {line}"
