"""``cifarlab serve``: the page on this machine."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from cifarlab.cli.parsing import parse
from cifarlab.errors import UserError, printable
from cifarlab.files import one_line_errors

if TYPE_CHECKING:
    from cifarlab.web.shelf import Shelf


@dataclass(frozen=True)
class Options:
    """A page in the browser, from this machine alone: classify pictures, see why, watch and compare runs.

    Without RUN it begins with the network that comes with cifarlab. Needs the extra: serve.
    """

    run: Annotated[tyro.conf.Positional[Path | None], tyro.conf.arg(metavar="[RUN]")] = None
    """The run folder to begin with."""
    runs: Path | None = None
    """Where the other runs are looked for; otherwise in the folder runs, if there is one."""
    port: int = 8000
    """Of the address that is printed; 0 takes a free one."""
    host: str = "127.0.0.1"
    """Another address lets other machines in: without a password, and not encrypted."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1 or mps."""


def main(arguments: list[str]) -> None:
    """Parse, bind, serve until Ctrl-C."""
    options = parse(Options, "serve", arguments)
    if not 0 <= options.port <= 65535:
        raise UserError(f"--port {options.port} is not between 0 and 65535")
    if options.runs is not None:
        _require_folder(options.runs)
    from cifarlab import run

    if options.run is not None:
        run.require_run(options.run)
    if options.runs is not None:
        run.list_runs(options.runs)  # for its complaint about a folder that may not be read
    try:
        import fastapi  # noqa: F401
        import python_multipart  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise UserError("serve needs more packages; run: pip install 'cifarlab[serve]'") from error
    from cifarlab.runtime import device_named
    from cifarlab.shipped import shipped_runs
    from cifarlab.web.app import create_app
    from cifarlab.web.limits import Limits
    from cifarlab.web.origin import allowed_hosts, is_loopback
    from cifarlab.web.server import bind, serve, url_of
    from cifarlab.web.shelf import Shelf

    device_named(options.device)
    shelf = Shelf(options.run, options.runs or Path("runs"), shipped_runs())
    default, limits = _default(shelf, options.run), Limits()
    app = create_app(shelf, default, allowed_hosts(options.host), device=options.device, limits=limits)
    bound = bind(options.host, options.port)
    if not is_loopback(options.host):
        print(
            f"warning: with --host {printable(options.host)} everyone who can reach this machine can use "
            "the page and see all runs",
            file=sys.stderr,
        )
    print(f"cifarlab is at {url_of(bound)} (Ctrl-C ends it)", flush=True)
    serve(app, bound, limits)


def _require_folder(runs: Path) -> None:
    with one_line_errors(f"look into {runs}"):
        if not runs.is_dir():
            reason = "is no folder" if runs.exists() else "does not exist"
            raise UserError(f"--runs {runs} {reason}; name the folder that holds the runs")


def _default(shelf: "Shelf", given: Path | None) -> str | None:
    """The run to begin with: the given one, the package's, or the first; None where none has weights yet.

    Raises:
        UserError: there is nothing to show.
    """
    from cifarlab import run
    from cifarlab.shipped import DEFAULT

    if given is not None:
        name = shelf.name_of(given)
        if name is None:
            raise UserError(
                f"{given} holds symbolic links in the place of its files, which serve does not follow"
            )
        return name
    entries = shelf.entries()
    if not entries:
        raise UserError(f"there is no run in {shelf.runs} to show; train one with cifarlab train demo")
    if DEFAULT in shelf.shipped and (name := shelf.name_of(shelf.shipped[DEFAULT])):
        return name
    return next((each.name for each in entries.values() if (each.folder / run.WEIGHTS).is_file()), None)
