"""docs/settings.md documents every setting of the server."""

import re
from pathlib import Path

from memory_service.settings import Settings

DOCS = Path(__file__).parents[2] / "docs" / "settings.md"


def test_every_setting_has_a_row() -> None:
    documented = set(re.findall(r"^\| `(MEMORY_\w+)`", DOCS.read_text(), re.MULTILINE))
    assert documented >= {f"MEMORY_{name.upper()}" for name in Settings.model_fields}
