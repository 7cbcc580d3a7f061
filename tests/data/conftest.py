"""A cache of its own for a test, a small folder of pictures, and no proxy."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CIFARLAB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    draw = np.random.RandomState(0)
    for half in ("train", "test"):
        for kind in ("cat", "dog"):
            folder = tmp_path / "pets" / half / kind
            folder.mkdir(parents=True)
            for number in range(3):
                pixels = draw.randint(0, 256, (32, 32, 3)).astype(np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")
    return tmp_path / "pets"


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Downloads of the tests go to this machine."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
