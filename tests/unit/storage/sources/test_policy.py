"""Where data may lead: nowhere but where the user pointed."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest

from mien.storage import OutsideError, Root, SourceItem, SourcePolicy, list_images
from mien.storage.sources.addresses import is_private_host, is_public
from mien.storage.sources.policy import origin

GIVEN = SourcePolicy(given=(origin("https://photos.example/list.csv"), origin("s3://bucket/lists/a.csv")))


@pytest.mark.parametrize(
    "uri",
    [
        "https://photos.example/a.jpg",
        "https://PHOTOS.example:443/b/../c.jpg",
        "http://photos.example/a.jpg",
        "s3://bucket/other/a.jpg",
        "sample:orl/s1/1.pgm",
    ],
)
def test_the_hosts_and_buckets_that_were_given_are_inside(uri: str) -> None:
    assert GIVEN.refusal(uri) is None


@pytest.mark.parametrize(
    "uri",
    [
        "https://elsewhere.example/a.jpg",
        "https://photos.example.elsewhere.example/a.jpg",
        "https://photos.example@elsewhere.example/a.jpg",
        "https://elsewhere.example\\@photos.example/a.jpg",
        "https://photos.example:8443/a.jpg",
        "ftp://photos.example/a.jpg",
        "s3://bucket2/a.jpg",
        "gs://bucket/a.jpg",
        "/etc/passwd",
        "file:///etc/passwd",
        "File:///etc/passwd",
        "local:///etc/passwd",
        "bytes:/etc/passwd",
        "zip://a.jpg::https://photos.example/a.zip",
        "simplecache::https://photos.example/a.jpg",
        "http://127.0.0.1/a.jpg",
        "http://[::1]/a.jpg",
        "http://169.254.169.254/latest/meta-data",
        "memory://x/a.jpg",
        "https://photos.example\n.elsewhere.example/a.jpg",
        "https:///a.jpg",
        "https://photos.example:port/a.jpg",
    ],
)
def test_everything_else_is_outside_and_its_row_says_how_to_allow_it(uri: str) -> None:
    reason = str(GIVEN.refusal(uri))
    assert reason.startswith("outside of what the run was given: ")
    assert reason.endswith("; --allow PREFIX")
    with pytest.raises(OutsideError):
        GIVEN.check(uri)


@pytest.mark.parametrize(
    ("allow", "uri", "inside"),
    [
        ("https://cdn.example/", "https://cdn.example/a.jpg", True),
        ("https://cdn.example", "https://cdn.example/a.jpg", True),
        ("https://cdn.example", "https://cdn.example.elsewhere.example/a.jpg", False),
        ("https://cdn.example/a", "https://cdn.example/a/b.jpg", True),
        ("https://cdn.example/a", "https://cdn.example/ab.jpg", False),
        ("https://cdn.example/a", "https://cdn.example/a/../b.jpg", False),
        ("https://cdn.example/a", "https://cdn.example/a/%2e%2e/b.jpg", False),
        ("https://cdn.example/a", "https://cdn.example/a/%252e%252e/b.jpg", False),
        ("https://", "https://anywhere.example/a.jpg", True),
        ("https://", "http://anywhere.example/a.jpg", False),
        ("http://", "http://127.0.0.1/a.jpg", False),
        ("http://", "http://2130706433/a.jpg", False),
        ("http://", "http://0x7f.1/a.jpg", False),
        ("http://", "http://[::ffff:10.0.0.1]/a.jpg", False),
        ("http://", "http://localhost./a.jpg", False),
        ("http://", "http://printer.local/a.jpg", False),
        ("http://10.0.0.5/", "http://10.0.0.5/a.jpg", True),
        ("http://10.0.0.5/", "http://10.0.0.5:8080/a.jpg", False),
        ("s3://pictures/2026", "s3://pictures/2026/a.jpg", True),
        ("s3://pictures/2026", "s3://pictures/20261/a.jpg", False),
        ("s3://", "s3://pictures/a.jpg", True),
        ("https://", "zip://a.jpg::https://anywhere.example/a.zip", False),
    ],
)
def test_a_prefix_ends_at_a_slash_and_names_no_private_host_unless_it_says_so(
    allow: str, uri: str, inside: bool
) -> None:
    assert (SourcePolicy(allow=(allow,)).refusal(uri) is None) is inside


def test_an_address_is_looked_at_as_well_as_a_name() -> None:
    policy = SourcePolicy((origin("http://intranet.example/list.csv"),), ("https://",))
    policy.check_address("https://anywhere.example/a.jpg", "93.184.216.34")
    policy.check_address("http://intranet.example/a.jpg", "10.1.2.3")  # the user named this host
    for address in ("127.0.0.1", "10.1.2.3", "169.254.169.254", "fe80::1%eth0", "::ffff:192.168.0.1", "64:ff9b::a00:1"):
        with pytest.raises(OutsideError, match="an address of this machine or network"):
            policy.check_address("https://anywhere.example/a.jpg", address)


def test_public_and_private_addresses() -> None:
    assert is_public("8.8.8.8")
    assert is_public("2606:4700::1111")
    for address in ("0.0.0.0", "100.64.0.1", "224.0.0.1", "::", "fd00::1", "2002:7f00:1::", "192.0.0.8", "240.0.0.1"):
        assert not is_public(address), address
    assert is_private_host("intranet")
    assert not is_private_host("photos.example.org")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for name in ("photos/anna/1.jpg", "private/secret.jpg", "photos/ben/2.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"\xff\xd8\xff picture")
    return tmp_path


def rows(items: list[SourceItem]) -> dict[str, tuple[str, str | None]]:
    return {item.uri.rpartition("/")[2]: (item.status, item.reason) for item in items}


def test_a_list_names_what_lies_below_its_own_folder(photos: Path) -> None:
    uris = ["anna/1.jpg", f"{photos}/photos/ben/2.jpg", "../private/secret.jpg", f"{photos}/private/secret.jpg"]
    (photos / "photos/list.csv").write_text("\n".join(["uri", *uris]))
    items = list_images([str(photos / "photos/list.csv")])
    assert [item.status for item in items] == ["ok", "ok", "rejected", "rejected"]
    assert f"outside of what the run was given: {photos}/private; --allow PREFIX" == items[-1].reason
    both = list_images([str(photos / "photos/list.csv"), str(photos / "private")])
    assert {item.status for item in both} == {"ok"}
    allowed = list_images([str(photos / "photos/list.csv")], allow=[str(photos / "private")])
    assert {item.status for item in allowed} == {"ok"}


def test_links_out_of_a_folder_are_not_followed(photos: Path) -> None:
    (photos / "photos/anna/link.jpg").symlink_to(photos / "private/secret.jpg")
    (photos / "photos/carl").symlink_to(photos / "private")
    (photos / "photos/anna/inside.jpg").symlink_to("../ben/2.jpg")
    (photos / "photos/list.csv").write_text("uri\ncarl/secret.jpg\nanna/link.jpg\nanna/inside.jpg\n")
    found = rows(list_images([str(photos / "photos")]))
    assert {name for name, (status, _) in found.items() if status == "rejected"} == {"link.jpg", "carl"}
    assert f"a link to {photos}/private" in str(found["carl"][1])
    listed = rows(list_images([str(photos / "photos/list.csv")]))
    assert {name: status for name, (status, _) in listed.items()} == {
        "secret.jpg": "rejected",
        "link.jpg": "rejected",
        "inside.jpg": "ok",
    }
    # A link that the user names is meant.
    assert [item.status for item in list_images([str(photos / "photos/anna/link.jpg")])] == ["ok"]
    assert "secret.jpg" in rows(list_images([str(photos / "photos/carl")]))
    assert set(rows(list_images([f"{photos}/photos/*/*.jpg"]))) >= {"1.jpg", "2.jpg", "inside.jpg"}


def test_a_link_that_is_changed_between_two_listings_is_noticed(photos: Path) -> None:
    (photos / "photos/list.csv").write_text("uri\nben/2.jpg\n")
    assert [item.status for item in list_images([str(photos / "photos/list.csv")])] == ["ok"]
    (photos / "photos/ben").rename(photos / "private/ben")
    (photos / "photos/ben").symlink_to(photos / "private/ben")
    assert [item.status for item in list_images([str(photos / "photos/list.csv")])] == ["rejected"]


@pytest.mark.parametrize(
    "uri",
    [
        "{photos}/photos/anna/1.jpg",
        "file://{photos}/photos/anna/1.jpg",
        "FILE://{photos}/photos/anna/1.jpg",
        "memory://other/1.jpg",
    ],
)
def test_a_list_elsewhere_names_no_files_of_this_machine_and_no_other_bucket(photos: Path, uri: str) -> None:
    root = Root(f"memory://{uuid4().hex}")
    root.write_bytes("lists/list.csv", f"uri\n{uri.format(photos=photos)}\n../a.jpg\n".encode())
    root.write_bytes("a.jpg", b"\xff\xd8\xff")
    assert sorted(item.status for item in list_images([f"{root.url}/lists/list.csv"])) == ["ok", "rejected"]
