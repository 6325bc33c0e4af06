"""Web servers: faults that pass are asked again, redirects stay inside, secrets stay in this process and workers."""

from __future__ import annotations

import base64
import io
import multiprocessing as mp
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mien.storage import (
    MissingError,
    OutsideError,
    SourceItem,
    SourceReader,
    StorageError,
    TransientError,
    list_images,
    list_sources,
    local_copy,
    open_source,
    public_specs,
    read_source,
    retries,
)
from mien.storage.sources.limits import limits
from tests.unit.storage.sources.test_archives import tar_of
from tests.unit.storage.sources.test_kinds import picture, zip_of
from tests.unit.storage.sources.web import Request, Server, after, cut_off, redirect, reset, unavailable, web

PHOTO = picture()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "PAUSES_S", (0.001,) * 5)


@pytest.mark.parametrize("fail", [unavailable, cut_off, reset])
@pytest.mark.parametrize("ranges", [False, True])
def test_a_fault_that_passes_is_asked_again(fail: Any, ranges: bool) -> None:
    data = bytes(3_000_000)
    with web({"/a.jpg": after(3, fail, data)}, ranges) as server:
        assert read_source(f"{server.url}/a.jpg") == data
        assert server.asked["GET /a.jpg"] == 4
    with web({"/a.jpg": after(3, fail, data)}, ranges) as server, local_copy(f"{server.url}/a.jpg") as path:
        assert Path(path).read_bytes() == data


def test_a_stream_that_breaks_goes_on_where_it_was() -> None:
    files = {f"anna/{number}.jpg": PHOTO + bytes([number]) * 300_000 for number in range(8)}
    whole = tar_of(files)
    gone = [0]

    def breaking(request: Request) -> None:
        """Each answer breaks after 700,000 bytes."""
        start = int((request.headers.get("Range") or "bytes=0-").removeprefix("bytes=").rstrip("-"))
        gone[0] += 1
        request.send_response(206 if start else 200)
        request.send_header("Content-Length", str(len(whole) - start))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(whole[start : start + 700_000])
            request.close_connection = len(whole) - start > 700_000

    with web({"/a.tar": breaking}) as server:
        items = list_images([f"{server.url}/a.tar"])
        with SourceReader() as reader:
            assert [reader.read(item) for item in items] == list(files.values())
        assert gone[0] > 4


def test_a_file_that_changes_while_it_is_read_is_not_put_together_of_two() -> None:
    with web({"/a.tar": after(1, cut_off, bytes(3_000_000))}) as server, open_source(f"{server.url}/a.tar") as file:
        server.answers["/a.tar"] = bytes(2_000_000)
        with pytest.raises(StorageError, match="changed while it was read"):
            file.read(1_500_000)


@pytest.mark.parametrize(
    ("status", "kind", "says"),
    [
        (404, MissingError, "does not exist"),
        (410, MissingError, "does not exist"),
        (401, StorageError, "was refused .401.*check the credentials or the signature"),
        (403, StorageError, "was refused .403"),
        (400, StorageError, "answers 400"),
    ],
)
def test_an_answer_that_will_stay_is_asked_for_once(status: int, kind: type[StorageError], says: str) -> None:
    with web({"/a.jpg": lambda request: request.answer(status)}) as server:
        with pytest.raises(kind, match=says) as caught:
            read_source(f"{server.url}/a.jpg")
        assert not isinstance(caught.value, TransientError)
        assert server.asked["GET /a.jpg"] == 1


def test_a_server_that_stays_away_is_a_transient_error() -> None:
    with web({"/a.jpg": unavailable}) as server, pytest.raises(TransientError, match="answers 503"):
        read_source(f"{server.url}/a.jpg")
    with pytest.raises(TransientError, match="does not answer"):
        read_source(f"{server.url}/a.jpg")


def test_a_list_that_cannot_be_had_is_one_failed_row() -> None:
    with web({"/list.csv": lambda r: r.file(b"uri\n") if r.command == "HEAD" else r.answer(503)}) as server:
        (item,) = list_images([f"{server.url}/list.csv"])
        assert (item.status, item.version) == ("failed", "4-4")
        assert "503" in str(item.reason)


