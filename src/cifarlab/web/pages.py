"""The files of the page, read once: what is asked for is looked up by name and never made into a path."""

from dataclasses import dataclass
from importlib import resources

TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


@dataclass(frozen=True)
class PageFile:
    """One file of the page and its media type."""

    content: bytes
    media_type: str


def page_files() -> dict[str, PageFile]:
    """All files of the page by name, such as ``index.html``."""
    folder = resources.files("cifarlab.web") / "static"
    return {
        file.name: PageFile(file.read_bytes(), TYPES[file.name.rpartition(".")[2]])
        for file in folder.iterdir()
        if file.name.rpartition(".")[2] in TYPES
    }
