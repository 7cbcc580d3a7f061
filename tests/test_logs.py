"""What a user sees: plain lines in a pipe, a live view in a terminal, curves in TensorBoard."""

import io
import math
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from cifarlab import logs
from cifarlab.errors import UserError
from cifarlab.logs import LiveDisplay, PlainDisplay, Silence, display_for, epoch_text, write_tensorboard

HOSTILE = "evil\x1b[31m\x07\r\nname [bold]x[/bold] [/] :smile:"


def epoch_line(epoch: int, **more: float) -> dict[str, Any]:
    return {
        "epoch": epoch,
        "step": 10 * epoch,
        "lr": 0.00123 / epoch,
        "train_loss": 1.23456 / epoch,
        "train_accuracy": 0.5 + epoch / 100,
        "images_per_second": 12345.6,
        "val_loss": 2.34567 / epoch,
        "val_accuracy": 0.4 + epoch / 100,
        "seconds": 61.4,
        **more,
    }


def plain_text(drawn: str) -> str:
    """What was drawn, without the terminal's control sequences."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn)


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """The terminal into which ``LiveDisplay`` draws."""
    file = io.StringIO()
    monkeypatch.setattr(logs, "REFRESH_SECONDS", 0.0)
    monkeypatch.setattr(
        logs, "Console", lambda: Console(file=file, force_terminal=True, width=120, height=40)
    )
    yield file


def test_a_pipe_gets_one_plain_line_per_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    with PlainDisplay(epochs=3) as display:
        display.begin(30)
        for epoch in (1, 2, 3):
            for step in range(10):
                display.step(epoch, 10 * epoch + step, 0.1, torch.tensor(1.0), 100.0)
            display.epoch(epoch_line(epoch))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[1] == (
        "epoch 2/3  train loss 0.6173 accuracy 52.00%  validation loss 1.1728 accuracy 42.00%  "
        "lr 0.000615  12,346 images/s  61 s"
    )
    assert all(line.isprintable() for line in lines)


def test_a_watched_test_set_is_shown() -> None:
    text = epoch_text(epoch_line(1, test_accuracy=0.4321, test_loss=2.0), 5)
    assert "accuracy 41.00%  test accuracy 43.21%  lr" in text


def test_hostile_text_is_one_harmless_line(capsys: pytest.CaptureFixture[str]) -> None:
    with PlainDisplay(epochs=1) as display:
        display.say(HOSTILE)
    shown = capsys.readouterr().out
    assert shown.endswith("\n")
    assert shown[:-1].isprintable()
    assert "name [bold]x[/bold] [/] :smile:" in shown


def test_a_reader_that_goes_away_does_not_stop_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Closed())
    with PlainDisplay(epochs=1) as display:
        display.say("hello")
        display.epoch(epoch_line(1))


def test_each_plain_line_is_there_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe is buffered: without a flush a run of hours would be silent."""
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BufferedWriter(raw)))
    display = PlainDisplay(epochs=1)
    display.say("hello")
    assert raw.getvalue() == b"hello\n"
    display.epoch(epoch_line(1))
    assert raw.getvalue().count(b"\n") == 2


def test_silence_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    with Silence() as display:
        display.begin(1)
        display.say("x")
        display.step(1, 1, 0.1, torch.tensor(1.0), 1.0)
        display.epoch(epoch_line(1))
    assert capsys.readouterr() == ("", "")


def test_a_terminal_shows_how_the_run_goes(screen: io.StringIO) -> None:
    with LiveDisplay(epochs=4) as display:
        display.begin(40)
        display.step(1, 1, 0.00321, torch.tensor(2.25), 43_210.0)
        first = plain_text(screen.getvalue())
        for step in range(2, 11):
            display.step(1, step, 0.00321, torch.tensor(1.75), 43_210.0)
        display.epoch(epoch_line(1))
    for words in ("epoch 1/4", "loss 2.250", "lr 0.00321", "43,210 images/s", "2%"):
        assert words in first
    assert re.search(r"-:--:--|\d:\d\d:\d\d", first)  # the time left
    text = plain_text(screen.getvalue())
    for words in (
        "25%",
        "loss 1.750",
        "train loss",
        "1.2346",
        "51.00%",
        "2.3457",
        "41.00%",
        "0.00123",
        "12,346",
    ):
        assert words in text


