"""The reader of CIFAR's pickles: what it reads, and the small set of what it knows.

That nothing runs is shown in tests/reliability/test_hostile_pickles.py.
"""

import pickle
import struct
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cifar_samples import Python2Pickle, batch_values, names_as_python2, pixels
from cifarlab.data.cifar import pickles as cifar_pickle
from cifarlab.data.cifar.names import CIFAR10
from cifarlab.data.cifar.pickles import read_pickled_dict
from cifarlab.errors import UserError

IMAGES = np.random.RandomState(0).randint(0, 256, (3, 3072)).astype(np.uint8)
VALUES: dict[str, Any] = {"data": IMAGES, "labels": [0, 255, 9], "batch_label": "one", "none": None}
START = b"\x80\x02"
ARRAY = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"


def refused(content: bytes) -> str:
    """The message with which a file is refused, after a check that it is one line."""
    with pytest.raises(UserError) as caught:
        read_pickled_dict(content, "folder/data_batch_1")
    message = str(caught.value)
    assert message.isprintable() and message.startswith("folder/data_batch_1 ")
    return message


def assert_same(found: dict[str, Any], images: NDArray[np.uint8] = IMAGES) -> None:
    assert found["data"].dtype == np.uint8
    assert np.array_equal(found["data"], images)
    assert found["labels"] == VALUES["labels"]


def test_what_python_2_wrote_is_read() -> None:
    of_each = [((7 * number) % 10,) for number in range(2_345)]
    values = batch_values(of_each, pixels(2_345, 0))
    found = read_pickled_dict(Python2Pickle().dump(values), "batch")
    assert np.array_equal(found["data"], values["data"])
    assert found["labels"] == values["labels"]
    assert found["filenames"] == [name.encode() for name in values["filenames"]]
    assert found["batch_label"] == b"training batch 1 of 5"


def test_the_official_names_are_read() -> None:
    found = read_pickled_dict(names_as_python2("batches.meta"), "batches.meta")
    assert found["label_names"] == [name.encode() for name in CIFAR10]
    assert (found["num_cases_per_batch"], found["num_vis"]) == (10_000, 3_072)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("keys", ["bytes", "text"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("writable", [True, False])
def test_what_today_s_python_writes_is_read(protocol: int, keys: str, order: Any, writable: bool) -> None:
    images = np.array(IMAGES, order=order)
    images.flags.writeable = writable
    values = {key.encode() if keys == "bytes" else key: value for key, value in VALUES.items()}
    values[b"data" if keys == "bytes" else "data"] = images
    found = read_pickled_dict(pickle.dumps(values, protocol), "batch")
    assert set(found) == set(VALUES)
    assert_same(found)


def test_the_names_that_older_and_newer_numpy_use_are_the_same() -> None:
    for protocol, name in ((2, b"multiarray"), (5, b"numeric")):
        content = pickle.dumps(VALUES, protocol)
        new, old = b"numpy._core." + name, b"numpy.core." + name
        both = [
            content.replace(a, b).replace(bytes([len(a)]) + b, bytes([len(b)]) + b)
            for a, b in ((new, old), (old, new))
        ]
        assert both[0] != both[1]
        for each in both:
            assert_same(read_pickled_dict(each, "batch"))


@pytest.mark.parametrize("protocol", [0, 1])
def test_older_protocols_are_refused(protocol: int) -> None:
    assert "no pickle of protocol 2 to 5" in refused(pickle.dumps(VALUES, protocol))


@pytest.mark.parametrize(
    "value",
    [[], (), 1, "text", IMAGES, None, {1: 2}, {(): 1}, {"k" * 101: 1}, {None: 1}],
    ids=lambda value: str(value)[:10],
)
def test_other_things_than_a_dictionary_of_texts_are_refused(value: object) -> None:
    refused(pickle.dumps(value, 2))


@pytest.mark.parametrize(
    "array",
    [
        IMAGES.astype(np.int8),
        IMAGES.astype(np.uint16),
        IMAGES.astype(np.float32),
        IMAGES.astype(object),
        IMAGES[:0],
        np.uint8(3),
        IMAGES.view([("a", np.uint8)]),
    ],
    ids=str,
)
@pytest.mark.parametrize("protocol", [2, 5])
def test_other_arrays_are_refused(array: object, protocol: int) -> None:
    refused(pickle.dumps({"data": array}, protocol))


@pytest.mark.parametrize(
    "value", [1.5, {1}, frozenset(), 2**3000, bytearray(b"x"), range(3), ..., 1j, type], ids=str
)
@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_other_values_are_refused(value: object, protocol: int) -> None:
    refused(pickle.dumps({"labels": value}, protocol))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "ends too early"),
        (b"}", "ends too early"),
        (b".", "its stack is empty"),
        (b"}}.", "left over"),
        (b"(}.", "left over"),
        (b"}.}.", "left over"),
        (b"}.\0", "left over"),
        (b"}u.", "a mark is missing"),
        (b"}(K\x01u.", "a key has no value"),
        (b"}K\x01K\x02s.", "not a short text"),
        (b"](K\x01K\x02u.", "no dict where one is expected"),
        (b"}K\x01a.", "no list where one is expected"),
        (b"}h\x01.", "recalls what it never stored"),
        (b"q\x01}.", "stores what is not there"),
        (b"}(U\x01aK\x01U\x01aK\x02u.", "two values for 'a'"),
        (b"}(U\x01aK\x01X\x01\0\0\0aK\x02u.", "two values for 'a'"),
        (b"}X\xff\xff\xff\xffabc", "ends too early"),
        (b"}T\xff\xff\xff\xffabc", "ends too early"),
        (b"}\x8e\xff\xff\xff\xff\xff\xff\xff\xffabc", "ends too early"),
        (b"}X\x02\0\0\0\xff\xffs.", "a text is not UTF-8"),
        (b"\x80\x02}.", "more than data: opcode 80"),
        (b"}\x8b\xff\xff\xff\x7f.", "more than data: opcode 8b"),
        (b"cnumpy", "a name has no end"),
        (b"c" + 200 * b"n" + b"\n\n", "a name has no end"),
        (b"cnumpy\nload\n.", "asks for numpy.load, which no CIFAR file needs"),
        (b"cnumpy\ndtype\n.", "no dict where one is expected"),
        (b"cnumpy\ndtype\nU\x02u2K\x00K\x01\x87R.", "calls something in a way"),
        (b"cnumpy\ndtype\n)R.", "calls something in a way"),
        (b"cnumpy\nndarray\n(K\x01tR.", "calls something in a way"),
        (b"}U\x01ac_codecs\nencode\nX\x02\0\0\0\xc4\x80X\x06\0\0\0latin1\x86Rs.", "not Latin-1"),
        (b"}}b.", "gives an object a state"),
        (b"}U\x01a" + ARRAY + b"s.", "an array has no values"),
        (b"}U\x01a" + ARRAY + b"Nbs.", "gives an object a state"),
    ],
)  # fmt: skip
def test_a_wrong_program_is_refused(body: bytes, reason: str) -> None:
    assert reason in refused(START + body)


