"""How the property tests of the format run."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("keybearer", deadline=None, print_blob=True)
settings.load_profile("keybearer")