@pytest.mark.parametrize("status", [403, 405, 501])
def test_a_server_that_knows_no_head(status: int) -> None:
    def answer(request: Request) -> None:
        if request.command == "HEAD":
            request.answer(status)
        else:
            request.file(PHOTO)

    for ranges in (False, True):
        with web({"/a.jpg": answer}, ranges) as server:
            (item,) = list_images([f"{server.url}/a.jpg"])
            assert item.version.startswith(f"{len(PHOTO)}-")
            assert read_source(item.uri) == PHOTO


def test_parts_of_a_file_are_asked_for_where_the_server_gives_them() -> None:
    out = io.BytesIO()
    pq.write_table(pa.table({"image": pa.array([PHOTO + bytes(5_000_000), PHOTO])}), out, row_group_size=1)
    with web(
        {"/a.parquet": out.getvalue(), "/a.zip": zip_of({"a/1.jpg": PHOTO, "a/2.jpg": PHOTO})}, ranges=True
    ) as server:
        for name in ("a.parquet", "a.zip"):
            items = list_images([f"{server.url}/{name}"])
            with SourceReader() as reader:
                assert reader.read(items[1]) == PHOTO
        sent = [headers.get("Range") for path, headers in server.seen if path == "/a.parquet"]
        assert sum(part is not None for part in sent) > 1
        with open_source(f"{server.url}/a.zip") as file:
            file.seek(-22, 2)
            assert file.read(4) == b"PK\x05\x06"


@pytest.fixture
def elsewhere() -> Iterator[Server]:
    with web({"/a.jpg": PHOTO, "/secret": b"secret"}) as server:
        yield server


def test_redirects_stay_within_what_was_given(elsewhere: Server) -> None:
    with web({"/a.jpg": PHOTO}) as server:
        server.answers |= {
            "/same.jpg": redirect("/a.jpg"),
            "/other.jpg": redirect(f"{elsewhere.url}/a.jpg"),
            "/file.jpg": redirect("file:///etc/passwd"),
            "/loop.jpg": redirect("/loop.jpg"),
            "/none.jpg": lambda request: request.answer(302),
            "/list.csv": b"uri\nsame.jpg\nother.jpg\nloop.jpg\n",
        }
        assert read_source(f"{server.url}/same.jpg") == PHOTO
        with pytest.raises(OutsideError, match=f"outside of what the run was given: {elsewhere.url}/; --allow PREFIX"):
            read_source(f"{server.url}/other.jpg")
        for name, says in (
            ("file", "only web addresses are followed"),
            ("loop", "redirects more than"),
            ("none", "302"),
        ):
            with pytest.raises(StorageError, match=says):
                read_source(f"{server.url}/{name}.jpg")
        assert elsewhere.asked.total() == 0
        loop, other, same = list_images([f"{server.url}/list.csv"])
        assert (loop.status, other.status, same.status) == ("ok", "rejected", "ok")  # the loop fails when it is read
        assert elsewhere.asked.total() == 0
        allowed = list_images([f"{server.url}/list.csv"], allow=[elsewhere.url])
        assert [item.status for item in allowed] == ["ok"] * 3
        assert read_source(allowed[1].uri) == PHOTO


