from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.admission.gate import Gate
from hub.admission.warninglists import WarningLists
from tests.admission.parts import CITY, ROOT, Parts
from tests.stores import store_in

ASSETS = 'networks = ["198.51.100.0/24"]\ndomains = ["city.example"]\n'


@pytest.fixture(scope="session")
def lists(tmp_path_factory: pytest.TempPathFactory) -> WarningLists:
    assets = tmp_path_factory.mktemp("assets") / "assets.toml"
    assets.write_text(ASSETS)
    return WarningLists.load(ROOT / "rules", assets, cache=ROOT / ".pytest_cache" / "lists")


@pytest.fixture
def parts(tmp_path: Path, lists: WarningLists) -> Iterator[Parts]:
    store = store_in(tmp_path)
    yield Parts(store, Gate(store, lists, CITY))
    store.close()
