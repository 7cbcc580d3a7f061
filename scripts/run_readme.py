"""Execute what the README shows: every ``sh`` and ``python`` block, in order, in a copy of the repository.

The copy has the files that a block may name: ``my-pictures/`` with three classes and ``photo.png``.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

REPOSITORY = Path(__file__).resolve().parent.parent


def commands(text: str) -> list[list[str]]:
    """What to execute for each block fenced as ``sh`` or ``python``."""
    starts = {"sh": ["bash", "-euo", "pipefail", "-c"], "python": ["python", "-c"]}
    blocks = re.findall(r"^```(sh|python)\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    return [[*starts[language], block] for language, block in blocks]


def make_pictures(folder: Path) -> None:
    """A data set of the user's own: 3 classes of 24 pictures of different sizes, told apart by color."""
    random = np.random.default_rng(0)
    for place, name in enumerate(("apples", "bananas", "cherries")):
        (folder / name).mkdir(parents=True)
        for number in range(24):
            pixels = random.integers(0, 120, (48 + number, 64, 3), dtype=np.uint8)
            pixels[:, :, place] += 120
            Image.fromarray(pixels).save(folder / name / f"{number}.png")


def main() -> int:
    """Run all blocks; the first that fails ends it."""
    blocks = commands((REPOSITORY / "README.md").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "cifarlab"
        listing = subprocess.run(
            ["git", "ls-files", "-z"], cwd=REPOSITORY, check=True, capture_output=True, text=True
        )
        for name in filter(None, listing.stdout.split("\0")):
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes((REPOSITORY / name).read_bytes())
        # The environment stands already; make must see that it is newer than what it is made from.
        (copy / ".venv").symlink_to(REPOSITORY / ".venv")
        (REPOSITORY / ".venv" / "installed").touch()
        make_pictures(copy / "my-pictures")
        Image.new("RGB", (200, 150), (200, 40, 40)).save(copy / "photo.png")
        environment = {
            **os.environ,
            "PATH": f"{REPOSITORY / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}",
        }
        for block in blocks:
            print(f"$ {block[-1].rstrip()}", flush=True)
            done = subprocess.run(block, cwd=copy, env=environment, check=False)
            if done.returncode:
                print(f"this block of the README failed with exit code {done.returncode}", file=sys.stderr)
                return 1
    print(f"all {len(blocks)} blocks of the README ran")
    return 0


if __name__ == "__main__":
    sys.exit(main())