def test_a_broad_prefix_does_not_open_this_machine(elsewhere: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    port = elsewhere.server_address[1]
    known = socket.getaddrinfo

    def resolved(host: str, *args: Any, **kwargs: Any) -> Any:
        return known("127.0.0.1" if host.endswith(".example") else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    hosts = ["127.0.0.1", "localhost", "2130706433", "0x7f.0.0.1", "127.1", "[::ffff:127.0.0.1]", "photos.example"]
    with web({}) as server:
        rows = "\n".join(["uri", *(f"http://{host}:{port}/a.jpg" for host in hosts), f"{server.url}/hop.jpg"])
        server.answers |= {"/list.csv": rows.encode(), "/hop.jpg": redirect(f"http://photos.example:{port}/a.jpg")}
        items = list_images([f"{server.url}/list.csv"], allow=["http://"])
        assert {item.status for item in items} == {"rejected"}
        assert len(items) == len(hosts) + 1
        assert elsewhere.asked.total() == 0
        named = list_images([f"{server.url}/list.csv"], allow=["http://", f"http://photos.example:{port}/"])
        assert sorted(item.status for item in named).count("ok") == 2


def test_user_and_password_reach_their_own_server_only(elsewhere: Server) -> None:
    password = "Basic " + base64.b64encode(b"me:P@SS").decode()
    with web({}) as server:

        def guarded(request: Request) -> None:
            if request.headers.get("Authorization") == password:
                request.file(b"uri,identity\nb.jpg,anna\n" if request.path == "/list.csv" else PHOTO)
            else:
                request.answer(401)

        server.answers |= {"/list.csv": guarded, "/b.jpg": guarded, "/hop.jpg": redirect(f"{elsewhere.url}/a.jpg")}
        given = server.url.replace("http://", "http://me:P%40SS@")
        (item,) = list_images([f"{given}/list.csv"])
        assert (item.uri, item.status, item.identity) == (f"{server.url}/b.jpg", "ok", "anna")
        assert read_source(item.uri) == PHOTO
        list_images([f"{given}/hop.jpg"], allow=[elsewhere.url])
        assert read_source(f"{server.url}/hop.jpg") == PHOTO
        assert elsewhere.seen
        assert not [headers for _, headers in elsewhere.seen if "Authorization" in headers]


def test_a_folder_behind_a_password_given_as_it_may_be_shown(elsewhere: Server) -> None:
    password = "Basic " + base64.b64encode(b"me:PASS").decode()

    def guarded(body: bytes) -> Any:
        return lambda r: r.file(body) if r.headers.get("Authorization") == password else r.answer(401)

    answers = {"/p/": guarded(page("anna/")), "/p/anna/": guarded(page("1.jpg")), "/p/anna/1.jpg": guarded(PHOTO)}
    with web(answers) as server:
        whole = server.url.replace("http://", "http://me:PASS@") + "/p/"
        shown = public_specs([whole])
        assert shown == [f"{server.url}/p/"]
        for specs in ([whole], shown):
            (item,) = list_images(specs)
            assert (item.uri, item.identity) == (f"{server.url}/p/anna/1.jpg", "anna")
            assert read_source(item.uri) == PHOTO


def _read_in_worker(item: SourceItem) -> bytes:
    with SourceReader() as reader:
        return reader.read(item)


def signed(request: Request) -> None:
    if "X-Amz-Signature=PLANTED" in request.path:
        request.file(PHOTO)
    else:
        request.answer(403)


def test_a_signed_address_is_stored_without_its_signature_and_read_with_it_in_workers() -> None:
    with web({"/a.jpg": signed, "/b.jpg": signed}) as server:
        rows = "".join(f"{server.url}/{name}.jpg?X-Amz-Date=1&X-Amz-Signature=PLANTED{name}\n" for name in "ab")
        server.answers["/list.csv"] = f"uri\n{rows}".encode()
        items = list_images([f"{server.url}/list.csv"])
        assert [item.uri for item in items] == [f"{server.url}/a.jpg", f"{server.url}/b.jpg"]
        assert "PLANTED" not in str(items)
        with mp.get_context("spawn").Pool(1) as pool:
            assert pool.map(_read_in_worker, items) == [PHOTO, PHOTO]
        path = Path(os.environ["MIEN_GRANTS"].partition(":")[2])
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        server.answers["/list.csv"] = f"uri\n{rows}".replace("PLANTED", "PLANTED2").encode()
        again = list_images([f"{server.url}/list.csv"])
        assert [item.key for item in again] == [item.key for item in items]


def test_addresses_that_differ_in_a_token_only_are_not_taken_for_one() -> None:
    with web({"/a": PHOTO}) as server:
        server.answers["/list.csv"] = "\n".join(
            ["uri", *(f"{server.url}/a?token={token}" for token in ("one", "two", "one"))]
        ).encode()
        items = list_images([f"{server.url}/list.csv"])
        assert sorted(item.status for item in items) == ["ok", "ok", "rejected"]
        (rejected,) = [item for item in items if item.status == "rejected"]
        assert "differs from another one in its token only" in str(rejected.reason)
        assert "two" not in str(rejected)


def page(*hrefs: str) -> bytes:
    return "".join(f'<a class="x" href="{href}">file</a>' for href in hrefs).encode()


@pytest.mark.parametrize("spec", ["/photos/", "/photos/**/*", "/photos/*/*"])
def test_a_folder_on_a_web_server(elsewhere: Server, spec: str) -> None:
    listed = page("anna/", "b%20c/", "?C=N;O=D", "../", "/", "/etc/x.jpg", f"{elsewhere.url}/a.jpg", ".git/")
    answers: Any = {
        "/photos/": listed,
        "/photos/anna/": page("1.jpg", "2", "notes.txt", "Thumbs.db", "../../etc/x.jpg", "anna/", "1.jpg#x"),
        "/photos/anna/anna/": page("../"),
        "/photos/b%20c/": page("%C3%BC.jpg"),
        "/photos/anna/1.jpg": PHOTO,
        "/photos/anna/2": picture("PNG"),
        "/photos/anna/notes.txt": b"a text",
        "/photos/b%20c/%C3%BC.jpg": PHOTO,
    }
    with web(answers) as server:
        listing = list_sources([server.url + spec])
        assert [(item.uri.removeprefix(server.url), item.identity) for item in listing.items] == [
            ("/photos/anna/1.jpg", "anna"),
            ("/photos/anna/2", "anna"),
            ("/photos/b%20c/%C3%BC.jpg", "b c"),
        ]
        assert "1 left out: no picture (.txt)" in [note.text for note in listing.notes]
        assert all(read_source(item.uri) for item in listing.items)
    assert elsewhere.asked.total() == 0


def test_lists_and_folders_that_never_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(request: Request) -> None:
        request.send_response(200)
        request.end_headers()
        request.close_connection = True
        try:
            while request.command != "HEAD":
                request.wfile.write(b"a.jpg,anna\n" * 10_000)
        except OSError:
            pass

    def deeper(request: Request) -> None:
        request.answer(200, body=page("x/", *(f"{number}.jpg" for number in range(50))))

    class Anywhere(dict[str, Any]):
        def get(self, key: str, default: Any = None) -> Any:
            return super().get(key) or (deeper if key.endswith("/") else PHOTO)

    monkeypatch.setenv("MIEN_MAX_LIST_BYTES", "2000000")
    monkeypatch.setenv("MIEN_MAX_TABLE_ROWS", "1000")
    monkeypatch.setenv("MIEN_MAX_PICTURES", "500")
    limits.cache_clear()
    try:
        with web(Anywhere({"/list.csv": endless, "/rows.csv": endless})) as server:
            (item,) = list_images([f"{server.url}/list.csv"])
            assert item.status == "failed"
            assert "no column uri" in str(item.reason)
            with pytest.raises(StorageError, match="MIEN_MAX_PICTURES above 500"):
                list_images([f"{server.url}/photos/"])
    finally:
        monkeypatch.undo()
        limits.cache_clear()


def test_what_stands_in_an_address_is_sent_as_it_is_meant() -> None:
    with web({"/a%20b/%C3%BC%25.jpg": PHOTO, "/list.csv": "uri\na b/ü%25.jpg\n".encode()}) as server:
        (item,) = list_images([f"{server.url}/list.csv"])
        assert read_source(item.uri) == PHOTO
        assert read_source(f"{server.url}/a%20b/%C3%BC%25.jpg") == PHOTO
        with pytest.raises(StorageError):
            read_source(f"{server.url}/a\r\nX-Injected: 1")
        assert not [headers for _, headers in server.seen if "X-Injected" in headers]


def test_connections_that_are_kept_end_with_the_process() -> None:
    script = "import sys; from mien.storage import read_source; print(len(read_source(sys.argv[1])))"
    with web({"/a.jpg": PHOTO}) as server:
        command = [sys.executable, "-W", "always::ResourceWarning", "-c", script, f"{server.url}/a.jpg"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"{len(PHOTO)}\n"
    assert "unclosed" not in done.stderr
