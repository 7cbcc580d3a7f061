"""The folder that a run leaves, from a tiny run on the digits."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from cifarlab import run
from cifarlab.config import to_json
from cifarlab.data.batches import whole
from cifarlab.data.digits import open_digits
from cifarlab.data.split import Source
from cifarlab.errors import UserError
from cifarlab.evaluate import logits_of
from cifarlab.recipe import Recipe
from cifarlab.runtime import NUMERICS_VERSION
from cifarlab.statistics import accuracy_interval
from cifarlab.train import train
from run_samples import RECIPE, train_tiny

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def source() -> Source:
    return open_digits()


@pytest.fixture(scope="module")
def trained(source: Source, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run; tests that change something work on a copy."""
    return train_tiny(source, tmp_path_factory.mktemp("run") / "finished")


@pytest.fixture
def copied(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "copied"))


def test_the_folder_holds_exactly_its_files(trained: Path) -> None:
    files = {"recipe.json", "result.json", "model.safetensors", "test_logits.safetensors"}
    logs = {"metrics.jsonl", "parameters.jsonl"}
    assert {path.name for path in trained.iterdir()} - {".lock"} == files | logs


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
        "temperature": 1.0,
        "views": None,
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
    assert (found.numerics, found.schema) == (NUMERICS_VERSION, 2)


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


def test_runs_are_listed_by_name(trained: Path, tmp_path: Path) -> None:
    for name in ("b", "a"):
        shutil.copytree(trained, tmp_path / name)
    (tmp_path / "no run").mkdir()
    (tmp_path / "file").write_text("x")
    assert [path.name for path in run.list_runs(tmp_path)] == ["a", "b"]
    assert run.list_runs(tmp_path / "absent") == []


def test_a_folder_that_may_not_be_looked_into_hides_no_other_run(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("b", "locked", "a"):
        shutil.copytree(trained, tmp_path / name)
    is_file = Path.is_file

    def guarded(path: Path) -> bool:
        if path.parent.name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return is_file(path)

    monkeypatch.setattr(Path, "is_file", guarded)
    assert [path.name for path in run.list_runs(tmp_path)] == ["a", "b"]


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
