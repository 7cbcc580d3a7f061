"""Pickles that attack whoever unpickles them, and a process that watches what their reader does.

    python -m reliability.hostile_pickles FOLDER

opens archives with every program in the place of every file, and prints as JSON what an audit hook saw.
"""

import json
import os
import pickle
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

from cifar_samples import BY_FOLDER, files, packed
from cifarlab.data.cifar.place import recognize, title
from cifarlab.data.cifar.sets import load
from cifarlab.errors import UserError

PYTHON = [BY_FOLDER["cifar-10-batches-py"], BY_FOLDER["cifar-100-python"]]
HARMLESS = {"object.__getattr__", "sys._getframe", "os.scandir", "os.listdir"}
"""Audit events that show nothing but reading in memory and looking at names of files."""


class Calls:
    """Calls a function when it is unpickled."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self._call = function, arguments

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self._call


def values_of(sentinel: Path) -> dict[str, bytes]:
    """Programs that create ``sentinel`` where they are unpickled."""
    command, line = f"touch '{sentinel}'", f"open({str(sentinel)!r}, 'w').close()"
    text = short(command)
    made = {
        f"{function.__module__}.{function.__name__}, protocol {protocol}": pickle.dumps(
            Calls(function, argument), protocol
        )
        for protocol in range(2, 6)
        for function, argument in (
            (os.system, command),
            (eval, line),
            (exec, line),
            (Path.touch, sentinel),
        )
    }
    return made | {
        "GLOBAL and REDUCE": b"\x80\x02cos\nsystem\n" + text + b"\x85R.",
        "STACK_GLOBAL and REDUCE": b"\x80\x04" + name("os") + name("system") + b"\x93" + text + b"\x85R.",
        "INST": b"\x80\x02(" + text + b"ios\nsystem\n.",
        "OBJ": b"\x80\x02(cos\nsystem\n" + text + b"o.",
        "a list of arguments": b"\x80\x02csubprocess\ncall\n]("
        + short("touch")
        + short(str(sentinel))
        + b"e\x85R.",
        "a call inside of a call": b"\x80\x02cbuiltins\ngetattr\ncos\nsystem\n"
        + short("__call__")
        + b"\x86R"
        + text
        + b"\x85R.",
        "an import, then a call": b"\x80\x02cbuiltins\n__import__\n"
        + short("os")
        + b"\x85R0cos\nsystem\n"
        + text
        + b"\x85R.",
        "eval from memory": b"\x80\x02cbuiltins\neval\nq\x010h\x01" + short(line) + b"\x85R.",
        "a map that is listed": b"\x80\x02cbuiltins\nlist\ncbuiltins\nmap\ncos\nsystem\n]"
        + text
        + b"a\x86R\x85R.",
    }


def programs(sentinel: Path) -> dict[str, bytes]:
    """All hostile programs: ``values_of``, others hidden in honest data, and those that only break."""
    made = dict(values_of(sentinel))
    attack = pickle.dumps(Calls(os.system, f"touch '{sentinel}'"), 2)[2:-1]
    honest = files(PYTHON[0])["data_batch_1"]
    assert honest.endswith(b"u.")
    made |= {
        "in a value": b"\x80\x02}" + short("data") + attack + b"s.",
        "in a key": b"\x80\x02}" + attack + b"K\x00s.",
        "in a list": b"\x80\x02}" + short("labels") + b"](" + attack + b"es.",
        "in a tuple": b"\x80\x02}" + short("labels") + attack + b"\x85s.",
        "deep in lists": b"\x80\x02}" + short("labels") + 500 * b"]" + attack + 500 * b"a" + b"s.",
        "before the honest data": b"\x80\x02" + attack + b"0" + honest[2:],
        "behind the honest data": honest[:-1] + attack + b"0.",
        "in one more key": honest[:-2] + short("more") + attack + b"u.",
        "behind the end": honest + b"\x80\x02" + attack + b".",
        "in the place of the array": honest.replace(b"cnumpy\nndarray\n", b"cos\nsystem\n"),
        "in the place of its maker": honest.replace(
            b"cnumpy.core.multiarray\n_reconstruct\n", b"cos\nsystem\n"
        ),
        "in the place of its type": honest.replace(b"cnumpy\ndtype\n", b"cos\nsystem\n"),
        "an array of objects": honest.replace(b"U\x02u1", b"U\x02O8"),
    }
    state = short("a") + b"}" + short("__setstate__") + b"cos\nsystem\ns"
    return made | {
        "BUILD of a class": b"\x80\x02cbuiltins\nobject\n)\x81}" + short("__class__") + b"cos\nsystem\nsb.",
        "BUILD of a dictionary": b"\x80\x02}" + state + b"b.",
        "Popen": b"\x80\x02csubprocess\nPopen\n" + short("true") + b"\x85R.",
        "NEWOBJ": b"\x80\x02cpathlib\nPath\n" + short(str(sentinel)) + b"\x85\x81.",
        "NEWOBJ_EX": b"\x80\x04cpathlib\nPath\n)}\x92.",
        "copyreg": b"\x80\x02ccopyreg\n_reconstructor\ncbuiltins\nobject\ncbuiltins\nobject\nN\x87R.",
        "a new entry of copyreg": b"\x80\x02ccopyreg\nadd_extension\n"
        + short("os")
        + short("system")
        + b"K\x01\x87R.",
        "EXT1": b"\x80\x02\x82\x01.",
        "EXT2": b"\x80\x02\x83\x01\x00.",
        "EXT4": b"\x80\x02\x84\x01\x00\x00\x00.",
        "PERSID": b"\x80\x02Pos.system\n.",
        "BINPERSID": b"\x80\x02" + short("os.system") + b"Q.",
        "NEXT_BUFFER": b"\x80\x05\x97.",
        "READONLY_BUFFER": b"\x80\x05\x97\x98.",
        "an escape in a text": b"\x80\x02S'\\x41'\n.",
        "a number as text": b"\x80\x02I" + 20_000 * b"9" + b"\n.",
        "a long number as text": b"\x80\x02L" + 20_000 * b"9" + b"L\n.",
        "numpy's loader": b"\x80\x02cnumpy\nload\n" + short(str(sentinel)) + b"\x85R.",
        "a name that goes around": b"\x80\x04" + name("numpy") + name("os.system") + b"\x93.",
        "a module with a null": b"\x80\x02cnumpy\0\ndtype\n.",
        "a name in other letters": b"\x80\x04" + name("ｎumpy") + name("dtype") + b"\x93.",
        **bombs(),
    }


def bombs() -> dict[str, bytes]:
    """Short programs that ask for much memory or time."""
    doubled = b"".join(bytes([ord("q"), n]) + b"h" + bytes([n]) + b"\x86" for n in range(1, 200))
    listed = b"".join(b"q" + bytes([n]) + b"0](" + 100 * (b"h" + bytes([n])) + b"e" for n in range(1, 60))
    return {
        "laughs, tuples": b"\x80\x02)" + doubled + b".",
        "laughs, a tuple as a key": b"\x80\x02})" + doubled + b"K\x00s.",
        "laughs, lists": b"\x80\x02]" + listed + b".",
        "laughs, bytes": b"\x80\x02}" + short("a") + encode(2**16) + 2_000 * b"h\x00h\x01R" + b"s.",
        "a list in itself": b"\x80\x02}" + short("labels") + b"]q\x01h\x01as" + b"\x94" * 10 + b"h\x01a.",
        "a claim of 4 GB, bytes": b"\x80\x03}B\xff\xff\xff\xff.",
        "a claim of 2 GB, text of Python 2": b"\x80\x02}T\xff\xff\xff\x7f.",
        "a negative length": b"\x80\x02}T\xff\xff\xff\xff.",
        "a claim of 2⁶⁴ bytes": b"\x80\x04}\x8e" + 8 * b"\xff" + b".",
        "a claim of 2⁶³ bytes, writable": b"\x80\x05}\x96" + struct.pack("<Q", 2**63) + b".",
        "a claim of 2⁶⁴ letters": b"\x80\x04}\x8d" + 8 * b"\xff" + b".",
        "a number of 2 GB": b"\x80\x02}\x8b\xff\xff\xff\x7f.",
        "a number of 255 bytes": b"\x80\x02}\x8a\xff" + 255 * b"\x7f" + b".",
        "a far memo": b"\x80\x02}r\xff\xff\xff\xff" + b"j\xff\xff\xff\xffs.",
        "a frame of 2⁶⁴ bytes": b"\x80\x04\x95" + 8 * b"\xff" + b"].",
        "marks without end": b"\x80\x02" + 20_000 * b"(" + b".",
        "lists without end": b"\x80\x02" + 20_000 * b"]" + b".",
        "tuples without end": b"\x80\x02)" + 20_000 * b"\x85" + b".",
        "an array of 2⁶⁰ values": files(PYTHON[0])["data_batch_1"].replace(
            b"K\x01M\x00\x0c\x86", b"\x8a\x08" + struct.pack("<q", 2**60) + b"K\x01\x86"
        ),
    }


def short(text: str) -> bytes:
    """A text as Python 2 writes it."""
    return b"U" + bytes([len(text.encode())]) + text.encode()


def name(text: str) -> bytes:
    """A text as protocol 4 writes it."""
    return b"\x8c" + bytes([len(text.encode())]) + text.encode()


def encode(size: int) -> bytes:
    """``size`` bytes as protocol 2 writes them, with the call and its arguments in the memo."""
    text = b"X" + struct.pack("<I", size) + bytes(size) + b"X\x06\x00\x00\x00latin1\x86"
    return b"c_codecs\nencode\nq\x00" + text + b"q\x01R"


def main() -> None:
    """Watch, open everything, report."""
    folder = Path(sys.argv[1])
    folder.mkdir()
    path = folder / "archive.tar"
    hostile = programs(folder / "ran")
    watch = Watch()
    sys.addaudithook(watch.hear)
    refused = 0
    for archive in PYTHON:
        honest = files(archive)
        path.write_bytes(packed(honest, archive.folder, mode=""))
        _open(path)  # what is imported on first use is imported now
        for file_name in honest:
            for program in hostile.values():
                path.write_bytes(packed({**honest, file_name: program}, archive.folder, mode=""))
                with watch:
                    refused += _is_refused(path)
    seen, watch.seen = watch.seen, {}
    with watch:  # control: the watch sees what happens
        subprocess.run(["true"], check=True)
        os.system("true")
        (folder / "written").write_bytes(b"")
        __import__("colorsys")
    print(json.dumps({"refused": refused, "seen": seen, "control": sorted(watch.seen)}))


class Watch:
    """Counts the events that are more than reading, while it is on."""

    def __init__(self) -> None:
        self.seen: dict[str, int] = {}
        self._on = False

    def __enter__(self) -> None:
        self._on = True

    def __exit__(self, *_: object) -> None:
        self._on = False

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._on or event in HARMLESS:
            return
        if event == "open" and arguments[1] in ("r", "rb"):
            return
        self.seen[event] = self.seen.get(event, 0) + 1


def _open(path: Path) -> None:
    place = recognize(path)
    assert place is not None
    title(place)
    load(place)


def _is_refused(path: Path) -> bool:
    try:
        _open(path)
    except UserError:
        return True
    return False


if __name__ == "__main__":
    main()
