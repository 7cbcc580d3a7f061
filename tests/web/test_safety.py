"""Paths that lead outside, calls from elsewhere, harmful pictures; each with its control."""

import io
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("fastapi", reason="the extra serve is not installed")

from cifarlab.web.origin import AllowedHosts, allowed_hosts, is_loopback
from web.samples import HOSTILE, png
from web.served import Served, read_until_closed, served

SECRET = b"what nobody outside may read"


@pytest.fixture(scope="module")
def runs(shown_runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs, beside them a secret one, and links to it in every place."""
    base = tmp_path_factory.mktemp("links")
    shutil.copytree(shown_runs, base / "runs")
    shutil.copytree(shown_runs / "digits", base / "secret")
    (base / "secret" / "report.html").write_bytes(SECRET)
    (base / "runs" / "link").symlink_to(base / "secret")
    for name in ("report.html", "model.safetensors", "metrics.jsonl"):
        shutil.copytree(shown_runs / "digits", base / "runs" / f"holds {name}")
        (base / "runs" / f"holds {name}" / name).unlink()
        (base / "runs" / f"holds {name}" / name).symlink_to(base / "secret" / name)
    return base / "runs"


@pytest.fixture(scope="module")
def server(runs: Path) -> Iterator[Served]:
    with served(runs, default="digits") as running:
        yield running


OUTSIDE = (
    "../secret",
    "..%2fsecret",
    "%2e%2e%2fsecret",
    "%2e%2e/secret",
    "..%5csecret",
    "..\\secret",
    "....//secret",
    "digits/../../secret",
    "digits%2f..%2f..%2fsecret",
    "%252e%252e%252fsecret",
    "secret",
    "link",
    "holds%20report.html",
    "holds%20model.safetensors",
    "holds%20metrics.jsonl",
    "digits%00",
    "digits%00/../../secret",
    ".",
    "..",
    "%2e",
    "%c0%ae%c0%ae%2fsecret",
    "{absolute}",
    "%2f{absolute}",
    "file:%2f%2f{absolute}",
)


@pytest.mark.parametrize("name", OUTSIDE)
def test_no_name_leads_out_of_the_runs(server: Served, runs: Path, name: str, picture: bytes) -> None:
    name = name.replace("{absolute}", str(runs.parent / "secret"))
    for path in (f"/runs/{name}/report", f"/api/runs/{name}", f"/api/runs/{name}/metrics", f"/static/{name}"):
        answer = server.ask(path)
        assert answer.status in (400, 404), path
        assert SECRET not in answer.body
    assert server.ask(f"/api/runs/{name}/predict", picture).status in (400, 404)


def test_control_what_is_inside_is_read(server: Served, picture: bytes) -> None:
    assert server.ask("/runs/digits/report").status == 200
    assert server.ask("/api/runs/%64igits/predict", picture).status == 200
    assert server.ask("/static/base.css").status == 200


def test_a_run_without_a_report_has_none(server: Served) -> None:
    assert server.ask("/runs/unfinished/report").status == 404


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 403),
        ({"Host": "evil.example:80"}, 403),
        ({"Host": "127.0.0.1.evil.example"}, 403),
        ({"Host": "localhost.evil.example"}, 403),
        ({"Host": "evil@127.0.0.1"}, 403),
        ({"Host": "localhost#evil.example"}, 403),
        ({"Host": "localhost/evil"}, 403),
        ({"Host": "localhost:evil"}, 403),
        ({"Host": "[::1]evil"}, 403),
        ({"Host": "LOCALHOST.:9000"}, 200),
        ({"Host": "10.0.0.7"}, 403),
        ({"Host": "0.0.0.0"}, 403),
        ({"Host": ""}, 403),
        ({"Host": "["}, 403),
        ({"Host": "localhost:9000"}, 200),
        ({"Host": "127.0.0.1:9000"}, 200),
        ({"Host": "[::1]:9000"}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Origin": "OWN"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
    ],
    ids=str,
)
def test_only_this_machine_and_its_own_pages_are_answered(
    server: Served, picture: bytes, headers: dict[str, str], status: int
) -> None:
    given = {name: value.replace("OWN", server.url) for name, value in headers.items()}
    assert server.ask("/api/runs/digits/predict", picture, headers=given).status == status
    assert server.ask("/api/runs", headers=given).status == status


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("Origin", ("http://evil.example", "http://localhost")),
        ("Sec-Fetch-Site", ("cross-site", "none")),
        ("Host", ("evil.example", "localhost")),
    ],
)
def test_who_says_twice_where_he_comes_from_is_refused(
    server: Served, name: str, values: tuple[str, str]
) -> None:
    for fields, status in (((values[1],), b"200"), (values, b"40"), (values[::-1], b"40")):
        lines = [f"{name}: {value}" for value in fields] + ["Host: localhost"] * (name != "Host")
        with server.connect() as connection:
            request = "\r\n".join(["GET /api/runs HTTP/1.1", *lines, "Connection: close", "", ""])
            connection.sendall(request.encode())
            assert read_until_closed(connection).startswith(b"HTTP/1.1 " + status)


def test_a_link_elsewhere_may_open_the_front_page_and_nothing_else(server: Served) -> None:
    clicked = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert server.ask("/", headers=clicked).status == 200
    framed = {**clicked, "Sec-Fetch-Dest": "iframe"}
    assert server.ask("/", headers=framed).status == 403
    assert server.ask("/runs/digits/report", headers=clicked).status == 403


def test_a_server_for_others_takes_addresses_but_no_foreign_names() -> None:
    hosts = allowed_hosts("0.0.0.0")
    assert hosts.allow("10.0.0.7:8000") and hosts.allow("localhost")
    assert not hosts.allow("evil.example") and not hosts.allow("0.0.0.0")
    assert allowed_hosts("lab.example").allow("Lab.Example:8000")
    assert is_loopback("LOCALHOST") and not is_loopback("lab.example")
    assert allowed_hosts("127.0.0.1") == AllowedHosts(frozenset({"localhost"}), any_address=False)


@pytest.mark.parametrize(
    "path", ["/", "/api", "/api/runs", "/static/app.js", "/nowhere", "/runs/digits/report"]
)
def test_every_answer_says_what_the_browser_may_do_with_it(server: Served, path: str) -> None:
    headers = server.ask(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy and "base-uri 'none'" in policy
    assert "unsafe-eval" not in policy and "http" not in policy and "*" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == headers["cross-origin-opener-policy"] == "same-origin"
    assert "access-control-allow-origin" not in headers and "server" not in headers
    if path.startswith("/runs/"):
        assert policy.startswith("sandbox") and "script" not in policy
    else:
        assert "script-src 'self';" in policy and "frame-ancestors 'none'" in policy
        assert "unsafe-inline" not in policy and "unsafe-hashes" not in policy


def _bomb() -> bytes:
    """A PNG of 30,000 × 30,000 pixels in a few kilobytes."""
    header = b"IHDR" + (30_000).to_bytes(4, "big") * 2 + b"\x01\x00\x00\x00\x00"
    data = b"IDAT" + zlib.compress(b"\0" * 3751 * 300)
    chunks = (header, data, b"IEND")
    packed = [(len(c) - 4).to_bytes(4, "big") + c + zlib.crc32(c).to_bytes(4, "big") for c in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def _gif() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "gif")
    return buffer.getvalue()


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@pytest.mark.parametrize(
    "content",
    [b"", b"\0", b"no picture", _gif(), SVG, _bomb()],
    ids=["empty", "nul", "text", "gif", "svg", "bomb"],
)
def test_what_is_no_good_picture_is_refused(server: Served, content: bytes) -> None:
    answer = server.ask("/api/runs/digits/predict", content)
    assert answer.status == 422 and list(answer.value) == ["detail"]


def test_mutated_pictures_are_classified_or_refused(server: Served) -> None:
    draw = np.random.RandomState(3)
    whole = bytearray(png(draw.randint(0, 256, (16, 16, 3), dtype=np.uint8)))
    seen = set()
    for _ in range(60):
        mutated = bytearray(whole[: draw.randint(8, len(whole) + 1)])
        for place in draw.randint(8, len(mutated) + 1, draw.randint(0, 4)):
            mutated[place % len(mutated)] ^= 1 << draw.randint(8)
        seen.add(server.ask("/api/runs/digits/predict", bytes(mutated)).status)
    assert seen <= {200, 422} and 422 in seen


def test_hostile_names_come_out_as_text(server: Served) -> None:
    names = [run["name"] for run in server.ask("/api/runs").value["runs"]]
    assert HOSTILE in names
    answer = server.ask(f"/api/runs/{HOSTILE.replace(' ', '%20')}")
    assert answer.headers["content-type"] == "application/json"
    assert answer.value["class_names"] == [HOSTILE, "dog\ufffd", "frog"]


@pytest.mark.parametrize(
    "broken", [b"x", b"--x\r\n", b"--x\r\nContent-Disposition: form-data\r\n\r\na\r\n--x--\r\n"]
)
@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "multipart/form-data"])
def test_a_broken_form_is_refused(
    server: Served, broken: bytes, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer = server.ask("/api/runs/digits/predict", broken, headers={"Content-Type": kind})
    assert answer.status == 422 and list(answer.value) == ["detail"]
    assert caplog.records == [], "the terminal hears nothing of it"


def test_a_form_whose_picture_is_no_file_is_refused_in_words(server: Served) -> None:
    text = b'--x\r\nContent-Disposition: form-data; name="picture"\r\n\r\nbytes\r\n--x--\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = server.ask("/api/runs/digits/predict", text, headers=headers)
    assert answer.status == 422 and "the form holds no file" in answer.value["detail"]
    strange = {"Content-Type": "multipart/form-data; boundary=x; charset=nope"}
    assert server.ask("/api/runs/digits/predict", text, headers=strange).status == 422
