"""What ``cifarlab serve`` adds to a network, and what it does when many call at once.

    python -m benchmarks.serving [--run RUN] [--clients 50] [--seconds 60] [--out FILE]

The server runs in a process of its own, on loopback. *Overhead*: the time of a POST of one picture on a
connection that is open already, less the time of the same picture decoded and classified in this process,
in turn, so that a busy machine slows both. *Load*: each client sends one picture after the other, as fast as
it gets answers; 429 and 503 are answers, too, and are counted.
"""

import argparse
import collections
import contextlib
import http.client
import io
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.measuring import spread
from cifarlab.predict import Classifier
from cifarlab.runtime import hardware, versions
from cifarlab.shipped import default_run

WARM_UP = 20


def main() -> None:
    """Measure, print, and write the record if asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run", type=Path, help="default: the network that comes with cifarlab")
    parser.add_argument("--requests", type=int, default=300, help="of the measurement of the overhead")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    run = options.run or default_run()
    classifier, picture = Classifier.open(run, "cpu"), _picture()
    with serving(run) as (port, path):
        record = {
            "command": f"python -m benchmarks.serving {' '.join(sys.argv[1:])}".rstrip(),
            "network": type(classifier.trained.model).__name__,
            "picture": f"JPEG, 640 × 480, {len(picture):,} bytes",
            "milliseconds_per_picture": overhead(classifier, picture, port, path, options.requests),
            "load": load(picture, port, path, options.clients, options.seconds),
            "hardware": hardware(classifier.device),
            "versions": versions(),
        }
    print(json.dumps(record, indent=2, ensure_ascii=False))
    if options.out:
        options.out.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


@contextlib.contextmanager
def serving(run: Path) -> Iterator[tuple[int, str]]:
    """A server in a process of its own: its port, and the path that classifies with ``run``."""
    command = [sys.executable, "-m", "cifarlab", "serve", str(run), "--port", "0", "--device", "cpu"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    try:
        address = process.stdout.readline()
        port = int(address.partition("127.0.0.1:")[2].partition("/")[0])
        yield port, f"/api/runs/{run.resolve().name}/predict"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def overhead(
    classifier: Classifier, picture: bytes, port: int, path: str, requests: int
) -> dict[str, dict[str, float]]:
    """Milliseconds here, through the server, and the difference, request by request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    here, served = [], []
    for turn in range(requests + WARM_UP):
        began = time.perf_counter()
        classifier.logits(classifier.decode(picture, "sent").unsqueeze(0))
        between = time.perf_counter()
        status = _ask(connection, path, picture)
        ended = time.perf_counter()
        if status != 200:
            raise RuntimeError(f"the server answered {status}")
        if turn >= WARM_UP:
            here.append(1000 * (between - began))
            served.append(1000 * (ended - between))
    differences = [each - own for each, own in zip(served, here, strict=True)]
    return {"network alone": spread(here), "served": spread(served), "overhead": spread(differences)}


def load(picture: bytes, port: int, path: str, clients: int, seconds: float) -> dict[str, Any]:
    """How often each status was answered, and how long the answers took."""
    statuses: collections.Counter[str] = collections.Counter()
    took: list[float] = []
    lock, end = threading.Lock(), time.monotonic() + seconds

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=90)
        while time.monotonic() < end:
            began = time.perf_counter()
            try:
                status = str(_ask(connection, path, picture))
            except (OSError, http.client.HTTPException) as error:
                status = type(error).__name__
                connection.close()
            with lock:
                statuses[status] += 1
                took.append(1000 * (time.perf_counter() - began))

    threads = [threading.Thread(target=client) for _ in range(clients)]
    began = time.perf_counter()
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    duration = time.perf_counter() - began
    return {
        "clients": clients,
        "seconds": round(duration, 1),
        "answers": dict(sorted(statuses.items())),
        "share_of_200": round(statuses["200"] / sum(statuses.values()), 4),
        "pictures_per_second": round(statuses["200"] / duration, 1),
        "milliseconds": {
            **spread(took),
            **{f"{percent} %": round(float(np.percentile(took, percent)), 1) for percent in (95, 99)},
        },
    }


def _ask(connection: http.client.HTTPConnection, path: str, picture: bytes) -> int:
    connection.request("POST", path, picture)
    answer = connection.getresponse()
    answer.read()
    return answer.status


def _picture() -> bytes:
    """A smooth random picture, which compresses like a photograph."""
    coarse = np.random.RandomState(0).randint(0, 256, (24, 32, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(coarse).resize((640, 480), Image.Resampling.BICUBIC).save(buffer, "jpeg", quality=90)
    return buffer.getvalue()


if __name__ == "__main__":
    main()
