"""The gallery as a person uses it, in a real browser, opened from a folder: clicks, keys, a console without errors."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from mien.storage import Root
from mien.tasks.pages.gallery import build_gallery
from mien.tasks.pages.gallery_rows import NOT_KEPT, NOT_MADE
from mien.tasks.pages.gallery_sheets import FOLDER
from tests.browser import CHROMIUM, Tab, browser
from tests.gallery_root import face, not_made, rejected, transfer, write_generated

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")

ROWS = 200
BAD = "identity similarity 0.31 is below 0.40"
EVIL = "<img src=x onerror=alert(1)></script><script>alert(2)</script>"
READY = "document.documentElement?.dataset.ready === 'true'"
PEOPLE = [face(number) for number in range(8)]


def some(number: int) -> dict[str, Any]:
    """Every tenth is rejected without its picture, one more with it; one pair was refused and one failed."""
    source, driver = number % 8, (number + 2) % 8
    if number == 7:
        return not_made(number, source, driver, "rejected", "consent was refused")
    if number == 8:
        return not_made(number, source, driver, "failed", "the generator crashed")
    if number == 9:
        return rejected(number, source, driver, BAD, kept=True)
    if number == 11:
        return transfer(number, source, 99)
    if number == 12:
        return transfer(number, source, driver, model_uri="models:/mien-generator/2")
    further = {"further_source_ids": ["a" * 32, "b" * 32]} if number == 4 else {}
    return rejected(number, source, driver, BAD) if number % 10 == 0 else transfer(number, source, driver, **further)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gallery")
    root = Root(str(folder / "root"))
    table = write_generated(root, PEOPLE, ROWS, some, group=lambda n: f"cluster {n % 3}")
    build_gallery(root, table, Root(str(folder / "page")))
    return folder / "page" / "index.html"


@pytest.fixture(scope="module")
def new_tab() -> Iterator[Callable[[], Tab]]:
    with browser() as tab:
        yield tab


@pytest.fixture
def tab(new_tab: Callable[[], Tab], written: Path) -> Iterator[Tab]:
    """The gallery in a fresh page; at the end nothing was reported as an error."""
    opened = new_tab()
    opened.open(written.as_uri(), READY)
    yield opened
    assert opened.errors == []


def verdicts(tab: Tab) -> list[str]:
    return tab.texts(".card .verdict")


def state(tab: Tab) -> str:
    (text,) = tab.texts("#state")
    return text


def choose(tab: Tab, name: str, value: str) -> None:
    field = f"document.getElementById('filters').elements['{name}']"
    tab.run(f"{field}.value = {value!r}; {field}.dispatchEvent(new Event('input', {{bubbles: true}}))")


def test_numbers_are_of_all_rows_and_each_verdict_shows_as_many_as_it_counts(tab: Tab) -> None:
    assert tab.texts("h1") == ["177 of 200 generated faces accepted"]
    assert tab.texts(".statuses button") == ["all 200", "accepted 177", "rejected 22", "failed 1"]
    assert state(tab) == "200 faces of 200, shown are 1 to 60"
    for number, (name, count) in enumerate([("accepted", 177), ("rejected", 22), ("failed", 1)], start=2):
        tab.click(f".statuses button:nth-child({number})")
        assert state(tab).startswith(f"{count} face")
        assert len(verdicts(tab)) == min(count, 60)
        assert all(text.startswith(name) for text in verdicts(tab))


def test_a_rejected_face_says_why_it_was_and_why_there_is_no_picture(tab: Tab) -> None:
    tab.click(".statuses button:nth-child(3)")
    shown = tab.texts(".card")
    assert sum(NOT_KEPT in text and f"rejected: {BAD}" in text for text in shown) == 20
    assert sum(NOT_MADE in text and "rejected: consent was refused" in text for text in shown) == 1
    assert sum(NOT_KEPT not in text and NOT_MADE not in text for text in shown) == 1
    choose(tab, "kind", "consent was refused")
    tab.wait("document.querySelectorAll('.card').length === 1")
    assert tab.texts(".statuses button") == ["all 1", "accepted 0", "rejected 1", "failed 0"]


def test_filters_by_person_expression_group_reason_and_measure(tab: Tab) -> None:
    choose(tab, "person", "person 1")
    tab.wait("document.querySelectorAll('.card').length === 50")
    assert all(text.startswith("person 1 with") for text in tab.texts(".card .caption"))
    choose(tab, "driver", "person 2")
    choose(tab, "expression", "sad")
    tab.wait("document.querySelectorAll('.card').length < 20")
    assert set(tab.texts(".card .caption")) == {"person 1 with the sad of person 2"}
    tab.click("button[type=reset]")
    assert state(tab).startswith("200 faces")
    choose(tab, "model", "models:/mien-generator/2")
    tab.wait("document.querySelectorAll('.card').length === 1")
    tab.click("button[type=reset]")
    choose(tab, "group", "cluster 2")
    tab.wait("document.querySelector('#state').innerText.startsWith('66 faces')")
    tab.click("button[type=reset]")
    choose(tab, "identity_similarity.min", "0.7")  # which float32 has a little above
    choose(tab, "identity_similarity.max", "0.708")
    tab.wait("document.querySelector('#state').innerText.startsWith('6 faces')")
    assert {float(text.split()[-1]) for text in tab.texts(".card .numbers > span:first-child")} == {0.7, 0.704, 0.708}
    choose(tab, "identity_similarity.min", "")
    choose(tab, "identity_similarity.max", "0.5")
    choose(tab, "order", "identity_similarity:down")
    tab.wait("document.querySelector('#state').innerText.startsWith('2 faces')")


def test_a_bound_includes_the_value_that_is_shown(tab: Tab) -> None:
    choose(tab, "expression_error.max", "0.023")  # which float32 has a little above
    tab.wait("!document.querySelector('#state').innerText.startsWith('200')")
    shown = {float(text.split()[-1]) for text in tab.texts(".card .numbers > span:nth-child(3)")}
    assert shown == {0.02, 0.021, 0.022, 0.023}


def test_the_measures_are_drawn_with_the_limits_of_the_gate(tab: Tab) -> None:
    tab.click("#gate summary")
    titles = tab.texts("#gate figure b")
    assert {"identity similarity", "expression reached", "texture error"} <= set(titles)
    assert tab.run("document.querySelectorAll('#gate line.limit').length") > 0
    assert "max_texture_error" in tab.texts("#gate td")


def test_search_finds_labels_reasons_and_ids(tab: Tab) -> None:
    tab.press("/")
    assert tab.run("document.activeElement.name") == "search"
    tab.type("crashed")
    tab.wait("document.querySelectorAll('.card').length === 1")
    assert verdicts(tab) == ["failed: the generator crashed"]
    choose(tab, "search", transfer(42, 0, 1)["output_id"][:10])
    tab.wait("document.querySelector('.card .verdict').innerText === 'accepted'")
    assert len(verdicts(tab)) == 1
    choose(tab, "search", "nothing is called so")
    tab.wait("document.querySelectorAll('.card').length === 0")
    assert state(tab) == "0 faces of 200"
    tab.click("input[name=search]")
    tab.press("Escape")
    assert len(verdicts(tab)) == 60


def test_keys_move_enlarge_and_turn_pages(tab: Tab) -> None:
    columns = tab.run("getComputedStyle(grid).gridTemplateColumns.split(' ').length")
    at = "Number(document.activeElement.dataset.index)"
    tab.press("ArrowRight")
    assert tab.run(at) == 0
    tab.press("ArrowRight")
    tab.press("ArrowDown")
    assert tab.run(at) == 1 + columns
    assert tab.run("document.activeElement.matches(':focus-visible')")
    tab.press("Enter")
    tab.wait("document.getElementById('zoom').open")
    assert tab.run("document.getElementById('zoom').dataset.id") == some(1 + columns)["output_id"]
    tab.press("ArrowRight")
    assert tab.run("document.getElementById('zoom').dataset.id") == some(2 + columns)["output_id"]
    tab.press("Escape")
    tab.wait("!document.getElementById('zoom').open")
    tab.wait(f"{at} === {2 + columns}")
    tab.press("n")
    assert tab.run(at) == 60
    tab.press("ArrowLeft")
    assert tab.run(at) == 59
    tab.press("p")
    assert tab.run("page") == 0


def test_an_enlarged_row_shows_three_faces_and_everything_about_it(tab: Tab) -> None:
    tab.click(".card[data-index='4']")
    tab.wait("document.getElementById('zoom').open")
    names = tab.run("[...document.querySelectorAll('#zoom [role=img]')].map(e => e.ariaLabel)")
    assert names == ["source: person 2", "driver: person 3", "generated face"]
    (text,) = tab.texts("#zoom dl")
    row = some(4)
    for value in (
        row["output_id"],
        row["identity_face_id"],
        row["expression_face_id"],
        "2 more photos of the person",
        "cluster 1",
        "models:/mien-generator/1",
        "0.516",
        "val",
    ):
        assert value in text
    tab.click("#zoom .turn button:last-child")
    tab.wait("!document.getElementById('zoom').open")


def test_every_picture_in_view_is_the_one_of_its_row(tab: Tab) -> None:
    """The colours in the middle of the first cards are those of the stored pictures."""
    import base64

    import cv2
    import numpy as np

    from mien.model.images.codec import decode_rgb
    from tests.gallery_root import CROP_PX, RESULT_PX, drawn

    choose(tab, "order", "identity_similarity:down")
    tab.wait("document.querySelector('.card').dataset.index === '0'")
    tab.run("Promise.all([...document.images].map(i => i.decode()))")
    tab.run("document.querySelector('#grid').scrollIntoView()")
    tab.run("new Promise(done => setTimeout(done, 300))")
    seen = decode_rgb(base64.b64decode(tab.call("Page.captureScreenshot", format="png")["data"]))
    looked = 0
    for index, row in enumerate(tab.run("found.rows.slice(0, 4)")):
        expected = [("face", row % 8, CROP_PX), ("face", (row + 2) % 8, CROP_PX), ("result", row, RESULT_PX)]
        places = tab.run(
            f"[...document.querySelectorAll('.card[data-index=\"{index}\"] .picture')].map(e => {{"
            " const r = e.getBoundingClientRect(); return [r.x, r.y, r.width, r.height].map(Math.round); })"
        )
        for (kind, number, side), (x, y, width, height) in zip(expected, places, strict=True):
            shown = cv2.resize(seen[y : y + height, x : x + width], (4, 4), interpolation=cv2.INTER_AREA)
            stored = cv2.resize(decode_rgb(drawn(kind, number, side)), (4, 4), interpolation=cv2.INTER_AREA)
            assert np.abs(shown.astype(int) - stored.astype(int)).mean() < 12, (kind, number)
            looked += 1
    assert looked == 12


def test_the_address_says_what_is_shown(tab: Tab, written: Path, new_tab: Callable[[], Tab]) -> None:
    tab.click(".statuses button:nth-child(3)")
    choose(tab, "person", "person 0")
    tab.wait("document.querySelectorAll('.card').length < 20")
    other = new_tab()
    other.open(tab.run("location.href"), READY)
    assert verdicts(other) == verdicts(tab)
    assert state(other) == state(tab)
    other.open(written.as_uri() + "#status=nonsense&page=3", READY)
    other.wait("document.querySelector('#state').innerText === '200 faces of 200, shown are 121 to 180'")
    assert other.errors == []


def test_labels_that_look_like_code_are_shown_as_text(tmp_path: Path, new_tab: Callable[[], Tab]) -> None:
    root = Root(str(tmp_path / "root"))
    rows = [rejected(0, 0, 1, EVIL) | {"identity": EVIL, "expression": EVIL, "licence": EVIL}]
    table = write_generated(root, [face(0, identity=EVIL), face(1, identity=EVIL)], 1, rows.__getitem__)
    build_gallery(root, table, Root(str(tmp_path / "page")))
    tab = new_tab()
    tab.open((tmp_path / "page" / "index.html").as_uri(), READY)
    assert tab.texts(".card .caption") == [f"{EVIL} with the {EVIL} of {EVIL}"]
    tab.click(".card")
    tab.wait("document.getElementById('zoom').open")
    assert EVIL in tab.texts("#zoom dl")[0]
    assert tab.run("document.querySelectorAll('img, script').length") == 2
    assert tab.errors == []


def test_the_policy_lets_no_other_code_run(tab: Tab) -> None:
    attempts = ["document.body.innerHTML = '<i>'", "document.body.setAttribute('onclick', 'a()')"]
    attempts += ["document.body.append(Object.assign(document.createElement('script'), {text: 'a()'}))"]
    for attempt in attempts:
        refused = tab.run(f"(() => {{ try {{ {attempt}; return ''; }} catch (error) {{ return String(error); }} }})()")
        assert "Trusted" in refused, attempt
    assert "Trusted" in " ".join(tab.errors)
    tab.errors.clear()


def test_a_page_without_its_sheets_says_so(written: Path, tmp_path: Path, new_tab: Callable[[], Tab]) -> None:
    alone = tmp_path / "index.html"
    alone.write_bytes(written.read_bytes())
    tab = new_tab()
    tab.open(alone.as_uri(), READY)
    tab.wait("!document.getElementById('lost').hidden")
    assert FOLDER in tab.texts("#lost")[0]
    tab.wait("document.querySelector('.card .none')?.innerText === 'file is missing'")


def test_it_works_from_a_web_server(written: Path, new_tab: Callable[[], Tab]) -> None:
    handler = partial(SimpleHTTPRequestHandler, directory=str(written.parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        tab = new_tab()
        tab.open(f"http://127.0.0.1:{server.server_port}/index.html", READY)
        tab.wait("document.readyState === 'complete'")
        assert len(verdicts(tab)) == 60
        assert tab.run("document.getElementById('lost').hidden")
        assert tab.run("performance.getEntriesByType('resource').filter(e => e.name.endsWith('.jpg')).length") > 1
        server.shutdown()
    assert tab.errors == []


def test_a_narrow_window_has_one_column_and_no_sideways_scrolling(tab: Tab) -> None:
    tab.resize(380, 800)
    assert tab.run("getComputedStyle(grid).gridTemplateColumns.split(' ').length") == 1
    assert tab.run("document.documentElement.scrollWidth <= innerWidth")
    tab.click(".card")
    tab.wait("document.getElementById('zoom').open")
    assert tab.run("document.getElementById('zoom').scrollWidth <= innerWidth")


def test_a_set_in_one_file_works_alone(tmp_path: Path, new_tab: Callable[[], Tab]) -> None:
    root = Root(str(tmp_path / "root"))
    table = write_generated(root, PEOPLE, 12, some)
    build_gallery(root, table, Root(str(tmp_path / "page")))
    alone = tmp_path / "sent.html"
    alone.write_bytes((tmp_path / "page" / "index.html").read_bytes())
    tab = new_tab()
    tab.open(alone.as_uri(), READY)
    assert len(verdicts(tab)) == 12
    tab.run("Promise.all([...document.images].map(i => i.decode()))")
    assert tab.run("document.getElementById('lost').hidden")
    assert tab.errors == []
