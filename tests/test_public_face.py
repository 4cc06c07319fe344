"""`import keybearer` offers what it promises, and costs nothing until it is asked."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import keybearer
from tests.public_api import PAGE, render


@pytest.mark.parametrize("name", keybearer.__all__)
def test_every_promised_name_is_there(name: str) -> None:
    assert getattr(keybearer, name) is not None


def test_a_name_that_is_not_promised_is_not_there() -> None:
    with pytest.raises(AttributeError, match="nonesuch"):
        _ = keybearer.nonesuch


def test_importing_the_package_loads_no_other_package() -> None:
    program = (
        "import sys; before = set(sys.modules); import keybearer; "
        "print(*sorted({m.partition('.')[0] for m in set(sys.modules) - before} - set(sys.stdlib_module_names)))"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert loaded.split() == ["keybearer"]


def test_an_application_can_be_made_from_its_settings() -> None:
    app = keybearer.server.create_app(keybearer.server.Settings.from_environ({}))

    assert callable(app)


def test_servers_that_guess_the_interface_take_the_application_for_asgi_3() -> None:
    app = keybearer.server.create_app(keybearer.server.Settings.from_environ({}))

    assert inspect.iscoroutinefunction(app.__call__)


def test_the_reference_of_the_python_api_has_every_public_name_with_its_signature_and_types() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), "run: python -m tests.public_api"
