"""What the API answers, against what the library says without it."""

import base64
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")

from cifarlab.data.digits import open_digits
from cifarlab.explain.gradcam import layers_of
from cifarlab.predict import Classifier, predict
from cifarlab.web.desk import _Recent
from web.samples import HOSTILE
from web.served import Served, served


@pytest.fixture(scope="module")
def server(shown_runs: Path) -> Iterator[Served]:
    with served(shown_runs, default="digits") as running:
        yield running


def form(content: bytes) -> tuple[bytes, dict[str, str]]:
    """A form with the picture, and its headers."""
    body = b'--x\r\nContent-Disposition: form-data; name="picture"; filename="../a.png"\r\n\r\n' + content
    return body + b"\r\n--x--\r\n", {"Content-Type": "multipart/form-data; boundary=x"}


def test_the_list_tells_every_run_whatever_its_state(server: Served, shown_runs: Path) -> None:
    found = server.ask("/api/runs").value
    assert found["default"] == "digits"
    states = {run["name"]: run["status"] for run in found["runs"]}
    assert states == {
        "attention": "finished",
        "damaged": "damaged",
        "digits": "finished",
        HOSTILE: "finished",
        "unfinished": "unfinished",
    }
    by_name = {run["name"]: run for run in found["runs"]}
    result = json.loads((shown_runs / "digits" / "result.json").read_text())
    assert by_name["digits"]["test_accuracy"] == result["test_accuracy"]
    assert by_name["digits"]["interval"] == result["interval"]
    assert {name for name, run in by_name.items() if run["usable"]} == {"attention", "digits", HOSTILE}
    assert by_name["digits"]["names_data"] and not by_name[HOSTILE]["names_data"]


def test_a_run_and_its_log(server: Served, shown_runs: Path) -> None:
    details = server.ask("/api/runs/digits").value
    assert details["class_names"] == list("0123456789")
    assert (details["epochs"], details["image_size"], details["names_data"]) == (2, 32, True)
    log = server.ask("/api/runs/digits/metrics").value
    lines = [json.loads(line) for line in (shown_runs / "digits" / "metrics.jsonl").read_text().splitlines()]
    assert [row["train_loss"] for row in log["epochs"]] == [line["train_loss"] for line in lines]
    assert log["notes"] == []


def test_a_damaged_log_is_said_and_one_that_has_not_begun_is_not(shown_runs: Path, tmp_path: Path) -> None:
    for name in ("digits", "unfinished"):
        shutil.copytree(shown_runs / name, tmp_path / name)
    log = tmp_path / "digits" / "metrics.jsonl"
    log.write_bytes(b"{torn\n" + log.read_bytes())
    with served(tmp_path) as server:
        told = server.ask("/api/runs/digits/metrics").value
        assert len(told["epochs"]) == 2
        assert told["notes"] == ["1 line of metrics.jsonl is torn or damaged and left out."]
        log.unlink()
        [missing] = server.ask("/api/runs/digits/metrics").value["notes"]
        assert missing.startswith("metrics.jsonl is missing")
        log.mkdir()
        assert server.ask("/api/runs/digits/metrics").value["notes"] == ["metrics.jsonl cannot be read."]
        (tmp_path / "unfinished" / "metrics.jsonl").unlink()
        begun = {"status": "unfinished", "epochs": [], "notes": []}
        assert server.ask("/api/runs/unfinished/metrics").value == begun


@pytest.mark.parametrize("as_form", [True, False], ids=["form", "body"])
def test_a_picture_is_classified_as_the_library_does(
    server: Served, shown_runs: Path, picture: bytes, tmp_path: Path, as_form: bool
) -> None:
    (tmp_path / "a.png").write_bytes(picture)
    [expected] = predict(shown_runs / "digits", [tmp_path / "a.png"], device="cpu")
    body, headers = form(picture) if as_form else (picture, {})
    answer = server.ask("/api/runs/digits/predict", body, headers=headers)
    assert answer.status == 200
    assert answer.value["class"] == expected.class_name
    assert answer.value["probabilities"] == pytest.approx(expected.probabilities, abs=1e-9)


def test_explanations_name_their_layers_and_masks(server: Served, shown_runs: Path, picture: bytes) -> None:
    layers = layers_of(Classifier.open(shown_runs / "attention", "cpu").network)
    first = server.ask("/api/runs/attention/explain", picture).value
    assert first["layers"] == list(layers) and first["grad_cam"]["name"] == layers[-1]
    assert [each["name"] for each in first["masks"]] == [f"stage {n}, block 1" for n in (1, 2, 3)]
    maps = {first["grad_cam"]["overlay"]}
    for asked in (f"layer={layers[0]}", f"layer={layers[0]}&class=frog", f"layer={layers[0]}&class=cat"):
        maps.add(server.ask(f"/api/runs/attention/explain?{asked}", picture).value["grad_cam"]["overlay"])
    assert len(maps) >= 3, "another layer or class is another map"
    assert all(base64.b64decode(each.partition(",")[2]).startswith(b"\x89PNG") for each in maps)
    assert server.ask("/api/runs/digits/explain", picture).value["masks"] == []


