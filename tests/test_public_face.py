"""`import keybearer` has all public names, and loads them only when they are used."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import keybearer
from tests.public_api import PAGE, render


@pytest.mark.parametrize("name", keybearer.__all__)
def test_every_public_name_exists(name: str) -> None:
    assert getattr(keybearer, name) is not None


def test_other_names_do_not_exist() -> None:
    with pytest.raises(AttributeError, match="nonesuch"):
        _ = keybearer.nonesuch


def test_importing_the_package_loads_no_other_package() -> None:
    program = (
        "import sys; before = set(sys.modules); import keybearer; "
        "print(*sorted({m.partition('.')[0] for m in set(sys.modules) - before} - set(sys.stdlib_module_names)))"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert loaded.split() == ["keybearer"]


def test_an_application_can_be_created_from_its_settings() -> None:
    app = keybearer.server.create_app(keybearer.server.Settings.from_environ({}))

    assert callable(app)


def test_servers_detect_the_application_as_asgi_3() -> None:
    app = keybearer.server.create_app(keybearer.server.Settings.from_environ({}))

    assert inspect.iscoroutinefunction(app.__call__)


def test_the_reference_of_the_python_api_has_every_public_name_with_its_signature_and_types() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), "run: python -m tests.public_api"
