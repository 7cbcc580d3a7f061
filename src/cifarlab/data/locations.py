"""Where data lie on this machine: the folder of the cache, and that of fetched archives."""

import os
from pathlib import Path

from cifarlab.errors import UserError


def cache_folder() -> Path:
    """``$CIFARLAB_CACHE``, else ``$XDG_CACHE_HOME/cifarlab``, else ``~/.cache/cifarlab``."""
    if chosen := os.environ.get("CIFARLAB_CACHE"):
        return Path(chosen)
    if caches := os.environ.get("XDG_CACHE_HOME"):
        return Path(caches) / "cifarlab"
    try:
        return Path.home() / ".cache" / "cifarlab"
    except RuntimeError as error:
        raise UserError("there is no home folder for the cache; set CIFARLAB_CACHE to a folder") from error


def archives_folder() -> Path:
    """Where fetched archives lie, and where one that was fetched by other means is looked for.

    ``$CIFARLAB_DATA``, else ``archives`` in the cache folder.
    """
    if chosen := os.environ.get("CIFARLAB_DATA"):
        return Path(chosen)
    return cache_folder() / "archives"
