#!/usr/bin/env bash
# Build the wheel, install it alone into an empty environment outside the repository, and run the demo there.
set -euo pipefail
repository=$(cd "$(dirname "$0")/.." && pwd)
cd "$repository"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

make --silent wheel
wheel=$(ls -t dist/cifarlab-*.whl | head -n 1)
"$repository/.venv/bin/python" -m venv "$scratch/environment"
links=${UV_FIND_LINKS:-${PIP_FIND_LINKS:-$(.venv/bin/python -m pip config get global.find-links 2>/dev/null || true)}}
folders=
for folder in $links; do [ -d "$folder" ] && folders=${folders:+$folders,}$folder; done
[ -n "$folders" ] && export UV_FIND_LINKS="$folders"
"$repository/.venv/bin/python" -m uv pip install --quiet --python "$scratch/environment/bin/python" \
    -c constraints.txt "$wheel"

cd "$scratch"
environment/bin/cifarlab train demo --out runs/demo
test -s runs/demo/report.html
environment/bin/python -c "from PIL import Image; Image.new('RGB', (200, 150), (200, 40, 40)).save('photo.png')"
environment/bin/cifarlab predict photo.png --json >answer.json # with the weights of the package
environment/bin/python - <<'PYTHON'
import json
from pathlib import Path

import cifarlab

assert "site-packages" in cifarlab.__file__, cifarlab.__file__
(answer,) = json.loads(Path("answer.json").read_text())
assert len(answer["probabilities"]) == 10, answer
accuracy = json.loads(Path("runs/demo/result.json").read_text())["test_accuracy"]
assert accuracy >= 0.98, accuracy
print(f"the wheel alone reaches {accuracy:.2%}")
PYTHON
