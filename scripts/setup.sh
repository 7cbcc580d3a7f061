#!/bin/sh
# Create .venv and install the package with everything a developer needs. Called by make; safe to repeat.
set -eu
PYTHON=${PYTHON:-python3}

if ! "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "cifarlab needs Python 3.11 or newer, found: $("$PYTHON" --version 2>&1 || true)." \
        "Name another one: make PYTHON=python3.12 setup" >&2
    exit 2
fi

echo "setting up .venv (once) …"
"$PYTHON" -m venv --clear .venv || {
    echo "could not create .venv; on Debian and Ubuntu: apt install python3-venv" >&2
    exit 2
}
bin=.venv/bin

# uv does not read pip's settings: hand it the folders that pip is told to look for wheels in.
links=${UV_FIND_LINKS:-${PIP_FIND_LINKS:-$("$bin/python" -m pip config get global.find-links 2>/dev/null || true)}}
folders=
for folder in $links; do
    [ -d "$folder" ] && folders=${folders:+$folders,}$folder
done
[ -n "$folders" ] && export UV_FIND_LINKS="$folders"

if "$bin/python" -m pip install --quiet --disable-pip-version-check uv 2>/dev/null &&
    "$bin/python" -m uv pip install --quiet --python "$bin/python" -c constraints.txt -e '.[cluster,explain,export,serve,tensorboard,test,dev]'; then
    exit 0
fi
echo "installing with uv did not work; trying pip" >&2
"$bin/python" -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[cluster,explain,export,serve,tensorboard,test,dev]'
