"""What a race's file says besides its runs: with what they were made, on what, and by which clock."""

import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import torch

from cifarlab.config import differences, fingerprint, from_json, to_json
from cifarlab.data.split import DataDescription
from cifarlab.errors import UserError
from cifarlab.files import sha256_of
from cifarlab.race.opponent import Opponent
from cifarlab.race.tiers import Tier
from cifarlab.recipe import Recipe
from cifarlab.runtime import NUMERICS_VERSION, hardware, versions

SCHEMA_VERSION = 1
_LONGEST = 200
"""Letters of a difference that is told in full."""
CLOCK = (
    "Included: everything that depends on the data or the weights, from the first look at the images to the "
    "last test prediction: normalizing, whitening, initialization, augmentation, all training steps, "
    "evaluation and test-time views. Excluded: importing, reading the files and the copy to the device; on a "
    "GPU one warm-up on random labels, half a second of matrix products before each run, and compiling and "
    "the recording of steps (CUDA graphs): in every run of ours, in the warm-up of a peer."
)
"""What is timed; it stands in every file, and what stands there is printed with its result."""
_EARLIER_CLOCK = CLOCK.partition(" Excluded: ")[0] + (
    " Excluded: importing, one warm-up on random labels (on a GPU), reading the files and the copy to the "
    "device, and, in every run, compiling and the recording of steps (CUDA graphs)."
)
"""Of earlier files; on a processor it says the same."""
FIXED = ("schema", "tier", "device", "hardware", "versions", "data", "official_data", "clock", "ours", "peer")
"""The entries of a header in which all runs of one file agree."""


def header_of(
    tier: Tier,
    recipe: Recipe,
    data: DataDescription,
    against: Opponent | None,
    device: torch.device,
    *,
    is_official: bool,
) -> dict[str, Any]:
    """What a record says besides its runs and its commands, as JSON values.

    Args:
        is_official: whether ``data`` are the publisher's own files of CIFAR-10.
    """
    peer = None
    if against is not None:
        sha256 = sha256_of(against.script)
        peer = {
            "name": against.script.stem,
            "sha256": sha256,
            "epochs": against.epochs,
            "precision": against.precision,
        }
    return {
        "schema": SCHEMA_VERSION,
        "tier": tier.name,
        "clock": CLOCK,
        "device": str(device),
        "hardware": hardware(device),
        "versions": versions(),
        "data": to_json(data),
        "official_data": is_official,
        "ours": {
            "recipe_name": tier.recipe,
            "fingerprint": fingerprint(recipe),
            "numerics": NUMERICS_VERSION,
            "recipe": to_json(recipe),
        },
        "peer": peer,
    }


def with_command(header: dict[str, Any], command: str, runs: int) -> dict[str, Any]:
    """The header with one more command: ``command`` is the first, ``commands`` are all, with times."""
    time = datetime.now(UTC).isoformat(timespec="seconds")
    commands = [*header.get("commands", []), {"command": command, "runs": runs, "time": time}]
    return {**header, "command": header.get("command", command), "commands": commands}


def times_raised(header: dict[str, Any]) -> int:
    """How many of the commands asked for more runs than any before them."""
    asked = [each["runs"] for each in header.get("commands", [])]
    return sum(runs > max(asked[:place]) for place, runs in enumerate(asked) if place)


def fixed_part(header: dict[str, Any]) -> dict[str, Any]:
    """The entries in which all runs of one file agree; what the peer's adapter says of itself comes later."""
    fixed = {name: header.get(name) for name in FIXED}
    if isinstance(fixed["peer"], dict):
        fixed["peer"] = {name: value for name, value in fixed["peer"].items() if name != "facts"}
    return fixed


def differing(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What keeps runs under two headers apart, as lines; empty where they belong into one file.

    A setting that a recipe did not have yet when a header was written has its default there.
    """
    return differences(_as_of_today(fixed_part(before)), _as_of_today(fixed_part(after)))


def lasting_facts(facts: dict[str, Any]) -> dict[str, Any]:
    """What a peer's worker says of itself without what a clock put there."""
    return {name: value for name, value in facts.items() if name != "warm_up_seconds"}


def in_one_line(changes: Sequence[str]) -> str:
    """The first three of several differences; of a long one the name of the entry alone."""
    short = [
        each if len(each) <= _LONGEST else f"{each.partition(': ')[0]}: other values" for each in changes
    ]
    return "; ".join(short[:3]) + (f", and {len(changes) - 3} more" if len(changes) > 3 else "")


def _as_of_today(header: dict[str, Any]) -> dict[str, Any]:
    if header.get("device") == "cpu" and header.get("clock") == _EARLIER_CLOCK:
        header = {**header, "clock": CLOCK}
    with contextlib.suppress(UserError, KeyError, TypeError):
        recipe = from_json(Recipe, header["ours"]["recipe"])
        ours = {**header["ours"], "recipe": to_json(recipe), "fingerprint": fingerprint(recipe)}
        return {**header, "ours": ours}
    return header
