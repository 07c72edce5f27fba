"""The manual tells of everything there is: errors, settings, commands."""

from pathlib import Path

import pytest

import hub.errors
from hub.settings import Settings

DOCS = Path(__file__).parents[2] / "docs"


def _subclasses(root: type[hub.errors.HubError]) -> list[type[hub.errors.HubError]]:
    return [found for child in root.__subclasses__() for found in (child, *_subclasses(child))]


@pytest.mark.parametrize("error", _subclasses(hub.errors.HubError), ids=lambda error: error.__name__)
def test_every_error_code_is_in_the_manual(error: type[hub.errors.HubError]) -> None:
    row = f"| `{error.code}` | {error.status} |"
    assert row in (DOCS / "administrator" / "errors.md").read_text()


@pytest.mark.parametrize("name", list(Settings.model_fields))
def test_every_setting_is_in_the_manual(name: str) -> None:
    assert f"| `{name}` |" in (DOCS / "administrator" / "settings.md").read_text()
