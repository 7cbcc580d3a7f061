"""A worker of a race that does no more than talk: ``fake_worker.py BEHAVIOR LOG ORDER``; without torch.

What a run gives is a function of the side and the seed alone. Every run leaves a line in the file LOG.
"""

import json
import os
import signal
import subprocess
import sys
import time


def outcome(side: str, seed: int) -> dict[str, object]:
    """What the fake of ``side`` answers."""
    seconds = 10.0 + seed if side == "ours" else 20.0 + seed % 3
    accuracy = 0.94 + 0.001 * (seed % 4) if side == "ours" else 0.941
    return {"seconds": seconds, "accuracy": accuracy, "seed": seed}


def say(text: str) -> None:
    print(text, flush=True)


def begin(behavior: str, log: str) -> None:
    """All that comes before a run."""
    match behavior:
        case "refuses":
            print("a warning", "cifarlab: this is no script of a peer", sep="\n", file=sys.stderr)
            sys.exit(2)
        case "dies at the start":
            print("Traceback", "RuntimeError: no memory\x1b[31m", sep="\n", file=sys.stderr)
            sys.exit(1)
        case "rubbish":
            say("<html>")
        case "endless":
            print("x" * 3_000_000, end="", flush=True)
        case "never ready":
            time.sleep(60)
        case "unready":
            say('{"redy": true}')
    facts = {"as_published": False, "peer": "known.py"} if behavior == "was edited" else {}
    changes = [behavior if behavior.startswith("changes") else "none"]
    if behavior == "is edited after a run" and os.path.exists(log):
        changes = [behavior]
    say(json.dumps({"ready": True, "changes": changes, **facts}))


def main() -> None:
    """Answer until there are no more seeds."""
    behavior, log, order = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    side = "peer" if "script" in order else "ours"
    begin(behavior, log)
    for line in sys.stdin:
        seed = json.loads(line)["seed"]
        answer = outcome(side, seed)
        answer["details"] = {
            "process": os.getpid(),
            "device": order.get("device"),
            "warm": order.get("warm_up"),
            **({"precision": order["precision"]} if "precision" in order else {}),
        }
        with open(log, "a", encoding="utf-8") as file:
            file.write(f"{side} {seed}\n")
        match behavior:
            case "diverges at 1" if seed == 1:
                answer = {"seed": seed, "failed": "the loss is not finite"}
            case "other seed":
                answer["seed"] = seed + 1
            case "no accuracy":
                answer["accuracy"] = 1.5
            case "is stopped":
                os.kill(os.getpid(), signal.SIGTERM)
            case "is killed":
                os.kill(os.getpid(), 9)
            case "is stubborn":
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                helper = subprocess.Popen(["sleep", "60"])
                with open(log, "a", encoding="utf-8") as file:
                    file.write(f"{os.getpid()} {helper.pid}\n")
                time.sleep(60)
            case "hangs":
                time.sleep(60)
            case "talks":
                say("step 1 of 2")
            case "slow":
                time.sleep(0.02)
        say(json.dumps(answer))


if __name__ == "__main__":
    main()
