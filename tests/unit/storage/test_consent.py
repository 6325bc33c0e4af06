"""What counts as consent, and above all what does not."""

from __future__ import annotations

from datetime import date

import pytest

from mien.storage.consent import Consent, ConsentError, parse_consent, stored_consent, strongest
from mien.storage.licence import Licence, parse_licence

TODAY = date(2026, 6, 1)


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("yes", "given"),
        (" YES ", "given"),
        ("True", "given"),
        ("1", "given"),
        ("1.0", "given"),
        ("Granted", "given"),
        ("signed 2026-01-01", "given 2026-01-01"),
        ("2026-01-01", "given 2026-01-01"),
        ("2026-01-01 10:20:30+00:00", "given 2026-01-01"),
        ("2026-01-01T00:00:00.000000", "given 2026-01-01"),
        ("yes (2026-01-01)", "given 2026-01-01"),
        ("no", "denied"),
        ("False", "denied"),
        ("0", "denied"),
        ("0.0", "denied"),
        ("not given", "denied"),
        ("no, 2026-01-01", "denied 2026-01-01"),
        ("refused on 2026-01-01", "denied 2026-01-01"),
        ("WITHDRAWN", "withdrawn"),
        ("revoked: 2026-02-03", "withdrawn 2026-02-03"),
        ("withdrawn 2027-01-01", "withdrawn 2027-01-01"),
        ("", None),
        (None, None),
        ("NaN", None),
    ],
)
def test_a_decision_is_read_and_read_again_as_it_is_stored(text: str | None, stored: str | None) -> None:
    consent = parse_consent(text, TODAY)
    assert consent.text == stored
    assert parse_consent(consent.text, TODAY) == consent


@pytest.mark.parametrize(
    "text",
    [
        "maybe",
        "yes but not for adverts",
        "no longer",
        "none",
        "ja",
        "2",
        "-1",
        "yes no",
        "yesno",
        "no\u200b",
        "01.02.2026",
        "2026-13-01",
        "2026-02-30",
        "2026-08-01",
        "signed 2026-08-01",
        "true 2026-01-01",
        "given 2026-01-01 withdrawn 2026-02-01",
        "2026-01-01 withdrawn",
        "is not signed 2026-01-01",
    ],
)
def test_anything_else_is_no_consent(text: str) -> None:
    with pytest.raises(ConsentError, match="no consent"):
        parse_consent(text, TODAY)


def test_what_former_versions_stored_passes_only_where_it_says_so() -> None:
    assert stored_consent("yes").kind == "given"
    assert stored_consent("False").kind == "denied"
    assert stored_consent("see the contract").kind == "unknown"


def test_the_strictest_of_several_rows_holds() -> None:
    given, denied, unknown = Consent("given", date(2026, 1, 1)), Consent("denied"), Consent()
    withdrawn = Consent("withdrawn", date(2026, 3, 1))
    assert strongest([given, withdrawn, denied]) == withdrawn
    assert strongest([given, denied]) == denied
    assert strongest([given, unknown]) == unknown
    assert strongest([given, Consent("given", date(2026, 2, 1))]).on == date(2026, 2, 1)
    assert strongest([withdrawn, Consent("withdrawn", date(2026, 2, 1))]).on == date(2026, 2, 1)
    assert strongest([]).kind == "unknown"


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        ("CC BY 4.0", Licence("CC-BY-4.0", True)),
        ("cc-by-nc-sa-4.0", Licence("CC-BY-NC-SA-4.0", False)),
        ("CC_BY_NC", Licence("CC-BY-NC", False)),
        ("CC BY-ND 3.0 Unported", Licence("CC-BY-ND-3.0", True)),
        ("cc0", Licence("CC0-1.0", True)),
        ("our studio's own", Licence("our studio's own", None)),
    ],
)
def test_known_licences_have_one_name(text: str, licence: Licence) -> None:
    assert parse_licence(text) == licence
    assert parse_licence(licence.name) == licence
