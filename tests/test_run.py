"""The folder that a run leaves, from a tiny run on the digits."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from cifarlab import run
from cifarlab.augment import RandomCrop
from cifarlab.checkpoint import encode
from cifarlab.config import to_json
from cifarlab.data.batches import whole
from cifarlab.data.digits import open_digits
from cifarlab.data.split import Source
from cifarlab.errors import UserError
from cifarlab.evaluate import logits_of
from cifarlab.models import PlainCnn
from cifarlab.optim import Adam
from cifarlab.recipe import Recipe
from cifarlab.runtime import NUMERICS_VERSION
from cifarlab.schedules import MultiStep
from cifarlab.statistics import accuracy_interval
from cifarlab.train import train

RECIPE = Recipe(
    model=PlainCnn(widths=(4, 4, 8), batch_norm=True, dropout=(0.0, 0.1, 0.1)),
    augment=(RandomCrop(padding=2),),
    optimizer=Adam(lr=0.01),
    schedule=MultiStep(milestones=(1,), factor_per_step=1000.0),
    epochs=2,
    batch_size=5,
    train_images=100,
)
"""The second epoch ruins what the first has learned, so that the best weights are not the last."""
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def source() -> Source:
    return open_digits()


@pytest.fixture(scope="module")
def trained(source: Source, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run; tests that change something work on a copy."""
    folder = tmp_path_factory.mktemp("run") / "finished"
    train(RECIPE, source, folder, recipe_name="tiny", seed=3, device="cpu", protocols="B,C")
    return folder


@pytest.fixture
def copied(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "copied"))


def test_the_folder_holds_exactly_its_files(trained: Path) -> None:
    files = {"recipe.json", "metrics.jsonl", "result.json", "model.safetensors", "test_logits.safetensors"}
    assert {path.name for path in trained.iterdir()} - {".lock"} == files


def test_equal_runs_have_equal_bytes(trained: Path, source: Source, tmp_path: Path) -> None:
    """No times, paths or commands in the weights: a second run, elsewhere and later, has the same file."""
    torch.manual_seed(999)
    other = tmp_path / "elsewhere"
    train(RECIPE, source, other, recipe_name="tiny", seed=3, device="cpu", protocols="B,C", command="other")
    for name in ("model.safetensors", "test_logits.safetensors", "recipe.json"):
        assert (other / name).read_bytes() == (trained / name).read_bytes(), name


def test_another_seed_gives_other_weights(trained: Path, source: Source, tmp_path: Path) -> None:
    train(RECIPE, source, tmp_path / "other", seed=4, device="cpu")
    assert (tmp_path / "other" / "model.safetensors").read_bytes() != (
        trained / "model.safetensors"
    ).read_bytes()


def test_the_weights_say_what_rebuilds_them_and_nothing_else(trained: Path) -> None:
    with safe_open(trained / "model.safetensors", "pt") as file:
        metadata = file.metadata()
    assert list(metadata) == ["cifarlab"]
    found = json.loads(metadata["cifarlab"])
    assert list(found) == ["network"]
    assert found["network"] == {
        "type": "TrainedNetwork",
        "model": to_json(RECIPE.model),
        "normalize": to_json(RECIPE.normalize),
        "class_names": list("0123456789"),
        "image_size": 32,
        "preparation": to_json(open_digits().description.preparation),
    }


def test_the_loaded_network_gives_the_stored_logits(trained: Path, source: Source) -> None:
    torch.manual_seed(5)
    built, network = run.load_network(trained)
    assert not any(module.training for module in network.modules())
    stored = load_file(trained / "test_logits.safetensors")
    test = source.read_test()
    found = logits_of(network, whole(test, CPU), built.normalize)
    torch.testing.assert_close(found, stored["logits"], rtol=1e-5, atol=1e-5)
    assert torch.equal(stored["labels"], test.labels)
    wrong = stored["logits"].argmax(1) != test.labels
    assert wrong[stored["mistakes"]].all()
    assert torch.equal(stored["mistake_images"], test.images[stored["mistakes"]])


