"""The worker's side of the conversation, in processes that have nothing else to do."""

import json
import signal
import subprocess
import sys
import time

WORKER = """
import sys, time
from cifarlab.race.protocol import Conversation

talk = Conversation()
print("a library says something")
talk.ready({"fact": 1})
for seed in talk.seeds():
    if seed == 9:
        print("at work", file=sys.stderr, flush=True)
        time.sleep(60)
    talk.answer({"seed": seed})
print("the end")
"""


def worker(text: str = WORKER) -> subprocess.Popen[str]:
    command = [sys.executable, "-P", "-c", text]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def test_answers_alone_are_on_standard_output() -> None:
    with worker() as process:
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        assert json.loads(process.stdout.readline()) == {"ready": True, "fact": 1}
        for seed in (5, 6):
            process.stdin.write(json.dumps({"seed": seed}) + "\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline()) == {"seed": seed}
        process.stdin.close()
        assert process.wait(30) == 0
        assert process.stdout.read() == ""
        assert process.stderr.read() == "a library says something\nthe end\n"


def test_a_seed_that_no_one_waits_for_any_more_is_not_begun() -> None:
    """The race dies between its word and the worker's hearing it."""
    with worker(WORKER.replace('ready({"fact": 1})', 'ready({"fact": 1}); time.sleep(2)')) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdout.readline()
        process.stdin.write('{"seed": 9}\n')
        process.stdin.close()
        assert process.wait(30) == -signal.SIGTERM


def test_a_worker_dies_with_its_race() -> None:
    """The race's process is gone, and with it the other end of the pipe: no run of an hour goes on."""
    with worker() as process:
        assert process.stdin is not None and process.stderr is not None
        process.stdin.write('{"seed": 9}\n')
        process.stdin.flush()
        while process.stderr.readline() != "at work\n":
            pass
        began = time.monotonic()
        process.stdin.close()
        assert process.wait(30) == -signal.SIGTERM and time.monotonic() - began < 20
