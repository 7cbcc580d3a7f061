"""The application: the page, the API, and the reports in the run folders."""

import pathlib
import traceback
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

import cifarlab
from cifarlab.errors import UserError, printable
from cifarlab.web import facts
from cifarlab.web.answers import (
    Explanation,
    Metrics,
    Neighbors,
    Prediction,
    Problem,
    RunDetails,
    RunList,
    Sample,
)
from cifarlab.web.desk import Desk
from cifarlab.web.faults import NoSuchThing, RunFault
from cifarlab.web.guard import Guard
from cifarlab.web.headers import REPORT_POLICY
from cifarlab.web.limits import Limits
from cifarlab.web.origin import AllowedHosts
from cifarlab.web.pages import page_files
from cifarlab.web.pictures import OPENAPI_BODY, picture_of
from cifarlab.web.shelf import REPORT, Shelf, Shelved
from cifarlab.web.worker import Worker

READING = ["GET", "HEAD"]
NO_RUN = "there is no such run; /api/runs lists them"
Name = Annotated[str, Path(description="of a run, as /api/runs lists it")]
Picture = Annotated[bytes, Depends(picture_of)]
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": meaning}
    for status, meaning in {
        403: "asked by another page, or under another name",
        404: "no such run, layer or class",
        408: "too slow in coming",
        409: "the run cannot do this",
        413: "larger than 2 MB",
        422: "not a picture, or a wrong parameter",
        429: "too many requests at once",
        503: "busy",
    }.items()
}


def create_app(
    shelf: Shelf,
    default: str | None,
    hosts: AllowedHosts,
    *,
    device: str = "auto",
    limits: Limits | None = None,
) -> ASGIApp:
    """The guarded application.

    Args:
        shelf: where runs are looked for.
        default: the run that the page begins with.
        hosts: under which names the server may be called.
        device: auto, cpu, cuda, cuda:1 or mps.
        limits: None for the usual ones.
    """
    app = FastAPI(
        title="cifarlab",
        version=cifarlab.__version__,
        summary="Classify pictures with trained networks, and look into them.",
        openapi_url="/api/openapi.json",
        docs_url=None,  # FastAPI's pages load scripts from elsewhere; ours is static/api.html
        redoc_url=None,
        responses=_PROBLEMS,
        redirect_slashes=False,
    )

    _add_page(app)
    _add_runs(app, shelf, default)
    _add_pictures(app, shelf, Desk(device), Worker())
    _add_problems(app)
    return Guard(app, hosts, limits or Limits())


def _add_page(app: FastAPI) -> None:
    files = page_files()

    def page(name: str) -> Response:
        if name not in files:
            raise HTTPException(404, "there is no such page")
        return Response(files[name].content, media_type=files[name].media_type)

    route = partial(app.api_route, methods=READING, include_in_schema=False)
    route("/")(lambda: page("index.html"))
    route("/api")(lambda: page("api.html"))
    route("/favicon.ico")(lambda: page("icon.svg"))
    route("/static/{name}")(page)


def _find(shelf: Shelf, name: str) -> Shelved:
    found = shelf.find(name)
    if found is None:
        raise NoSuchThing(NO_RUN)
    return found


def _add_runs(app: FastAPI, shelf: Shelf, default: str | None) -> None:
    @app.get("/api/runs", summary="All runs")
    def list_runs() -> RunList:
        return RunList(runs=[facts.summary(each) for each in shelf.entries().values()], default=default)

    @app.get("/api/runs/{name}", summary="One run")
    def read_run(name: Name) -> RunDetails:
        return facts.details(_find(shelf, name))

    @app.get("/api/runs/{name}/metrics", summary="Its log, also while it is in training")
    def read_metrics(name: Name) -> Metrics:
        return facts.metrics(_find(shelf, name))

    @app.api_route("/runs/{name}/report", methods=READING, include_in_schema=False)
    def read_report(name: Name) -> Response:
        try:
            content = (_find(shelf, name).folder / REPORT).read_bytes()
        except OSError as error:
            raise NoSuchThing("this run has no report") from error
        return HTMLResponse(content, headers={"content-security-policy": REPORT_POLICY})


def _add_pictures(app: FastAPI, shelf: Shelf, desk: Desk, worker: Worker) -> None:
    def folder(name: str) -> pathlib.Path:
        """Looked up in the worker's thread: the event loop does not wait for the disk."""
        return _find(shelf, name).folder

    @app.post("/api/runs/{name}/predict", summary="Classify a picture", openapi_extra=OPENAPI_BODY)
    async def predict(name: Name, picture: Picture) -> Prediction:
        return await worker.do(lambda: desk.predict(folder(name), picture))

    @app.post("/api/runs/{name}/explain", summary="Grad-CAM and attention", openapi_extra=OPENAPI_BODY)
    async def explain(
        name: Name,
        picture: Picture,
        layer: Annotated[str | None, Query(description="without it the last")] = None,
        class_name: Annotated[
            str | None, Query(alias="class", description="without it the likeliest")
        ] = None,
    ) -> Explanation:
        return await worker.do(lambda: desk.explain(folder(name), picture, layer, class_name))

    @app.post("/api/runs/{name}/nearest", summary="Similar training images", openapi_extra=OPENAPI_BODY)
    async def nearest(
        name: Name, picture: Picture, count: Annotated[int, Query(ge=1, le=50)] = 8
    ) -> Neighbors:
        return await worker.do(lambda: desk.nearest(folder(name), picture, count))

    @app.get("/api/runs/{name}/sample", summary="A test image of its data set")
    async def sample(
        name: Name, index: Annotated[int, Query(ge=0, description="counts round and round")] = 0
    ) -> Sample:
        return await worker.do(lambda: desk.sample(folder(name), index))


def _add_problems(app: FastAPI) -> None:
    """Every refusal is ``{"detail": one line}``."""

    def told(status: int, words: Callable[[Any], str]) -> Callable[[Request, Exception], Response]:
        def answer(_: Request, error: Exception) -> Response:
            return JSONResponse({"detail": printable(words(error))}, status)

        return answer

    app.add_exception_handler(UserError, told(422, str))
    app.add_exception_handler(NoSuchThing, told(404, str))
    app.add_exception_handler(RunFault, told(409, str))
    app.add_exception_handler(RequestValidationError, told(422, _first_complaint))
    app.add_exception_handler(Exception, told(500, _failure))


def _failure(error: Exception) -> str:
    traceback.print_exception(error)  # a mistake of ours: at the terminal, not to the caller
    return "something went wrong in the server; its terminal says more"


def _first_complaint(error: RequestValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
