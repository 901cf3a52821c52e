"""Numbers as people write them are told from names and codes."""

import pytest

from experiments.readers.amounts import kind_of_amounts


@pytest.mark.parametrize(
    ("written", "kind"),
    [
        ("€101,833 $1,200.50 -$3 $-3 ₹1,23,456 £5", "amounts of money"),
        ("USD_1,593 12_EUR CHF_1'234.50 R$5 100_kr", "amounts of money"),
        ("1_200,50_€ €_12,- 5", "amounts of money"),
        ("12_% 12% -3.5% 1,5_%", "percentages"),
        ("($1,200) $7", "amounts of money"),
        ("1,234 12,345,678 7", "numbers with separators"),
        ("1.234,50 (12) 7-", "numbers with separators"),
        ("5.4mm 12mm 3", "numbers with the unit 'mm'"),
        ("10:30 7:05:59 3:15_pm", "times"),
        ("1248_CC 990_CC", "numbers with the unit 'CC'"),
    ],
)
def test_amounts_are_told_what_they_are(written: str, kind: str) -> None:
    assert kind_of_amounts(text.replace("_", " ") for text in written.split()) == kind


@pytest.mark.parametrize(
    "written",
    [
        "A101 A102",  # codes
        "12A 13A",
        "1.2.3 1.2.4",
        "12.05.24 13.05.24",
        "12345-6789 22222-1111",
        "5_kg 5_lb",  # not one unit
        "5_% 5_kg",
        "$12 twelve",
        "Ward_3 Ward_4",
        "",
    ],
)
def test_names_codes_and_dates_are_no_amounts(written: str) -> None:
    assert kind_of_amounts(text.replace("_", " ") for text in written.split() or [""]) is None
