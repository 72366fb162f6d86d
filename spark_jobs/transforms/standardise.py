"""One spelling for what people typed in many.

A standardised value must still meet the contract that its record met: a value that is blank, or
that no longer matches its field's pattern, stays as it came. Keys, references and closed lists are
never touched, because other records repeat them letter by letter.
"""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F  # noqa: N812 (the name that Spark code uses everywhere)

from millrace.contracts import Field

#: Where a new word of a name begins: after a blank or a hyphen, and after the single letter and
#: apostrophe of O'Brien and D'Angelo, but not after the apostrophe of Joe's.
_WORD_STARTS = r"(?<=[\s\-])|(?<=\b\p{L}['\u2019])"


def standardised(field: Field) -> Column:
    """The column of that field, standardised as its name and its contract suggest."""
    column = F.col(field.name)
    if field.type != "string" or field.key or field.references or field.enum:
        return column
    tidy = _recased(field, F.trim(F.regexp_replace(column, r"\s+", " ")))
    fits = tidy != ""
    if field.pattern is not None:
        fits = fits & tidy.rlike(rf"\A(?:{field.pattern})\z")
    return F.when(fits, tidy).otherwise(column).alias(field.name)


def title_case(column: Column) -> Column:
    """Each word of a name with a capital, unless its writer mixed cases: McDonald stays."""
    words = F.transform(
        F.split(F.lower(column), _WORD_STARTS),
        lambda word: F.concat(F.upper(F.substring(word, 1, 1)), F.substring(word, 2, 1_000_000)),
    )
    written_in_one_case = (column == F.lower(column)) | (column == F.upper(column))
    return F.when(written_in_one_case, F.array_join(words, "")).otherwise(column)


def _recased(field: Field, tidy: Column) -> Column:
    last_word = field.name.rpartition("_")[2]
    if last_word == "email":
        return F.lower(tidy)
    if last_word == "country":
        return F.upper(tidy)
    # A person's name, not a product's: labels such as USB mean their capitals.
    if last_word == "city" or (last_word == "name" and field.pii):
        return title_case(tidy)
    return tidy
