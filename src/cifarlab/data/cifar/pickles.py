"""Reading the pickles of CIFAR's Python archives without unpickling: nothing that they name is called.

A pickle is a program for a stack machine. This machine knows the opcodes that build dictionaries, lists,
tuples, texts, bytes and integers, and recognizes the few names with which numpy writes an array of uint8; it
looks none of them up and imports nothing. All else, code first of all, is refused. It reads protocols 2 to 5:
what Python 2 wrote into the official archives, and what today's Python writes of the same data.

Source: the opcodes as documented in CPython's Lib/pickletools.py.
"""

from collections.abc import Callable
from typing import Any

from cifarlab.data.cifar.pickle_names import NAMES, Known, Refused, called, finished, give_state
from cifarlab.errors import UserError, printable

_MAX_OPCODES = 1_000_000  # CIFAR-100's training file takes about 200,000; each makes one object at most
_MAX_NAME = 100  # characters of a key or of a name of Python's; longer ones are no CIFAR file's


def read_pickled_dict(content: bytes, name: str) -> dict[str, Any]:
    """The dictionary in a pickle of plain values.

    Args:
        content: the whole file.
        name: what an error message calls it.

    Returns:
        The keys as texts. A value is an integer, a text, bytes (as is a text of Python 2), None, a list, a
        tuple, a dictionary, or a uint8 array of any shape.

    Raises:
        UserError: the file is damaged, is no pickle of a dictionary, or holds anything else, such as code.
    """
    try:
        found = _Machine(content).run()
    except Refused as reason:
        raise UserError(
            f"{printable(name)} is not a file of CIFAR's Python archives, or damaged ({printable(reason)}); "
            "fetch it again"
        ) from None
    return found


