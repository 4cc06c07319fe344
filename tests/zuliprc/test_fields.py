"""The table of settings, and all that must match it."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import keybearer.zuliprc
from keybearer.secret import Secret
from keybearer.store.resolution import resolve
from keybearer.zuliprc.credentials import Credentials
from keybearer.zuliprc.document import Document, render_zuliprc
from keybearer.zuliprc.fields import BY_FILE_KEY, FIELDS, LOCATORS, PASSCMD, WRITTEN_ORDER, ResolveArguments
from tests.zuliprc.strategies import CANARY

ROOM = Path(keybearer.zuliprc.__file__).parent


def test_the_seven_settings_of_the_document_have_their_names() -> None:
    assert {field.name: field.variable for field in FIELDS.values() if field.variable} == {
        "key": "ZULIP_API_KEY",
        "email": "ZULIP_EMAIL",
        "site": "ZULIP_SITE",
        "client_cert_key": "ZULIP_CERT_KEY",
        "client_cert": "ZULIP_CERT",
        "client_bundle": "ZULIP_CERT_BUNDLE",
        "insecure": "ZULIP_ALLOW_INSECURE",
    }
    assert [field.name for field in FIELDS.values() if field.required] == ["key", "email"]
    assert FIELDS["client_bundle"].aliases == ("cert_bundle",)


def test_resolve_accepts_the_arguments_of_the_table() -> None:
    arguments = list(inspect.signature(resolve).parameters)

    assert arguments == list(ResolveArguments.__annotations__)
    assert set(arguments) - {"environ", "strict"} == {
        *(field.argument for field in FIELDS.values() if field.argument),
        *(locator.argument for locator in LOCATORS),
    }


def test_no_two_settings_share_a_name() -> None:
    names = [
        name
        for field in FIELDS.values()
        for name in (*field.file_keys, field.variable, *field.options, *field.mistaken)
        if name
    ]

    assert len(names) == len(set(names))
    assert len(BY_FILE_KEY) == sum(len(field.file_keys) for field in FIELDS.values())


def test_every_setting_except_a_command_can_be_written() -> None:
    assert {field.name for field in WRITTEN_ORDER} == set(FIELDS) - {PASSCMD.name}


def test_a_secret_of_the_table_is_never_shown() -> None:
    document = Document.parse("".join(["[api]\n", *(f"{key}={CANARY}\n" for key in BY_FILE_KEY)]))

    assert CANARY not in repr(document.entries)


def test_a_plain_file_has_no_line_that_is_not_set() -> None:
    assert render_zuliprc(Credentials("a@x.org", Secret("k"))) == "[api]\nemail=a@x.org\nkey=k\n"


def test_the_package_is_pure() -> None:
    impure = {
        "io",
        "os.path",
        "pathlib.Path",
        "socket",
        "subprocess",
        "logging",
        "urllib.request",
        "tempfile",
        "shutil",
    }
    imported = set()
    for path in ROOM.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in {"open", "print", "input", "exec", "eval"}, path
    assert not imported & impure
    assert {name.partition(".")[0] for name in imported} <= set(sys.stdlib_module_names) | {"keybearer"}


RESOLVE_AND_TELL = """
import sys
sys.path.insert(0, sys.argv[1])
from keybearer.zuliprc import document, resolver, sources, values

opened = []
def hear(event, arguments):
    code = event == "open" and str(arguments[0]).endswith((".py", ".pyc"))
    if event in ("open", "socket.connect", "subprocess.Popen") and not code:
        opened.append((event, arguments))

sys.addaudithook(hear)
text = "[api]\\nemail=a@x.org\\nkey=k\\nsite=z.x\\nclient_cert=~/c\\n"
file = sources.ZuliprcFile("/rc", document.Document.parse(text, "/rc"))
everywhere = sources.Sources(sources.Arguments({}), sources.Environment({}), file)
resolver.resolve_sources(everywhere, values.Surroundings("/home/me", "/"), fetch_key=lambda command: None)
print(opened, *sorted({name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names)))
"""


def test_resolving_loads_no_other_package_and_opens_nothing() -> None:
    command = [sys.executable, "-I", "-S", "-c", RESOLVE_AND_TELL, str(ROOM.parent.parent)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["[]", "__main__", "keybearer"]
