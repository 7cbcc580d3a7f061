"""The command line: one module per verb, loaded when it is used, so that ``--help`` is quick."""

import contextlib
import importlib
import io
import os
import sys
from dataclasses import dataclass

import cifarlab
from cifarlab.errors import (
    EXPECTED,
    SaidElsewhere,
    UserError,
    from_os_error,
    nearest,
    printable,
)

DONE, FAILED, WRONG_USE, STOPPED = 0, 1, 2, 130


@dataclass(frozen=True)
class Verb:
    """One line of ``cifarlab --help``; ``module`` has a ``main(arguments) -> None``."""

    module: str
    usage: str
    summary: str


VERBS = {
    "train": Verb("train", "RECIPE [options]", "train a recipe into a run folder, or go on with one"),
    "evaluate": Verb("evaluate", "RUN [options]", "accuracy, per class, confusion matrix, calibration"),
    "predict": Verb("predict", "[--run RUN] IMAGE…", "classify pictures with a trained network"),
    "explain": Verb("explain", "RUN [IMAGE…] [options]", "where a trained network finds what it says"),
    "export": Verb("export", "RUN [options]", "a trained network as one file: ONNX or safetensors"),
    "data": Verb(
        "data",
        "fetch|verify|audit|show",
        "get, check, audit and show data sets",
    ),
    "reproduce": Verb(
        "reproduce", "REPORT [ITEM] [options]", "a report's table or figure made again, with verdicts"
    ),
    "study": Verb(
        "study", "RECIPE --vary FIELD V1,V2", "variants of a recipe over several seeds, in one table"
    ),
    "compare": Verb("compare", "RUN RUN…", "runs side by side, with paired tests"),
    "race": Verb("race", "TIER [options]", "least time to an accuracy, alone or against a peer's script"),
    "check-table": Verb("check_table", "FILE", "errors that a published table gives away by itself"),
    "serve": Verb("serve", "[RUN] [options]", "a page on this machine: pictures, explanations, runs"),
    "list": Verb("listing", "models|recipes|reports|data|runs", "what there is"),
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 failed, 2 wrong use or input, 130 stopped."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal without Unicode gets question marks, not an error.
        if isinstance(stream, io.TextIOWrapper):
            with contextlib.suppress(OSError):
                stream.reconfigure(errors="replace")
    try:
        try:
            _run(sys.argv[1:] if arguments is None else arguments)
        finally:
            sys.stdout.flush()
    except EXPECTED as error:
        return _failed(error.exit_code, str(error))
    except KeyboardInterrupt:
        return _failed(STOPPED, "stopped")
    except SaidElsewhere as error:
        return error.exit_code
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        return _failed(FAILED, "out of memory; take fewer images or a smaller --recipe.batch-size")
    except BrokenPipeError:
        _silence_output()
    except OSError as error:
        _silence_output()
        return _failed(WRONG_USE, str(from_os_error(error, "write the output")))
    return DONE


def _is_out_of_memory(error: Exception) -> bool:
    """torch has no class of its own for a CPU that ran out of memory, and is not loaded here."""
    words = ("out of memory", "can't allocate memory")
    return isinstance(error, MemoryError) or any(each in str(error).lower() for each in words)


def _run(arguments: list[str]) -> None:
    match arguments:
        case []:
            raise UserError("a command is missing; cifarlab --help shows them")
        case ["-h" | "--help", *_]:
            print(_help())
        case ["--version", *_]:
            print(f"cifarlab {cifarlab.__version__}")
        case [name, *_] if name not in VERBS:
            raise UserError(f"no command is called {name!r}; {nearest(name, VERBS)}")
        case [name, *rest]:
            importlib.import_module(f"cifarlab.cli.{VERBS[name].module}").main(rest)


def _silence_output() -> None:
    """The reader of a pipe has gone (``cifarlab list recipes | head``); Python must not complain at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _failed(code: int, message: str) -> int:
    print(f"cifarlab: {printable(message)}", file=sys.stderr)
    return code


def _help() -> str:
    width = max(len(f"{name} {verb.usage}") for name, verb in VERBS.items())
    lines = [f"  {f'{name} {verb.usage}':<{width}}  {verb.summary}" for name, verb in VERBS.items()]
    return "\n".join(
        [
            "usage: cifarlab COMMAND …",
            "",
            "A laboratory for image classification at CIFAR scale.",
            "",
            *lines,
            "",
            "cifarlab COMMAND --help shows the options of a command. To begin: cifarlab train demo",
        ]
    )
