"""``python -m cifarlab``: the same as the ``cifarlab`` command."""

import sys

from cifarlab.cli import main

if __name__ == "__main__":
    sys.exit(main())