class _Machine:
    """The stack, the memo and the place in the file."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._place = 0
        self._stack: list[Any] = []
        self._marked: list[list[Any]] = []
        self._memo: dict[int, Any] = {}
        self._encoded = 0

    def run(self) -> dict[str, Any]:
        """The dictionary that the whole file builds."""
        if self._take(1) != b"\x80" or self._number(1) not in range(2, 6):
            raise Refused("it is no pickle of protocol 2 to 5")
        opcodes = self._opcodes()
        for _ in range(_MAX_OPCODES):
            opcode = self._take(1)
            if opcode == b".":
                break
            if opcode not in opcodes:
                raise Refused(f"it holds more than data: opcode {opcode.hex()}")
            opcodes[opcode]()
        else:
            raise Refused(f"it has more than {_MAX_OPCODES:,} opcodes")
        found: dict[str, Any] = self._pop(dict)
        if self._stack or self._marked or self._place != len(self._content):
            raise Refused("something is left over at its end")
        return {key: finished(value) for key, value in found.items()}

    def _opcodes(self) -> dict[bytes, Callable[[], None]]:
        push = self._push
        return {
            b"\x95": self._skip_frame,
            b"(": self._mark,
            b"}": lambda: push({}),
            b"]": lambda: push([]),
            b")": lambda: push(()),
            b"t": lambda: self._tuple_of(self._items()),
            b"\x85": lambda: self._tuple_of(self._last(1)),
            b"\x86": lambda: self._tuple_of(self._last(2)),
            b"\x87": lambda: self._tuple_of(self._last(3)),
            b"a": lambda: self._append(self._last(1)),
            b"e": lambda: self._append(self._items()),
            b"s": lambda: self._set(self._last(2)),
            b"u": lambda: self._set(self._items()),
            b"N": lambda: push(None),
            b"\x88": lambda: push(True),
            b"\x89": lambda: push(False),
            b"K": lambda: push(self._number(1)),
            b"M": lambda: push(self._number(2)),
            b"J": lambda: push(int.from_bytes(self._take(4), "little", signed=True)),
            b"\x8a": lambda: push(self._long()),
            **dict.fromkeys((b"U", b"C"), lambda: push(self._counted(1))),
            **dict.fromkeys((b"T", b"B"), lambda: push(self._counted(4))),
            **dict.fromkeys((b"\x8e", b"\x96"), lambda: push(self._counted(8))),
            b"\x8c": lambda: push(self._text(1)),
            b"X": lambda: push(self._text(4)),
            b"\x8d": lambda: push(self._text(8)),
            b"q": lambda: self._remember(self._number(1)),
            b"r": lambda: self._remember(self._number(4)),
            b"\x94": lambda: self._remember(len(self._memo)),
            b"h": lambda: self._recall(self._number(1)),
            b"j": lambda: self._recall(self._number(4)),
            b"c": lambda: self._name(self._line(), self._line()),
            b"\x93": lambda: self._name(*self._last(2)),
            b"R": lambda: self._reduce(*self._last(2)),
            b"b": lambda: self._build(*self._last(2)),
        }

    def _take(self, count: int) -> bytes:
        taken = self._content[self._place : self._place + count]
        if len(taken) != count:
            raise Refused("it ends too early")
        self._place += count
        return taken

    def _number(self, width: int) -> int:
        return int.from_bytes(self._take(width), "little")

    def _counted(self, width: int) -> bytes:
        return self._take(self._number(width))

    def _long(self) -> int:
        return int.from_bytes(self._counted(1), "little", signed=True)

    def _text(self, width: int) -> str:
        try:
            return self._counted(width).decode()
        except UnicodeDecodeError:
            raise Refused("a text is not UTF-8") from None

    def _line(self) -> str:
        end = self._content.find(b"\n", self._place, self._place + _MAX_NAME)
        if end < 0:
            raise Refused("a name has no end")
        return self._take(end + 1 - self._place)[:-1].decode("latin1")

    def _skip_frame(self) -> None:
        self._take(8)  # how far to read ahead; the whole file is in memory anyway

    def _push(self, value: object) -> None:
        self._stack.append(value)

    def _mark(self) -> None:
        self._marked.append(self._stack)
        self._stack = []

    def _items(self) -> list[Any]:
        """All that was pushed since the last mark."""
        if not self._marked:
            raise Refused("a mark is missing")
        items, self._stack = self._stack, self._marked.pop()
        return items

    def _last(self, count: int) -> list[Any]:
        if len(self._stack) < count:
            raise Refused("its stack is empty")
        items = self._stack[-count:]
        del self._stack[-count:]
        return items

    def _pop(self, kind: type[Any]) -> Any:
        (value,) = self._last(1)
        if type(value) is not kind:
            raise Refused(f"there is no {kind.__name__} where one is expected")
        return value

    def _remember(self, index: int) -> None:
        if not self._stack:
            raise Refused("it stores what is not there")
        self._memo[index] = self._stack[-1]

    def _recall(self, index: int) -> None:
        if index not in self._memo:
            raise Refused("it recalls what it never stored")
        self._push(self._memo[index])

    def _tuple_of(self, items: list[Any]) -> None:
        self._push(tuple(items))

    def _append(self, items: list[Any]) -> None:
        target = self._pop(list)
        target += items
        self._push(target)

    def _set(self, items: list[Any]) -> None:
        target = self._pop(dict)
        if len(items) % 2:
            raise Refused("a key has no value")
        for key, value in zip(items[::2], items[1::2], strict=True):
            name = _as_text(key)
            if name in target:
                raise Refused(f"it has two values for {name!r}")
            target[name] = value
        self._push(target)

    def _name(self, module: object, name: object) -> None:
        full = f"{_as_text(module)}.{_as_text(name)}"
        if full not in NAMES:
            raise Refused(f"it asks for {full}, which no CIFAR file needs")
        self._push(NAMES[full])

    def _reduce(self, named: object, arguments: object) -> None:
        match named, arguments:
            case Known.ENCODE, (str() as text, "latin1"):
                self._push(self._encode(text))
            case _:
                self._push(called(named, arguments))

    def _build(self, built: object, state: object) -> None:
        give_state(built, state)
        self._push(built)

    def _encode(self, text: str) -> bytes:
        # A file has the bytes for each text once; one that is encoded again and again would fill the memory.
        self._encoded += len(text)
        if self._encoded > len(self._content):
            raise Refused("it encodes more than it holds")
        try:
            return text.encode("latin1")
        except UnicodeEncodeError:
            raise Refused("bytes are written as a text that is not Latin-1") from None


def _as_text(value: object) -> str:
    if not isinstance(value, str | bytes) or len(value) > _MAX_NAME:
        raise Refused("a key or a name is not a short text")
    return value if isinstance(value, str) else value.decode("latin1")