def test_the_result_keeps_its_contract(trained: Path, source: Source) -> None:
    result = json.loads((trained / "result.json").read_text())
    stored = load_file(trained / "test_logits.safetensors")
    right = int((stored["logits"].argmax(1) == stored["labels"]).sum())
    assert result["test_images"] == 450
    assert result["test_accuracy"] == right / 450
    assert 0 <= result["test_accuracy"] <= 1
    assert result["interval"] == list(accuracy_interval(right, 450))
    assert result["interval"][0] < result["test_accuracy"] < result["interval"][1]
    assert result["status"] == "finished"
    assert result["recipe_name"] == "tiny"
    assert (result["train_images"], result["val_images"]) == (100, 135)
    assert (result["seed"], result["protocols"], result["select_by"]) == (3, "B,C", "val_accuracy")
    assert sum(map(sum, result["confusion_matrix"])) == 450
    assert sum(result["confusion_matrix"][i][i] for i in range(10)) == right
    assert [row["class"] for row in result["per_class"]] == list("0123456789")
    assert (
        result["parameters"]["total"]
        == result["parameters"]["trainable"] + result["parameters"]["statistics"]
    )
    assert result["training_flops"] == 3 * result["flops"] * 100 * 2
    assert result["data"]["test_sha256"] == source.read_test().sha256()
    assert (result["device"], result["precision"]) == ("cpu", "fp32")
    assert {"torch", "numpy"} <= set(result["versions"])
    assert result["seconds"] > 0


def test_the_result_names_the_best_epoch_of_the_metrics(trained: Path) -> None:
    result, lines = run.read_result(trained), run.read_metrics(trained)
    assert [line["epoch"] for line in lines] == [1, 2]
    assert [line["step"] for line in lines] == [20, 40]
    best = max(lines, key=lambda line: (line["val_accuracy"], -line["epoch"]))
    assert (result["best_epoch"], result["val_accuracy"]) == (best["epoch"], best["val_accuracy"])
    assert result["test_accuracy"] == best["test_accuracy"]
    watched = max(lines, key=lambda line: (line["test_accuracy"], -line["epoch"]))
    assert result["best_on_test"] == {"epoch": watched["epoch"], "test_accuracy": watched["test_accuracy"]}
    assert (result["best_epoch"], result["last_epoch"]) == (1, 2)
    assert result["last"]["test_accuracy"] < result["test_accuracy"]
    assert result["last"]["test_accuracy"] == lines[-1]["test_accuracy"]


def test_the_description_comes_back(trained: Path, source: Source) -> None:
    found = run.read_description(trained)
    assert found == run.RunDescription("tiny", RECIPE, source.description, 3, "B,C")
    assert (found.numerics, found.schema) == (NUMERICS_VERSION, 1)


def test_a_line_that_a_crash_cut_short_is_left_out(copied: Path) -> None:
    whole_lines = run.read_metrics(copied)
    with (copied / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 3, "st')
    assert run.read_metrics(copied) == whole_lines


def test_metrics_are_written_and_added_to(tmp_path: Path) -> None:
    (tmp_path / "recipe.json").write_text("{}")
    run.write_metrics(tmp_path, [{"epoch": 1}])
    run.append_metrics(tmp_path, {"epoch": 2})
    assert run.read_metrics(tmp_path) == [{"epoch": 1}, {"epoch": 2}]
    run.write_metrics(tmp_path, [])
    assert run.read_metrics(tmp_path) == []


def test_a_new_run_touches_nothing_that_is_there(copied: Path, source: Source, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in copied.iterdir()}
    with pytest.raises(UserError, match="exists already; go on with --resume"):
        train(RECIPE, source, copied, device="cpu")
    assert {path.name: path.read_bytes() for path in copied.iterdir()} == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")
    (tmp_path / "file").write_text("x")
    for name in ("mine", "file"):
        with pytest.raises(UserError, match="is no run folder; choose another --out"):
            run.refuse_existing(tmp_path / name)
    (tmp_path / "empty").mkdir()
    for name in ("empty", "absent"):
        run.refuse_existing(tmp_path / name)


def test_a_run_that_cannot_begin_leaves_nothing_behind(source: Source, tmp_path: Path) -> None:
    """Else the same command with the mistake corrected would be refused."""
    folder = tmp_path / "run"
    with pytest.raises(UserError, match="15 images cannot be equal over 10 classes"):
        train(Recipe(RECIPE.model, train_images=15), source, folder, device="cpu")
    run.refuse_existing(folder)
    assert not (folder / "recipe.json").exists()


def set_field(name: str, value: Any) -> Callable[[Path], object]:
    def change(path: Path) -> None:
        document = json.loads(path.read_text())
        document[name] = value
        path.write_text(json.dumps(document))

    return change


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("recipe.json", lambda path: path.write_text("{"), "is damaged: it is not JSON"),
        ("recipe.json", lambda path: path.write_text("[]"), "has schema None; this cifarlab reads schema 1"),
        ("recipe.json", set_field("schema", 2), "has schema 2; this cifarlab reads schema 1"),
        ("recipe.json", set_field("schema", "\x1b\n"), "has schema"),
        ("recipe.json", set_field("sed", 1), "sed: no such field; did you mean seed?"),
        ("recipe.json", set_field("recipe", {"type": "Recipe"}), "recipe.model: this field is missing"),
        ("recipe.json", lambda path: path.unlink(), "is not a run folder (it has no recipe.json)"),
    ],
)
def test_a_damaged_description_is_said_in_one_line(
    copied: Path, name: str, damage: Callable[[Path], object], message: str
) -> None:
    damage(copied / name)
    with pytest.raises(UserError) as caught:
        run.read_description(copied)
    assert message in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.unlink(), "has not finished; finish it with train"),
        (lambda path: path.write_text("{"), "is damaged"),
        (lambda path: path.write_text("{}"), "is damaged: it does not say how the run ended"),
        (lambda path: path.write_text("[]"), ""),
        (lambda path: path.write_text('"finished"'), ""),
        (lambda path: run.mark_diverged(path.parent, "epoch 1:\nboom"), "diverged: epoch 1:\ufffdboom"),
    ],
    ids=["missing", "cut short", "empty object", "a list", "a text", "diverged"],
)
def test_a_result_that_is_none_is_said_in_one_line(
    copied: Path, damage: Callable[[Path], object], message: str
) -> None:
    damage(copied / "result.json")
    with pytest.raises(UserError) as caught:
        run.read_result(copied)
    assert message in str(caught.value)
    assert str(caught.value).isprintable()


