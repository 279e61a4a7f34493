"""The built site, for every test of this folder."""

from pathlib import Path

import pytest
from filelock import FileLock

from booktools.site.build import build

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def site() -> Path:
    """The folder of the built website; only what has changed is built again."""
    output = ROOT / "_build"
    output.mkdir(exist_ok=True)
    with FileLock(output / "site.lock"):  # several workers of pytest-xdist share the folder
        return build(ROOT).parent