def test_the_time_left_is_estimated(screen: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    display = LiveDisplay(epochs=2)
    monkeypatch.setattr(display._bar, "get_time", lambda: clock[0])
    with display:
        display.begin(100)
        display._bar.reset(display._task)
        for step in range(1, 51):
            clock[0] = float(step)
            display.step(1, step, 0.1, torch.tensor(1.0), 10.0)
    assert "0:00:50" in plain_text(screen.getvalue()).splitlines()[-1]


def test_the_table_keeps_the_last_epochs(screen: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "SHOWN_EPOCHS", 3)
    with LiveDisplay(epochs=9) as display:
        display.begin(90)
        for epoch in range(1, 8):
            display.epoch(epoch_line(epoch))
    last = plain_text(screen.getvalue()).rpartition("train acc.")[2]
    rows = [line.split("│")[1].strip() for line in last.splitlines() if line.startswith("│")]
    assert rows == ["5", "6", "7"]


def test_a_watched_test_set_has_its_column(screen: io.StringIO) -> None:
    with LiveDisplay(epochs=2) as display:
        display.epoch(epoch_line(1))
    assert "test acc." not in plain_text(screen.getvalue())
    with LiveDisplay(epochs=2) as display:
        display.epoch(epoch_line(1, test_accuracy=0.4321))
    assert "test acc." in plain_text(screen.getvalue())
    assert "43.21%" in plain_text(screen.getvalue())


def test_the_loss_is_fetched_only_when_it_is_drawn(
    screen: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On an accelerator every look at the loss waits for the device."""
    monkeypatch.setattr(logs, "REFRESH_SECONDS", 1000.0)

    class Unreadable:
        def __float__(self) -> float:
            raise AssertionError("the loss was fetched")

    display = LiveDisplay(epochs=1)
    display.begin(10)
    display.step(1, 1, 0.1, torch.tensor(1.0), 1.0)
    unreadable: Any = Unreadable()
    for step in range(2, 11):
        display.step(1, step, 0.1, unreadable, 1.0)


def test_hostile_text_does_not_reach_the_terminal(screen: io.StringIO) -> None:
    with LiveDisplay(epochs=1) as display:
        display.say(HOSTILE)
    assert "\x1b[31m" not in screen.getvalue()
    assert "\x07" not in screen.getvalue()
    assert "name [bold]x[/bold] [/] :smile:" in plain_text(screen.getvalue())


def test_the_terminal_is_left_tidy_after_an_error(screen: io.StringIO) -> None:
    with pytest.raises(KeyError), LiveDisplay(epochs=1) as display:
        display.begin(10)
        assert screen.getvalue().endswith("\x1b[?25l") or "\x1b[?25l" in screen.getvalue()
        raise KeyError
    drawn = screen.getvalue()
    assert drawn.rfind("\x1b[?25h") > drawn.rfind("\x1b[?25l")  # the cursor is back
    display.say("after")
    assert screen.getvalue().endswith("after\n")


def test_a_loss_that_is_no_number_can_be_shown(screen: io.StringIO) -> None:
    with LiveDisplay(epochs=1) as display:
        display.begin(10)
        display.step(1, 1, 0.1, torch.tensor(math.nan), 1.0)
    assert "loss nan" in plain_text(screen.getvalue())


@pytest.mark.parametrize(("terminal", "kind"), [(True, LiveDisplay), (False, PlainDisplay)])
def test_the_display_follows_standard_output(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, kind: type[Silence]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    assert type(display_for(3)) is kind


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_tensorboard_gets_the_same_numbers(tmp_path: Path) -> None:
    reason = "TensorBoard is an extra: pip install 'cifarlab[tensorboard]'"
    accumulators = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason=reason
    )
    history = [epoch_line(epoch) for epoch in (1, 2, 3)]
    write_tensorboard(tmp_path / "tensorboard", history)
    found = accumulators.EventAccumulator(str(tmp_path / "tensorboard"))
    found.Reload()
    assert set(found.Tags()["scalars"]) == set(history[0]) - {"epoch", "step"}
    for name in found.Tags()["scalars"]:
        events = found.Scalars(name)
        assert [event.step for event in events] == [1, 2, 3]
        expected = [line[name] for line in history]
        assert [event.value for event in events] == pytest.approx(expected, rel=1e-6)


def test_a_missing_tensorboard_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(UserError, match=r"pip install 'cifarlab\[tensorboard\]'"):
        write_tensorboard(tmp_path / "tensorboard", [])
    assert not (tmp_path / "tensorboard").exists()