def without_a_tensor(path: Path) -> None:
    weights = load_file(path)
    weights.popitem()
    _, rest = run.read_weights(path.parent)[:2]
    rest.popitem()
    network = run.read_weights(path.parent)[0]
    path.write_bytes(encode(rest, {"network": to_json(network)}))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.unlink(), "has no weights yet; finish it with train"),
        (lambda path: path.write_bytes(b""), "is damaged, or not a file of cifarlab"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "is damaged, or not a file of cifarlab"),
        (lambda path: path.write_bytes(b"\xff" * 100), "is damaged, or not a file of cifarlab"),
        (lambda path: save_file({"x": torch.zeros(1)}, path), "is damaged, or not a file of cifarlab"),
        (lambda path: path.write_bytes(encode({}, {})), "TrainedNetwork: expected an object, found None"),
        (lambda path: path.write_bytes(encode({}, {"network": {}})), "this field is missing"),
        (without_a_tensor, "do not fit this network"),
    ],
    ids=[
        "missing",
        "empty",
        "cut short",
        "noise",
        "another's file",
        "no network",
        "half a network",
        "a tensor less",
    ],
)
def test_damaged_weights_are_said_in_one_line(
    copied: Path, damage: Callable[[Path], object], message: str
) -> None:
    damage(copied / "model.safetensors")
    with pytest.raises(UserError) as caught:
        run.load_network(copied)
    assert message in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_missing_run_is_answered_with_the_nearest(trained: Path) -> None:
    with pytest.raises(UserError, match=r"finishd does not exist; did you mean finished\?"):
        run.require_run(trained.parent / "finishd")
    with pytest.raises(UserError, match=r"is not a run folder \(it has no recipe.json\)"):
        run.require_run(trained.parent)


def test_runs_are_listed_by_name(trained: Path, tmp_path: Path) -> None:
    for name in ("b", "a"):
        shutil.copytree(trained, tmp_path / name)
    (tmp_path / "no run").mkdir()
    (tmp_path / "file").write_text("x")
    assert [path.name for path in run.list_runs(tmp_path)] == ["a", "b"]
    assert run.list_runs(tmp_path / "absent") == []


def test_a_second_process_is_refused_and_a_free_lock_is_taken(tmp_path: Path) -> None:
    folder = tmp_path / "evil\x1b\nrun"
    with run.claimed(folder):
        with pytest.raises(UserError) as caught, run.claimed(folder):
            pytest.fail("claimed twice")
        assert "another process works in" in str(caught.value)
        assert str(caught.value).isprintable()
    with run.claimed(folder):
        pass


def test_an_error_inside_a_claimed_folder_is_not_taken_for_one_of_the_lock(tmp_path: Path) -> None:
    """`cifarlab train demo | head -1` ends with a broken pipe, which says nothing about the folder."""
    with pytest.raises(BrokenPipeError), run.claimed(tmp_path / "run"):
        raise BrokenPipeError
    with run.claimed(tmp_path / "run"):
        pass
