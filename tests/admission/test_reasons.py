"""The manual names every reason that admission gives, and no other."""

import re

from tests.admission.parts import ROOT

PAGE = (ROOT / "docs" / "administrator" / "quarantine.md").read_text()


def test_every_reason_is_explained() -> None:
    code = "".join(path.read_text() for path in sorted((ROOT / "hub" / "admission").glob("*.py")))
    given = set(re.findall(r'Refused\(\s*"([a-z-]+)"', code))
    table = [line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `")]
    assert set(re.findall(r"`([a-z-]+)`", "".join(table))) == given
    for reason in re.findall(r'(?:_Merged\(|"merged", )"([a-z-]+)", ', code):
        assert f"`{reason}`" in PAGE