@pytest.mark.parametrize("asked", ["layer=nope", "class=nope", "layer=../../etc/passwd", "layer=%00"])
def test_an_unknown_layer_or_class_is_refused(server: Served, picture: bytes, asked: str) -> None:
    answer = server.ask(f"/api/runs/attention/explain?{asked}", picture)
    assert answer.status == 404 and "no such" in answer.value["detail"]


def test_a_training_image_is_most_like_itself(server: Served, shown_runs: Path) -> None:
    sample = server.ask("/api/runs/digits/sample?index=7").value
    test = open_digits().read_test()
    assert sample["class"] == str(int(test.labels[7]))
    again = server.ask(f"/api/runs/digits/sample?index={7 + len(test)}").value
    assert again == sample, "the index counts round and round"
    pixels = base64.b64decode(sample["picture"].partition(",")[2])
    found = server.ask("/api/runs/digits/nearest?count=3", pixels).value
    similarities = [each["similarity"] for each in found["neighbors"]]
    assert len(similarities) == 3 and similarities == sorted(similarities, reverse=True)
    most_similar = base64.b64decode(found["neighbors"][0]["picture"].partition(",")[2])
    itself = server.ask("/api/runs/digits/nearest?count=1", most_similar).value["neighbors"][0]
    assert itself["index"] == found["neighbors"][0]["index"]
    assert itself["similarity"] == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/api/runs/attention/nearest", 409, "this run's data are not at hand"),
        ("/api/runs/unfinished/predict", 409, "this run's network cannot be used"),
        ("/api/runs/damaged/predict", 409, "this run's network cannot be used"),
        ("/api/runs/absent/predict", 404, "there is no such run"),
        ("/api/runs/digits/nearest?count=51", 422, "count"),
        ("/api/runs/digits/nearest?count=many", 422, "count"),
        ("/nowhere", 404, "Not Found"),
    ],
)
def test_a_refusal_is_one_line_without_paths(
    server: Served, shown_runs: Path, picture: bytes, path: str, status: int, words: str
) -> None:
    answer = server.ask(path, picture)
    assert answer.status == status
    assert list(answer.value) == ["detail"] and words in answer.value["detail"]
    assert "\n" not in answer.value["detail"]
    assert str(shown_runs.parent).encode() not in answer.body and b"Traceback" not in answer.body


def test_an_error_of_ours_is_told_at_the_terminal_only(
    server: Served, picture: bytes, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("cifarlab.web.desk.picture_png", lambda *_, **__: 1 / 0)
    answer = server.ask("/api/runs/digits/predict", picture)
    assert answer.status == 500
    assert answer.value == {"detail": "something went wrong in the server; its terminal says more"}
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_the_openapi_description_is_whole(server: Served) -> None:
    described = server.ask("/api/openapi.json").value
    assert set(described["paths"]) == {
        "/api/runs",
        *(
            f"/api/runs/{{name}}{rest}"
            for rest in ("", "/metrics", "/predict", "/explain", "/nearest", "/sample")
        ),
    }
    body = described["paths"]["/api/runs/{name}/predict"]["post"]["requestBody"]
    assert {"image/png", "multipart/form-data"} <= set(body["content"])
    responses = described["paths"]["/api/runs/{name}/predict"]["post"]["responses"]
    assert {"403", "404", "408", "409", "413", "422", "429", "503"} <= set(responses)
    assert "class" in described["components"]["schemas"]["Prediction"]["properties"]


def test_new_weights_in_a_run_are_used(shown_runs: Path, picture: bytes, tmp_path: Path) -> None:
    shutil.copytree(shown_runs / "attention", tmp_path / "runs" / "one")
    with served(tmp_path / "runs") as server:
        before = server.ask("/api/runs/one/predict", picture).value
        shutil.copytree(shown_runs / HOSTILE, tmp_path / "runs" / "one", dirs_exist_ok=True)
        assert (
            server.ask("/api/runs/one/predict", picture).value["probabilities"].keys()
            != before["probabilities"].keys()
        )


def test_the_media_type_of_a_form_may_be_written_in_capitals(server: Served, picture: bytes) -> None:
    body, _ = form(picture)
    headers = {"Content-Type": "Multipart/Form-Data; boundary=x"}
    assert server.ask("/api/runs/digits/predict", body, headers=headers).status == 200


@pytest.mark.parametrize("path", ["/", "/api", "/static/app.js", "/runs/digits/report"])
def test_a_page_may_be_asked_for_its_headers_alone(server: Served, path: str) -> None:
    head, whole = server.ask(path, method="HEAD"), server.ask(path)
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == str(len(whole.body))


def test_what_cannot_be_opened_pushes_nothing_out_of_the_desk() -> None:
    kept = _Recent[str](2)
    assert (kept.get(1, lambda: "one"), kept.get(2, lambda: "two")) == ("one", "two")
    for key in (3, 4, 5):
        with pytest.raises(ZeroDivisionError):
            kept.get(key, lambda: str(1 // 0))
    assert (kept.get(1, lambda: "new"), kept.get(2, lambda: "new")) == ("one", "two")
    assert kept.get(3, lambda: "three") == "three"
    assert kept.get(1, lambda: "new") == "new", "the one that was used longest ago made room"
