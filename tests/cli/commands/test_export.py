"""`keybearer export`: the credentials in the formats of other programs."""

from __future__ import annotations

import base64
import http.server
import json
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

import keybearer as library
from tests.cli.command_line import CommandLine

KEY = "kbExportExportExportExportExpo1A"
ODD_EMAIL = """o'br"ien$HOME`id`\\x;y&|<>*?!~%#()[]{}é@x.org"""


@pytest.fixture
def zuliprc(keybearer: CommandLine) -> Path:
    path = keybearer.home / ".zuliprc"
    path.write_text(f"[api]\nemail={ODD_EMAIL.replace('%', '%%')}\nkey={KEY}\nsite=https://z.x\n")
    path.chmod(0o600)
    return path


def exported(keybearer: CommandLine, name: str) -> str:
    done = keybearer("export", "--format", name)
    assert done.code == 0
    return done.out


@pytest.mark.parametrize("shell", [shell for shell in ("sh", "bash", "dash", "zsh") if shutil.which(shell)])
def test_a_shell_reads_the_exported_commands(keybearer: CommandLine, zuliprc: Path, shell: str) -> None:
    script = exported(keybearer, "env") + 'printf "%s\\n" "$ZULIP_EMAIL" "$ZULIP_API_KEY" "$ZULIP_SITE"'
    done = subprocess.run([shell, "-c", script], capture_output=True, text=True, check=True, cwd=keybearer.home)

    assert done.stdout.splitlines() == [ODD_EMAIL, KEY, "https://z.x"]
    assert [path.name for path in keybearer.home.iterdir()] == [".zuliprc"]


@pytest.mark.parametrize("name", ["zuliprc", "env", "dotenv", "json", "curl"])
def test_output_for_programs_is_utf_8_in_any_terminal(keybearer: CommandLine, zuliprc: Path, name: str) -> None:
    command = [keybearer.script, "export", "--format", name]
    environ = {"HOME": str(keybearer.home), "PYTHONIOENCODING": "latin-1"}

    done = subprocess.run(command, capture_output=True, env=environ, check=True)

    assert "é@x.org".encode() in done.stdout


def test_the_default_format_is_env(keybearer: CommandLine, zuliprc: Path) -> None:
    assert keybearer("export").out == exported(keybearer, "env")


def test_a_dotenv_file_has_quotes_only_if_needed(keybearer: CommandLine, zuliprc: Path) -> None:
    zuliprc.write_text(f"[api]\nemail=ann@x.org\nkey={KEY}\nsite=https://z.x\n")

    assert exported(keybearer, "dotenv") == (
        f"ZULIP_ALLOW_INSECURE=false\nZULIP_API_KEY={KEY}\nZULIP_EMAIL=ann@x.org\nZULIP_SITE=https://z.x\n"
    )


def test_a_shell_reads_a_dotenv_file(keybearer: CommandLine, zuliprc: Path) -> None:
    script = f'{exported(keybearer, "dotenv")}printf "%s" "$ZULIP_EMAIL"'

    assert subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout == ODD_EMAIL


def test_an_exported_zuliprc_has_the_same_settings(keybearer: CommandLine, zuliprc: Path, tmp_path: Path) -> None:
    (tmp_path / "copy").write_text(exported(keybearer, "zuliprc"))

    assert library.read_zuliprc(tmp_path / "copy") == library.read_zuliprc(zuliprc)


@pytest.mark.parametrize("options", [["--format", "json"], ["--json"]])
def test_json_is_the_arguments_of_resolve(keybearer: CommandLine, zuliprc: Path, options: list[str]) -> None:
    told = json.loads(keybearer("export", *options).out)

    assert told.pop("token") is None
    assert library.resolve(**told, environ={"HOME": "/nonexistent"}).credentials == library.read_zuliprc(zuliprc)


class Recorder(http.server.BaseHTTPRequestHandler):
    """A server that records its requests."""

    seen: list[str | None]

    def do_GET(self) -> None:
        self.seen.append(self.headers.get("Authorization"))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        pass


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
def test_curl_reads_its_configuration_from_a_pipe(keybearer: CommandLine, zuliprc: Path) -> None:
    Recorder.seen = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Recorder) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/"
        configuration = exported(keybearer, "curl")
        done = subprocess.run(
            ["curl", "-q", "--silent", "--noproxy", "*", "--config", "-", url],
            input=configuration.encode(),
            check=False,
        )
        server.shutdown()

    assert done.returncode == 0
    assert Recorder.seen == ["Basic " + base64.b64encode(f"{ODD_EMAIL}:{KEY}".encode()).decode()]


def test_the_curl_configuration_has_the_certificates(keybearer: CommandLine, zuliprc: Path) -> None:
    (keybearer.home / "c:1.pem").touch()
    zuliprc.write_text(
        f"[api]\nemail=a@x.org\nkey={KEY}\nclient_cert=c:1.pem\nclient_cert_key=c:1.pem\ncert_bundle=.\n"
    )
    lines = exported(keybearer, "curl").splitlines()

    assert f'cert = "{keybearer.home}/c\\\\:1.pem"' in lines
    assert f'key = "{keybearer.home}/c:1.pem"' in lines
    assert f'capath = "{keybearer.home}"' in lines


def test_a_key_from_a_passcmd_is_printed_too(keybearer: CommandLine, zuliprc: Path) -> None:
    zuliprc.write_text(f"[api]\nemail=ann@x.org\npasscmd=echo {KEY}\n")

    assert f"ZULIP_API_KEY={KEY}" in exported(keybearer, "dotenv")


def test_an_unknown_format_is_wrong_usage(keybearer: CommandLine, zuliprc: Path) -> None:
    done = keybearer("export", "--format", "xml")

    assert done.code == 2
    assert "dotenv" in done.complaint


@pytest.mark.parametrize("name", ["env", "dotenv", "zuliprc", "json", "curl"])
@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_bundle_from_a_variable_of_another_program_is_not_exported(
    keybearer: CommandLine, zuliprc: Path, tmp_path: Path, name: str, variable: str
) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text("x")
    out = keybearer("export", "--format", name, **{variable: str(bundle)}).out
    own = keybearer("export", "--format", name, "--cert-bundle", str(bundle)).out

    assert str(bundle) not in out
    assert str(bundle) in own
