"""Reading and writing zuliprc files, and replacing their key."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest
import zulip
from hypothesis import HealthCheck, given, settings

from keybearer.errors import FileError, ResolutionError, UnsafeValueError
from keybearer.secret import Secret
from keybearer.store.files import read_zuliprc, replace_api_key, replace_text, write_zuliprc
from keybearer.store.profiles import list_profiles
from keybearer.store.resolution import resolve
from keybearer.zuliprc.credentials import Credentials, TLSOptions
from keybearer.zuliprc.document import render_zuliprc
from tests.zuliprc.strategies import credentials

OLD, NEW = Secret("kbOld000000000000000000000000001"), Secret("kbNew000000000000000000000000002")
ANN = Credentials("ann@x.org", OLD, "https://z.x")
OWN_TOUCHES = (
    "\ufeff# my account\r\n[api]\r\nEmail = ann@x.org\r\n  \r\nkey :  kbOld000000000000000000000000001  \r\n"
    "site=https://z.x\r\ncolour=red\r\n[zterm]\r\ntheme=dark\r\n# key=kbOld000000000000000000000000001\r\n"
)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "zuliprc"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(credentials())
def test_written_credentials_read_back_the_same(path: Path, given_credentials: Credentials) -> None:
    path.unlink(missing_ok=True)
    tls = given_credentials.tls
    untied = Credentials(
        given_credentials.email,
        given_credentials.api_key,
        given_credentials.site,
        given_credentials.token,
        TLSOptions(insecure=tls.insecure),  # the certificates of the others do not exist
    )
    write_zuliprc(path, untied)

    assert path.read_bytes() == render_zuliprc(untied).encode()
    assert read_zuliprc(path) == untied


def test_certificates_are_read_back_by_their_absolute_paths(path: Path) -> None:
    (path.parent / "c.pem").touch()
    certificate = str(path.parent / "c.pem")
    tls = TLSOptions(certificate, certificate, certificate)
    write_zuliprc(path, Credentials("ann@x.org", OLD, "https://z.x", tls=tls))

    assert read_zuliprc(path).tls == tls


def test_a_file_is_read_without_the_environment(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_zuliprc(path, ANN)
    for name in ("ZULIP_EMAIL", "ZULIP_API_KEY", "ZULIP_SITE", "ZULIP_CONFIG"):
        monkeypatch.setenv(name, "other")

    assert read_zuliprc(path) == ANN


def test_a_tilde_names_the_home_directory(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(path.parent))
    write_zuliprc("~/zuliprc", ANN)

    assert read_zuliprc("~/zuliprc") == read_zuliprc(path) == ANN


def test_a_missing_or_incomplete_file_cannot_be_read(path: Path) -> None:
    with pytest.raises(ResolutionError) as raised:
        read_zuliprc(path)
    assert raised.value.kind == "config_not_found"
    path.write_text("[api]\nemail=a\n")
    with pytest.raises(ResolutionError) as raised:
        read_zuliprc(path)
    assert raised.value.kind == "missing_key"


@pytest.mark.parametrize(
    "there", ["", "not a zuliprc", "[api]\nsite=https://other.x\nkey=k\nemail=e\n", "[api]\nkey=1\nkey=2\n"]
)
def test_a_file_with_only_settings_is_rewritten(path: Path, there: str) -> None:
    path.write_text(there)
    path.chmod(0o644)
    write_zuliprc(path, ANN)

    assert path.read_text() == render_zuliprc(ANN)
    assert mode_of(path) == 0o600


def test_lines_that_a_person_added_stay(path: Path) -> None:
    path.write_bytes(OWN_TOUCHES.encode())
    write_zuliprc(path, Credentials("bea@x.org", NEW, "https://y.x", token=Secret("tok")))

    assert path.read_bytes().decode() == (
        "\ufeff# my account\r\n[api]\r\nEmail = bea@x.org\r\n  \r\nkey :  kbNew000000000000000000000000002  \r\n"
        "site=https://y.x\r\ntoken=tok\r\ncolour=red\r\n[zterm]\r\ntheme=dark\r\n"
        "# key=kbOld000000000000000000000000001\r\n"
    )


def test_credentials_that_a_file_cannot_contain_change_nothing(path: Path) -> None:
    write_zuliprc(path, ANN)
    for bad, error in (
        (Credentials("a\nkey=x", OLD), UnsafeValueError),
        (Credentials("a", OLD, "ftp://x"), ResolutionError),
        (Credentials("a", OLD, tls=TLSOptions(client_cert_key="/k")), ResolutionError),
    ):
        with pytest.raises(error):
            write_zuliprc(path, bad)
    assert read_zuliprc(path) == ANN


def test_replacing_a_key_changes_nothing_else(path: Path) -> None:
    path.write_bytes(OWN_TOUCHES.encode())
    path.chmod(0o640)
    link = path.with_name("link")
    link.symlink_to(path.name)
    replace_api_key(link, email="ann@x.org", old=OLD, new=NEW)

    expected = OWN_TOUCHES.replace("kbOld000000000000000000000000001  ", "kbNew000000000000000000000000002  ")
    assert path.read_bytes().decode() == expected
    assert mode_of(path) == 0o640
    assert link.is_symlink()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[api]\nemail=bea@x.org\nkey=kbOld000000000000000000000000001\n", "no longer the zuliprc of ann@x.org"),
        ("[api]\nkey=kbOld000000000000000000000000001\n", "no longer the zuliprc of ann@x.org"),
        ("[api]\nemail=ann@x.org\nkey=kbOther\n", "another key"),
        ("[api]\nemail=ann@x.org\npasscmd=get\n", "no key of its own"),
    ],
)
def test_a_file_with_other_credentials_gets_no_new_key(path: Path, text: str, said: str) -> None:
    path.write_text(text)

    with pytest.raises(FileError, match=said) as raised:
        replace_api_key(path, email="ann@x.org", old=OLD, new=NEW)
    assert "kbO" not in str(raised.value)
    assert path.read_text() == text


def test_a_broken_or_missing_file_gets_no_new_key(path: Path) -> None:
    with pytest.raises(ResolutionError) as raised:
        replace_api_key(path, email="ann@x.org", old=OLD, new=NEW)
    assert raised.value.kind == "config_not_found"
    path.write_text("[api]\nkey=1\nkey=2\n")
    with pytest.raises(ResolutionError) as raised:
        replace_api_key(path, email="ann@x.org", old=OLD, new=NEW)
    assert (raised.value.kind, raised.value.place) == ("duplicate_key", f"{path}:3")


def test_a_file_that_already_has_the_new_key_is_unchanged(path: Path) -> None:
    write_zuliprc(path, Credentials("ann@x.org", NEW, "https://z.x"))
    before = path.stat()
    replace_api_key(path, email="ann@x.org", old=OLD, new=NEW)

    assert path.stat().st_ino == before.st_ino


def test_a_key_is_replaced_beside_an_email_with_a_percent_sign(path: Path) -> None:
    path.write_text("[api]\nemail=50%off@x.org\nkey=kbOld000000000000000000000000001\n")
    replace_api_key(path, email="50%off@x.org", old=OLD, new=NEW)

    assert path.read_text() == "[api]\nemail=50%off@x.org\nkey=kbNew000000000000000000000000002\n"


def test_of_two_simultaneous_new_keys_one_is_stored_and_one_refused(path: Path) -> None:
    write_zuliprc(path, ANN)
    outcomes: list[object] = []

    def replace(new: Secret) -> None:
        try:
            replace_api_key(path, email="ann@x.org", old=OLD, new=new)
            outcomes.append(new)
        except FileError as error:
            outcomes.append(error)

    threads = [threading.Thread(target=replace, args=(Secret(f"kbNew{number}"),)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    kept = [outcome for outcome in outcomes if isinstance(outcome, Secret)]
    assert kept == [read_zuliprc(path).api_key]


def test_the_official_package_reads_what_is_written(path: Path) -> None:
    class Bindings(zulip.Client):
        """The official client without the request that its constructor makes."""

        def get_server_settings(self) -> dict[str, object]:
            return {"zulip_version": "12.0", "zulip_feature_level": 372}

    write_zuliprc(path, Credentials("50%off@x.org", OLD, "https://z.x"))
    client = Bindings(config_file=str(path))

    assert (client.email, client.api_key, client.base_url) == ("50%off@x.org", OLD.reveal(), "https://z.x/api/")


@pytest.mark.parametrize(
    ("mode", "kinds"),
    [(0o600, []), (0o640, ["readable_by_others"]), (0o606, ["readable_by_others", "writable_by_others"])],
)
def test_the_mode_of_a_file_is_checked(path: Path, mode: int, kinds: list[str]) -> None:
    write_zuliprc(path, ANN)
    path.chmod(mode)

    assert [warning.kind for warning in resolve(path, environ={}).warnings] == kinds


def test_with_strict_a_warning_is_an_error_of_its_kind(path: Path) -> None:
    write_zuliprc(path, ANN)
    path.chmod(0o644)

    with pytest.raises(ResolutionError) as raised:
        resolve(path, environ={}, strict=True)
    assert (raised.value.kind, raised.value.place) == ("readable_by_others", str(path))


@pytest.mark.parametrize(
    ("line", "kind"),
    [("client_cert=c", "cert_not_found"), ("client_cert=.", "cert_not_found"), ("cert_bundle=b", "bundle_not_found"),
     ("client_cert=zuliprc\nclient_cert_key=k", "cert_not_found")],
)  # fmt: skip
def test_missing_certificates_are_reported_without_their_names(path: Path, line: str, kind: str) -> None:
    path.write_text(f"[api]\nemail=a@x.org\nkey=k\n{line}\n")

    with pytest.raises(ResolutionError) as raised:
        resolve(path, environ={})
    assert raised.value.kind == kind
    assert raised.value.place == f"{path}:{4 + line.count(chr(10))}"


def test_a_bundle_may_be_a_directory_and_is_not_checked_with_insecure(path: Path) -> None:
    path.write_text("[api]\nemail=a@x.org\nkey=k\ncert_bundle=.\n")
    assert resolve(path, environ={}).tls.cert_bundle == str(path.parent)

    path.write_text("[api]\nemail=a@x.org\nkey=k\ncert_bundle=missing\ninsecure=true\n")
    assert resolve(path, environ={}).tls.insecure


def test_profiles_are_listed_by_name(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path)}
    assert list_profiles(environ) == []
    directory = tmp_path / ".config" / "zulip"
    for name in ("work.zuliprc", "home.zuliprc", ".hidden.zuliprc", "notes.txt", "a b.zuliprc"):
        write_zuliprc(directory / name, ANN)

    assert [(profile.name, profile.path) for profile in list_profiles(environ)] == [
        ("home", directory / "home.zuliprc"),
        ("work", directory / "work.zuliprc"),
    ]


def test_the_text_that_was_read_is_replaced(path: Path) -> None:
    path.write_bytes(b"[api]\nkey=one\n")
    path.chmod(0o644)
    replace_text(path, b"[api]\nkey=one\n", b"[api]\nkey=two\n")

    assert path.read_bytes() == b"[api]\nkey=two\n"
    assert mode_of(path) == 0o600


def test_a_text_that_was_changed_meanwhile_is_not_replaced(path: Path) -> None:
    path.write_bytes(b"[api]\nkey=newer\n")
    with pytest.raises(FileError, match="just changed by another program"):
        replace_text(path, b"[api]\nkey=one\n", b"[api]\nkey=two\n")

    assert path.read_bytes() == b"[api]\nkey=newer\n"
