"""Finished runs with chosen answers, for tests of comparisons: one is trained, the rest are its copies."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from cifarlab import run
from cifarlab.checkpoint import encode
from cifarlab.train import train
from support import small_recipe, synthetic_source


def trained(folder: Path) -> Path:
    """A finished run with seed 0 on 30 test images, in a blink."""
    source = synthetic_source()
    train(small_recipe(epochs=1), source, folder, recipe_name="small", device="cpu")
    return folder


def copied(original: Path, folder: Path, right: Sequence[bool], **changes: Any) -> Path:
    """``original`` with other answers: right at the images where ``right`` says so.

    ``changes`` replace fields of ``recipe.json`` by dotted path written with ``__``, such as
    ``recipe__epochs=2``; those of ``result.json`` begin with ``result__``.
    """
    shutil.copytree(original, folder)
    documents = {name: json.loads((folder / name).read_text()) for name in (run.RECIPE, run.RESULT)}
    for name, value in changes.items():
        file, path = run.RECIPE, name.split("__")
        if path[0] == "result":
            file, path = run.RESULT, path[1:]
        target = documents[file]
        for each in path[:-1]:
            target = target[each]
        target[path[-1]] = value
    for name, document in documents.items():
        (folder / name).write_text(json.dumps(document))
    labels = torch.arange(len(right)) % 3
    answered = torch.where(torch.tensor(right), labels, (labels + 1) % 3)
    logits = torch.nn.functional.one_hot(answered, 3).float()
    (folder / run.TEST_LOGITS).write_bytes(encode({"logits": logits, "labels": labels}, {}))
    return folder


def answers(images: int, *wrong: int) -> list[bool]:
    """Right everywhere but at ``wrong``."""
    return [place not in wrong for place in range(images)]
