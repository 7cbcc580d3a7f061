"""Put a finished run into the package: its weights, what it says of itself, and a card.

    python scripts/ship_weights.py runs/fast-cnn fast-cnn --limits "What it was not made for."

Test pictures, logits and paths stay behind. A temperature is fitted on the run's validation images and goes
along with the weights.
"""

import argparse
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from cifarlab import run
from cifarlab.errors import UserError
from cifarlab.explain.conduct import temperature_of
from cifarlab.explain.confidence import HIGHEST, LOWEST, Temperature
from cifarlab.explain.subjects import read_kept_test
from cifarlab.files import make_folder, write_atomic, write_json
from cifarlab.own_data import own_data, own_source
from cifarlab.predict import Classifier
from cifarlab.report import words

WEIGHTS = Path(__file__).resolve().parent.parent / "src" / "cifarlab" / "weights"
TRAVELS = (run.RECIPE, run.METRICS)


def temperature(folder: Path) -> Temperature | None:
    """Fitted on the validation images, judged on the test images; None where they set no limit to it."""
    classifier = Classifier.open(folder, "cpu")
    trained, data = classifier.trained, own_data(folder, own_source(folder), classifier.device)
    kept = read_kept_test(folder, len(trained.class_names), trained.image_size)
    found, _ = temperature_of(run.read_description(folder), classifier, data, kept)
    if found is None:
        raise UserError(f"{folder} has no validation images to fit a temperature on")
    return found if LOWEST * 1.01 < found.value < HIGHEST * 0.99 else None


def calibration_told(result: dict[str, Any], scaling: Temperature | None) -> str:
    """The card's words on how sure the network is."""
    if scaling is None:
        return (
            f"expected calibration error {words.percent(result['calibration']['ece'])}. No temperature is\n"
            "  fitted: the held-out images, all of them right, would make the network surer without end."
        )
    return (
        f"expected calibration error {words.percent(scaling.error_before)}. With logits divided\n"
        f"  by {scaling.value:.3f}, fitted on the {words.count(scaling.fitted_on)} held-out images, it is\n"
        f"  {words.percent(scaling.error_after)} on the test images. `predict`, `serve` and the\n"
        "  ONNX export divide them; `evaluate` does not."
    )


def card(folder: Path, name: str, scaling: Temperature | None, limits: str) -> str:
    """Data, recipe, accuracy, calibration, limits, as Markdown."""
    result, description = run.read_result(folder), run.read_description(folder)
    low, high = (words.percent(bound) for bound in result["interval"])
    machine, versions = result["hardware"], result["versions"]
    rows = "\n".join(f"| {row['class']} | {words.percent(row['accuracy'])} |" for row in result["per_class"])
    made = (
        f"{machine['processor']}, {machine['threads']} thread(s), torch {versions['torch']}, in "
        f"{words.count(round(result['seconds']))} seconds"
    )
    return f"""# {name}

Recipe `{result["recipe_name"]}`, {words.count(result["parameters"]["trainable"])} trainable parameters,
seed {description.seed}, {result["last_epoch"]} epochs, {result["precision"]}:

    {result["command"]}

- **Data**: {description.data.name}; {words.count(result["train_images"])} training images,
  {words.count(result["val_images"])} held out to choose the epoch ({result["best_epoch"]}),
  {words.count(result["test_images"])} test images, opened once.
- **Accuracy** on these test images: {words.percent(result["test_accuracy"])} (95 % interval {low} to {high}).
  It is one run; how far another seed would land is not in the interval.
- **Calibration**: {calibration_told(result, scaling)}
- **Made on** {made}.
- **Limits**: {limits}

| class | accuracy |
|---|---|
{rows}
"""


def main() -> None:
    """Copy, clean, write the card."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("name")
    parser.add_argument("--limits", required=True)
    options = parser.parse_args()
    target = WEIGHTS / options.name
    make_folder(target)
    scaling = temperature(options.run)
    text = card(options.run, options.name, scaling, options.limits)
    for file in TRAVELS:
        shutil.copyfile(options.run / file, target / file)
    result = run.read_result(options.run)
    result.pop("data_argument", None)  # a path of the machine
    trained, weights, _ = run.read_weights(options.run)
    value = 1.0 if scaling is None else round(scaling.value, 3)
    sha256 = run.write_weights(target, weights, replace(trained, temperature=value))
    write_json(target / run.RESULT, {**result, "weights_sha256": sha256})
    write_atomic(target / "card.md", text.encode())
    print(json.dumps({"name": options.name, "bytes": sum(p.stat().st_size for p in target.iterdir())}))


if __name__ == "__main__":
    main()
