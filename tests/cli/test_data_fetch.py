"""``cifarlab data fetch``: words, exit codes, and what is shown meanwhile."""

import io
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console
from rich.progress import Progress as Bar

from cifarlab.cli import main
from cifarlab.cli.data.fetch_display import BarScreen, Display, Screen, amount, duration, seconds_left
from cifarlab.data.cifar import official
from data.bad_answers import says
from data.bad_server import BadServer, content_of, facts, serving

CONTENT = content_of(20_000)
URL = "http://host/a.tar.gz"
ADVICE = (
    "- stop it (Ctrl-C), and go on later with the same command;",
    "- put the file, fetched by other means, at /data/a.tar.gz: size and MD5 are checked;",
    "- use a folder that torchvision has filled: --data FOLDER, or CIFARLAB_DATA=FOLDER.",
)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[BadServer]:
    """All four archives have the same bytes."""
    kinds = [(data_set, kind) for data_set in ("cifar10", "cifar100") for kind in ("binary", "python")]
    monkeypatch.setattr(official, "ARCHIVES", tuple(facts(CONTENT, *each) for each in kinds))
    monkeypatch.setenv("CIFARLAB_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("no_proxy", "*")
    with serving(CONTENT) as server:
        yield server


@pytest.mark.parametrize(
    ("words", "files"),
    [
        (["cifar10"], ["cifar-10-binary.tar.gz"]),
        (["cifar100"], ["cifar-100-binary.tar.gz"]),
        (["cifar10", "--python"], ["cifar-10-python.tar.gz"]),
        (["cifar12"], ["cifar-10-binary.tar.gz", "cifar-100-binary.tar.gz"]),
        (["cifar100", "cifar12", "cifar100"], ["cifar-100-binary.tar.gz", "cifar-10-binary.tar.gz"]),
        (["--python", "cifar12"], ["cifar-10-python.tar.gz", "cifar-100-python.tar.gz"]),
    ],
)
def test_what_is_fetched(
    server: BadServer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    files: list[str],
) -> None:
    assert main(["data", "fetch", *words, "--url", server.url]) == 0
    shown, complaint = capsys.readouterr()
    assert complaint == ""
    assert [each.path for each in server.requests] == [f"/{name}" for name in files]
    paths = [tmp_path / "data" / name for name in files]
    assert all(path.read_bytes() == CONTENT for path in paths)
    expected = [
        (
            f"{path.name}: 20.0 kB, from {server.url}{path.name} to {path}",
            f"{path} is here: 20,000 bytes, and its MD5 is right",
        )
        for path in paths
    ]
    assert shown.splitlines() == [line for pair in expected for line in pair]
    assert main(["data", "fetch", *words, "--url", server.url]) == 0
    shown = capsys.readouterr().out
    assert shown.splitlines() == [
        f"{path} is there already: 20,000 bytes, and its MD5 is right" for path in paths
    ]
    assert len(server.requests) == len(files)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "data fetch needs the name of a data set; there are: cifar10, cifar100, cifar12"),
        (["cifar"], "no data set to fetch is called 'cifar'; did you mean cifar1"),
        (
            ["cifar10", "mnist"],
            "no data set to fetch is called 'mnist'; there are: cifar10, cifar100, cifar12",
        ),
        (["cifar10", "--pythn"], "did you mean --python?"),
        (["cifar10", "--url"], "url"),
        (["cifar10", "--url", "file:///etc"], "'file:///etc' cannot be used as an address: only http:// and"),
        (["cifar10", "--url", ""], "'' cannot be used as an address: only http:// and https:// will do"),
    ],
)
def test_wrong_use_is_one_line(
    server: BadServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert main(["data", "fetch", *words]) == 2
    shown, complaint = capsys.readouterr()
    assert shown == ""
    assert complaint.count("\n") == 1 and message in complaint
    assert not (tmp_path / "data").exists()


def test_a_host_that_refuses_is_one_line(server: BadServer, capsys: pytest.CaptureFixture[str]) -> None:
    server.after = says("403 Forbidden\x1b[31m")
    assert main(["data", "fetch", "cifar12", "--url", server.url]) == 1
    complaint = capsys.readouterr().err
    assert complaint.count("\n") == 1 and complaint[:-1].isprintable()
    assert "it answers 403 Forbidden" in complaint and "Traceback" not in complaint
    assert len(server.requests) == 1


def test_the_publisher_is_the_default(
    server: BadServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(official, "HOST", server.url + "publisher/")
    assert main(["data", "fetch", "cifar10"]) == 0
    assert [each.path for each in server.requests] == ["/publisher/cifar-10-binary.tar.gz"]


def test_help_is_quick(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom cifarlab.cli import main\n"
        "try: main(['data', 'fetch', '--help'])\nexcept SystemExit: pass\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.startswith("usage: cifarlab data fetch")
    assert "--python" in done.stdout and "--url" in done.stdout
    assert done.stdout.splitlines()[-1] == "False"


class Lines(Screen):
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.states: list[tuple[int, int]] = []

    def line(self, text: str) -> None:
        self.lines.append(text)

    def state(self, done: int, size: int) -> None:
        self.states.append((done, size))


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def shown(
    rate: float, size: int = 10_000_000, done: int = 0, every: float | None = 30.0
) -> tuple[list[tuple[float, str]], Lines]:
    """What is said at which second of a download at ``rate`` bytes per second, and on what screen."""
    screen, clock = Lines(), Clock()
    display = Display(screen, clock, every)
    said: list[tuple[float, str]] = []
    display.begin(Path("/data/a.tar.gz"), URL, done, size)
    here = float(done)
    while here < size:
        said += [(clock.now - 100, line) for line in screen.lines[len(said) :]]
        clock.now += 0.25
        here = min(size, here + rate / 4)
        display.received(int(here))
    said += [(clock.now - 100, line) for line in screen.lines[len(said) :]]
    return said, screen


def test_plain_lines_of_a_download_of_minutes() -> None:
    said, _ = shown(rate=100_000)
    assert said[0] == (0, f"a.tar.gz: 10.0 MB, from {URL} to /data/a.tar.gz")
    assert said[1] == (5, "500.0 kB of 10.0 MB (5%), 100.0 kB/s, 95 s left")
    times = [second for second, _ in said[1:]]
    assert times == [5, 15, 25, 35, 45, 55, 65, 75, 85, 95], "every 10 %"
    assert not any(line in ADVICE for _, line in said)


def test_plain_lines_of_a_slow_download() -> None:
    """Every 30 seconds; once, what else can be done."""
    said, _ = shown(rate=10_000, done=2_000_000)
    assert said[0][1] == (
        f"a.tar.gz: 10.0 MB, of which 2.0 MB are here already, from {URL} to /data/a.tar.gz"
    )
    assert said[1] == (5, "2.0 MB of 10.0 MB (20%), 10.0 kB/s, about 13 minutes left"), "the rate of now"
    assert said[2] == (5, "this will take about 13 minutes. You can also")
    assert tuple(line for _, line in said[3:6]) == ADVICE
    times = [second for second, _ in said[6:]]
    assert times == list(range(35, 800, 30))
    assert sum(line in ADVICE for _, line in said) == 3


def test_a_quick_download_has_no_lines_between() -> None:
    said, screen = shown(rate=5_000_000)
    assert [second for second, _ in said] == [0]
    assert screen.states[0] == (0, 10_000_000) and screen.states[-1] == (10_000_000, 10_000_000)


def test_a_bar_needs_no_lines_but_the_advice() -> None:
    said, screen = shown(rate=10_000, every=None)
    assert [line for _, line in said][1:] == ["this will take about 17 minutes. You can also", *ADVICE]
    assert len(screen.states) == 1 + 4 * 1000


def test_a_host_that_is_away() -> None:
    screen = Lines()
    display = Display(screen, Clock())
    display.begin(Path("/data/a.tar.gz"), URL, 0, 1000)
    display.trouble("it refuses the connection", 4.0)
    display.received(500)
    display.trouble("it is silent\x1b[31m", 1.0)
    assert screen.lines[1:] == [
        "the host: it refuses the connection; trying again in 4 s",
        "the host may be away for a while. You can also",
        *ADVICE,
        "the host: it is silent\N{REPLACEMENT CHARACTER}[31m; 500 bytes are kept; trying again in 1 s",
    ]


def test_rate_and_time() -> None:
    assert seconds_left(10, 100, 300) == 30
    assert seconds_left(10, 0, 300) is None
    assert seconds_left(10, -5, 300) is None
    assert [amount(each) for each in (0, 999, 1000, 170_052_171, 2e9)] == [
        "0 bytes",
        "999 bytes",
        "1.0 kB",
        "170.1 MB",
        "2.0 GB",
    ]
    assert [duration(each) for each in (0.4, 119, 120, 3600, 7200)] == [
        "0 s",
        "119 s",
        "about 2 minutes",
        "about 60 minutes",
        "about 2 hours",
    ]


def test_lines_appear_above_the_bar_as_they_are() -> None:
    stream = io.StringIO()
    with Bar(console=Console(file=stream, force_terminal=True, width=40)) as bar:
        screen = BarScreen(bar)
        screen.state(500, 1000)
        screen.line("[bold]/data/" + "x" * 60)
        assert (bar.tasks[0].completed, bar.tasks[0].total, bar.tasks[0].visible) == (500, 1000, True)
    assert "[bold]/data/" + "x" * 60 in stream.getvalue()


def test_in_a_terminal_there_is_a_bar(server: BadServer, tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom cifarlab.cli import main\n"
        "from cifarlab.data.cifar import official\n"
        f"official.ARCHIVES = (official.{facts(CONTENT)!r},)\n"
        f"sys.exit(main(['data', 'fetch', 'cifar10', '--url', {server.url!r}]))"
    )
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=theirs, stderr=theirs, env=environment
    ) as process:
        os.close(theirs)
        text = b""
        try:
            while piece := os.read(ours, 65536):
                text += piece
        except OSError:
            pass  # the other end is closed
        assert process.wait(120) == 0, text
    os.close(ours)
    assert b"100%" in text and b"20.0/20.0 kB" in text
    assert b"its MD5 is right" in text
