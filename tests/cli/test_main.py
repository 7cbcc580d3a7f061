"""The command as such: help, version, exit codes, pipes that close."""

import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import IO

import pytest

import cifarlab
from cifarlab import cli
from cifarlab.cli import VERBS, main
from cifarlab.errors import Diverged, Stopped, UserError

OUT_OF_MEMORY = "out of memory; take fewer images or a smaller --recipe.batch-size"
HEAVY = {"torch", "numpy", "scipy", "sklearn", "matplotlib", "PIL", "safetensors", "tensorboard"}


def run_python(
    code: str, *arguments: str, output: int | IO[str] = subprocess.PIPE, **variables: str
) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        stdout=output,
        stderr=subprocess.PIPE,
        text=True,
        env={**environment, **variables},
        check=False,
        timeout=120,
    )


def test_help_shows_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    for flag in ("--help", "-h"):
        assert main([flag]) == 0
        shown, complaint = capsys.readouterr()
        assert complaint == ""
        assert shown.startswith("usage: cifarlab COMMAND")
        for name, verb in VERBS.items():
            assert f"  {name} {verb.usage}" in shown
            assert verb.summary in shown


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(capsys: pytest.CaptureFixture[str], verb: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main([verb, "--help"])
    assert not caught.value.code
    shown, complaint = capsys.readouterr()
    assert complaint == ""
    assert shown.startswith(f"usage: cifarlab {verb}")


def test_help_loads_nothing_heavy() -> None:
    """That is what makes it quick: torch alone takes seconds."""
    code = (
        "import sys\n"
        "from cifarlab.cli import VERBS, main\n"
        "main(['--help']); main(['--version']); main(['nonsense'])\n"
        "for verb in VERBS:\n"
        "    try: main([verb, '--help'])\n"
        "    except SystemExit: pass\n"
        "loaded = {name.partition('.')[0] for name in sys.modules}\n"
        f"print('loaded:', *sorted(loaded & {HEAVY!r}))\n"
    )
    done = run_python(code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].strip() == "loaded:"


def test_the_version_is_the_package_s(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"cifarlab {cifarlab.__version__}\n"


def test_the_module_and_the_command_are_the_same() -> None:
    done = run_python(
        "import runpy, sys; sys.argv[0] = 'cifarlab'; runpy.run_module('cifarlab', run_name='__main__')",
        "--version",
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"cifarlab {cifarlab.__version__}\n", "")
    done = run_python("import runpy; runpy.run_module('cifarlab', run_name='__main__')", "nonsense")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("cifarlab: no command is called 'nonsense'")
    scripts = [
        script for script in metadata.entry_points(group="console_scripts") if script.name == "cifarlab"
    ]
    assert [script.value for script in scripts] == ["cifarlab.cli:main"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "cifarlab: a command is missing; cifarlab --help shows them\n"),
        (["trian"], "cifarlab: no command is called 'trian'; did you mean train?\n"),
        (["--hepl"], "cifarlab: no command is called '--hepl'; "),
        (["evil\x1b[31m\n"], "cifarlab: no command is called 'evil\\x1b[31m\\n'; "),
    ],
)
def test_wrong_use_is_said_in_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(arguments) == 2
    shown, complaint = capsys.readouterr()
    assert shown == ""
    assert complaint.startswith(message)
    assert complaint.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (UserError("wrong\nuse\x1b[31m"), 2, "wrong\ufffduse\ufffd[31m"),
        (Diverged("not finite"), 1, "not finite"),
        (Stopped("stopped by SIGTERM; go on with --resume"), 130, "stopped by SIGTERM; go on with --resume"),
        (KeyboardInterrupt(), 130, "stopped"),
        (MemoryError(), 1, OUT_OF_MEMORY),
        (
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 9 bytes"),
            1,
            OUT_OF_MEMORY,
        ),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), 1, OUT_OF_MEMORY),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_exit_codes(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    code: int,
    message: str,
) -> None:
    def fail(arguments: list[str]) -> None:
        assert arguments == ["models"]
        raise error

    monkeypatch.setattr(importlib.import_module("cifarlab.cli.listing"), "main", fail)
    assert main(["list", "models"]) == code
    assert capsys.readouterr() == ("", f"cifarlab: {message}\n")


@pytest.mark.parametrize("bug", [ZeroDivisionError, RuntimeError], ids=lambda bug: bug.__name__)
def test_bugs_are_not_hidden(monkeypatch: pytest.MonkeyPatch, bug: type[Exception]) -> None:
    def fail(arguments: list[str]) -> None:
        raise bug

    monkeypatch.setattr(importlib.import_module("cifarlab.cli.listing"), "main", fail)
    with pytest.raises(bug):
        main(["list"])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_output_that_cannot_be_written_is_said() -> None:
    code = "import sys; from cifarlab.cli import main; sys.exit(main())"
    with open("/dev/full", "w") as full:
        done = run_python(code, "--help", output=full)
    assert done.returncode == 2
    assert done.stderr.startswith("cifarlab: could not write the output: the disk is full; ")
    assert done.stderr.count("\n") == 1


def test_arguments_default_to_the_process_s(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["cifarlab", "--version"])
    assert main() == 0
    assert "cifarlab" in capsys.readouterr().out


def closed_pipe(arguments: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """A command whose reader has gone before it writes."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        return subprocess.run(
            [sys.executable, "-m", "cifarlab", *arguments],
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            check=False,
            timeout=120,
        )
    finally:
        os.close(writing)


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["list", "recipes"]], ids=" ".join)
def test_a_reader_that_has_gone_is_no_reason_to_complain(arguments: list[str]) -> None:
    """`cifarlab list recipes | head -1`: Python's own complaint at exit must not show either."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = closed_pipe(arguments, environment)
    assert done.stderr == ""
    assert done.returncode == 0


def test_a_reader_that_has_gone_is_noticed_while_writing() -> None:
    done = closed_pipe(["--help"], {**os.environ, "PYTHONUNBUFFERED": "1"})
    assert (done.returncode, done.stderr) == (0, "")


def test_a_terminal_without_unicode_gets_help_too() -> None:
    code = "import sys; from cifarlab.cli import main; sys.exit(main())"
    done = run_python(code, "--help", PYTHONIOENCODING="latin-1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "usage: cifarlab COMMAND" in done.stdout


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_every_verb_has_its_module(verb: cli.Verb) -> None:
    run: Callable[[list[str]], None] = importlib.import_module(f"cifarlab.cli.{verb.module}").main
    assert callable(run)
