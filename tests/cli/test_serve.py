"""``cifarlab serve`` as a user types it."""

import http.client
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")

from cifarlab.cli import main
from cifarlab.train import train
from support import small_recipe, synthetic_source


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("one") / "mine"
    train(small_recipe(epochs=1), synthetic_source(), folder, device="cpu")
    return folder


@pytest.mark.parametrize(
    "start",
    [
        pytest.param((), id="as a user does"),
        # As a script does with a command behind which it writes &.
        pytest.param(("sh", "-c", 'trap "" INT; exec "$@"', "sh"), id="ignored", marks=pytest.mark.soak),
    ],
)
def test_it_prints_its_address_answers_and_ends_at_once_with_ctrl_c(
    start: tuple[str, ...], run: Path, tmp_path: Path
) -> None:
    command = subprocess.Popen(
        [*start, sys.executable, "-m", "cifarlab", "serve", str(run), "--port", "0", "--device", "cpu"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    assert command.stdout is not None
    said = command.stdout.readline()
    assert said.startswith("cifarlab is at http://127.0.0.1:") and said.endswith("/ (Ctrl-C ends it)\n")
    port = int(said.partition("127.0.0.1:")[2].partition("/")[0])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", "/api/runs")  # and stays open
    assert b'"default":"mine"' in connection.getresponse().read()
    with pytest.raises(OSError):
        socket.create_connection((_own_address(), port), timeout=5).close()
    began = time.monotonic()
    command.send_signal(signal.SIGINT)
    out, complaint = command.communicate(timeout=20)
    assert (command.returncode, out, complaint) == (130, "", "cifarlab: stopped\n")
    assert time.monotonic() - began < 10
    connection.close()


def _own_address() -> str:
    """Another address of this machine than 127.0.0.1: all of 127.0.0.0/8 leads here on Linux."""
    return "127.0.0.2"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["RUN", "--port", "TAKEN"], "is taken; choose another --port, or 0 for a free one"),
        (["RUN", "--port", "65536"], "--port 65536 is not between 0 and 65535"),
        (["RUN", "--port", "-1"], "--port -1 is not between 0 and 65535"),
        (["RUN", "--host", "203.0.113.7"], "--host 203.0.113.7 is no address of this machine"),
        (["RUN", "--host", "a b"], "--host a b is no address of this machine"),
        (["RUN", "--device", "gpu"], "the device 'gpu' is not available here"),
        (["absent"], "absent does not exist"),
        (["RUN", "--runz", "x"], "did you mean --runs?"),
        (["LINKED"], "holds symbolic links"),
        (["RUN", "--runs", "absent"], "--runs absent does not exist; name the folder that holds the runs"),
        (["--runs", "FILE"], "recipe.json is no folder; name the folder that holds the runs"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_use_is_said_in_one_line(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    linked = tmp_path / "linked"
    linked.mkdir()
    for name in ("recipe.json", "metrics.jsonl"):
        (linked / name).symlink_to(run / name)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        named = {
            "RUN": str(run),
            "FILE": str(run / "recipe.json"),
            "TAKEN": str(taken.getsockname()[1]),
            "LINKED": str(linked),
        }
        assert main(["serve", *[named.get(word, word) for word in arguments]]) == 2
    shown, complaint = capsys.readouterr()
    assert message in complaint and complaint.count("\n") == 1 and shown == ""


def test_with_nothing_to_show_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("cifarlab.shipped.shipped_runs", dict)
    assert main(["serve", "--port", "0"]) == 2
    assert capsys.readouterr().err == (
        "cifarlab: there is no run in runs to show; train one with cifarlab train demo\n"
    )


def test_without_the_extra_it_says_what_to_install(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "fastapi", None)
    assert main(["serve", str(run)]) == 2
    assert capsys.readouterr().err == (
        "cifarlab: serve needs more packages; run: pip install 'cifarlab[serve]'\n"
    )


@pytest.mark.parametrize(("host", "warned"), [("0.0.0.0", True), ("127.0.0.1", False), ("localhost", False)])
def test_who_lets_other_machines_in_is_warned(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], host: str, warned: bool
) -> None:
    monkeypatch.setattr("cifarlab.web.server.serve", lambda app, bound, limits: bound.close())
    assert main(["serve", str(run), "--port", "0", "--host", host]) == 0
    shown, complaint = capsys.readouterr()
    assert shown.startswith("cifarlab is at http://")
    assert ("everyone who can reach this machine can use the page" in complaint) == warned


def test_the_network_of_the_package_comes_before_those_of_the_folder(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = []
    shutil.copytree(run, tmp_path / "fast-cnn")
    monkeypatch.setattr("cifarlab.shipped.shipped_runs", lambda: {"fast-cnn": tmp_path / "fast-cnn"})
    monkeypatch.setattr("cifarlab.web.server.serve", lambda app, bound, limits: bound.close())
    monkeypatch.setattr("cifarlab.web.app.create_app", lambda shelf, default, *_, **__: begun.append(default))
    assert main(["serve", "--port", "0", "--runs", str(run.parent)]) == 0
    assert main(["serve", "--port", "0", "--runs", str(run.parent), str(run)]) == 0
    assert begun == ["fast-cnn", "mine"]
