"""One spelling for what people typed in many, within the contract."""

from __future__ import annotations

from typing import Any

import pytest

from millrace.contracts import Field
from spark_jobs.transforms.standardise import standardised

PERSON = Field("name", "string", pii=True)
LABEL = Field("name", "string")
EMAIL = Field("email", "string", pattern=r"[^@\s]+@[^@\s]+\.[^@\s]+", pii=True)
COUNTRY = Field("country", "string", pattern="[A-Za-z]{2}")
CITY = Field("home_city", "string")


def outcome(rows: Any, field: Field, *values: str | None) -> list[str | None]:
    """What becomes of the values, in their order."""
    frame = rows(f"n int, {field.name} string", *enumerate(values))
    chosen = frame.orderBy("n").select(standardised(field)).collect()
    return [row[0] for row in chosen]


def test_a_persons_name_is_written_in_title_case(rows: Any) -> None:
    written = {
        "ADA LOVELACE": "Ada Lovelace",
        "ada  lovelace": "Ada Lovelace",
        " Ada\tLovelace ": "Ada Lovelace",
        # Two words that belong together.
        "JEAN-LUC PICARD": "Jean-Luc Picard",
        # One letter before the apostrophe begins a name, a whole word does not.
        "SEAN O'BRIEN": "Sean O'Brien",
        "joe's diner": "Joe's Diner",
        # Who mixes cases means it.
        "Ronald McDonald": "Ronald McDonald",
        # Letters beyond ASCII have cases as well.
        "ÉMILE ZOLA": "Émile Zola",
        "øystein": "Øystein",
    }
    assert outcome(rows, PERSON, *written) == list(written.values())


def test_a_label_keeps_its_capitals(rows: Any) -> None:
    assert outcome(rows, LABEL, "USB  HUB ", "kettle") == ["USB HUB", "kettle"]


def test_addresses_countries_and_cities_have_one_spelling(rows: Any) -> None:
    assert outcome(rows, EMAIL, "Ada@Example.COM") == ["ada@example.com"]
    assert outcome(rows, COUNTRY, "gb", "GB") == ["GB", "GB"]
    assert outcome(rows, CITY, "NEW YORK", "são paulo") == ["New York", "São Paulo"]


def test_a_value_stays_where_its_tidy_form_would_break_the_contract(rows: Any) -> None:
    lower_case_only = Field("country", "string", pattern="[a-z]{2}")
    # Nothing would be left of a blank name, and a required one may not be null.
    assert outcome(rows, PERSON, "  ", "", None) == ["  ", "", None]
    assert outcome(rows, lower_case_only, "gb") == ["gb"]


@pytest.mark.parametrize(
    "field",
    [
        Field("name", "string", pii=True, key=True),
        Field("name", "string", pii=True, references="customers.name"),
        Field("name", "string", pii=True, enum=(" ADA ",)),
    ],
    ids=["key", "reference", "closed list"],
)
def test_what_others_repeat_is_not_touched(rows: Any, field: Field) -> None:
    assert outcome(rows, field, " ADA ") == [" ADA "]


def test_a_field_that_is_no_string_is_not_touched(rows: Any) -> None:
    frame = rows("name int", (1,))
    assert frame.select(standardised(Field("name", "int"))).collect()[0][0] == 1