@pytest.mark.parametrize(
    "shape",
    [
        b"K\x03M\xff\x0b\x86",
        b"K\x03M\x01\x0c\x86",
        b"J\xfd\xff\xff\xffJ\x00\xf4\xff\xff\x86",  # -3 × -3072
        b"K\x00K\x00\x86",
        b"(M\x00\x24K\x01K\x01K\x01K\x01t",
        b"\x8a\x08" + struct.pack("<q", 2**62) + b"K\x04\x86",  # 2⁶⁴, which wraps to 0
        b"\x88M\x00\x24\x86",  # True × 9216
    ],
)
def test_a_shape_that_does_not_fit_is_refused(shape: bytes) -> None:
    content = pickle.dumps(VALUES, 2)
    assert b"K\x03M\x00\x0c\x86" in content
    assert "an array has" in refused(content.replace(b"K\x03M\x00\x0c\x86", shape))


def test_opcodes_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    program = START + b"}U\x01aK\x01s."
    monkeypatch.setattr(cifar_pickle, "_MAX_OPCODES", 5)
    assert read_pickled_dict(program, "names") == {"a": 1}
    monkeypatch.setattr(cifar_pickle, "_MAX_OPCODES", 4)
    assert "more than 4 opcodes" in refused(program)


def test_a_text_is_encoded_no_more_often_than_it_is_there() -> None:
    """Each repetition costs a few bytes in the file and a megabyte in memory."""
    text = b"X" + struct.pack("<I", 2**20) + bytes(2**20) + b"q\x01X\x06\x00\x00\x00latin1\x86"
    once = b"c_codecs\nencode\nq\x00" + text + b"q\x02R"
    program = START + b"}U\x01a" + once + b"s"
    assert read_pickled_dict(program + b".", "x") == {"a": bytes(2**20)}
    assert "encodes more than it holds" in refused(program + 5 * b"h\x00h\x02R" + b".")
