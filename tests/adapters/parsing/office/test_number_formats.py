"""Number formats: the text that a sheet shows."""

import time

import pytest

from adapters.parsing.office.number_formats import NumberFormat, number_format

NUMBERS = [
    ("000000", 512, "000512"),
    ('"No-"0000', 81, "No-0081"),
    ('0.00" kg"', 3.5, "3.50 kg"),
    ('"¥"#,##0.00', 9876.5, "¥9,876.50"),
    ("0.0%", 0.085, "8.5%"),
    ('yyyy"年"m"月"d"日"', 45503, "2024年7月30日"),
    ("#,##0;[Red](#,##0)", -9, "(9)"),
    ("#,##0;[Red](#,##0)", 1234567, "1,234,567"),
    ("#,##0", 0, "0"),
    ("#,##0", 12, "12"),
    ("#,##0", 123456, "123,456"),
    ("#,##0.00", -1234.5, "-1,234.50"),
    ('"¥"#,##0.00', -3, "-¥3.00"),
    ('_(* #,##0.00_);_(* (#,##0.00);_(* "-"??_);_(@_)', 1234.5, "1,234.50"),
    ('_(* #,##0.00_);_(* (#,##0.00);_(* "-"??_);_(@_)', 0, "-"),
    ("000-0000-0000", 13812345678, "138-1234-5678"),
    ("(000) 000-0000", 5551234567, "(555) 123-4567"),
    ("00000-0000", 12345, "00001-2345"),
    ('[>=10000]0.0,"K";0', 12500, "12.5K"),
    ('[>=10000]0.0,"K";0', 500, "500"),
    ("[<100]0.0;0", -5, "-5.0"),
    ('[=1]"是";[=0]"否";0', 1, "是"),
    ('[=1]"是";[=0]"否";0', 0, "否"),
    ('[=1]"是";[=0]"否";0', 5, "5"),
    ('0.0,,"M"', 12345678, "12.3M"),
    ("0.00E+00", 12345.678, "1.23E+04"),
    ("0.00E+00", 99999, "1.00E+05"),
    ("0.0E+0", 0.00996, "1.0E-2"),
    ("##0.0E+0", 99999, "100.0E+3"),
    ("##0.0E+0", 999990, "1.0E+6"),
    ("[DBNum1][$-804]General", 20305.5, "二万零三百零五.五"),
    ('[DBNum2][$-804]General"元整"', -1260, "-壹仟贰佰陆拾元整"),
    ("[DBNum1]0", 405, "四〇五"),
    ('[DBNum1][$-804]yyyy"年"m"月"d"日"', 45503, "二〇二四年七月三十日"),
    ("[DBNum2]General", 100010000, "壹亿零壹万"),
    ("##0.0E+0", 12345, "12.3E+3"),
    ("# ?/?", 1.25, "1 1/4"),
    ("# ?/?", 0.5, "1/2"),
    ("?/8", 0.5, "4/8"),
    ("# ??/??", 3, "3"),
    ("h:mm AM/PM", 0.5625, "1:30 PM"),
    ("[h]:mm:ss", 1.5, "36:00:00"),
    ("mm:ss.0", 0.000725, "01:02.6"),
    ("yyyy-mm-dd hh:mm:ss", 45503.25, "2024-07-30 06:00:00"),
    ("yyyy/m/d;@", 45503, "2024/7/30"),
    ("[$-804]aaaa", 45503, "星期二"),
    ("[$-409]d-mmm-yyyy", 45503, "30-Jul-2024"),
    ("[$¥-804]#,##0.00", 5, "¥5.00"),
    ("[$€-2] #,##0.00", 5, "€ 5.00"),
    ("#,##0.00 [$USD]", 5, "5.00 USD"),
    ('General"元"', 12.5, "12.5元"),
    ('G/通用格式"台"', 3, "3台"),
    ("0.##", 1.5, "1.5"),
    ("0.##", 2, "2."),
    ("#.##", 0.5, ".5"),
    ("0;-0;;@", 0, ""),
    (";;;", 5, ""),
    ('0"℃"', -5, "-5℃"),
    ('"P"0;"N"0', -4, "N4"),
    ("0.00", 1.005, "1.01"),
    ("0", -0.2, "0"),
    ('#"万"', 3, "3万"),
    ('0!.0,"万"', 35000, "3.5万"),
    ("yyyy\\-mm\\-dd", 1, "1900-01-01"),
    ("[$-F800]dddd\\,\\ mmmm\\ dd\\,\\ yyyy", 45503, "2024-07-30"),
    ("[hh]:mm", 0.1, "02:24"),
    ("0.00%", 0.12345, "12.35%"),
    ("0%", 1, "100%"),
    ("#,##0.00_ ", 1234, "1,234.00"),
    ("0000 0000 0000 0000", 1234567812345678, "1234 5678 1234 5680"),
    ("m/d/yyyy h:mm", 45503.5, "7/30/2024 12:00"),
    ('"No. "000', 7, "No. 007"),
    ("@", 5, "5"),
    ('000"#"', 5, "005#"),
    ("#,##0.###", 1234.5, "1,234.5"),
    ("[Red][<0]0.0;[Blue]0.0", -3, "3.0"),
    ("0.0;[Red]-0.0", -3.14, "-3.1"),
    ("#", 0, ""),
    ("#,##0,", 1234567, "1,235"),
    ("hh:mm", 1.25, "06:00"),
    ('m"月"d"日"', 45503, "7月30日"),
    ("ss.00", 0.0001, "08.64"),
    ('0!.0,"万"', 128000, "12.8万"),
]
TEXTS = [
    ('_(* #,##0.00_);_(* (#,##0.00);_(* "-"??_);_(@_)', "x", "x"),
    ('"产品-"@', "A1", "产品-A1"),
    ("0.00", "n/a", "n/a"),
    (";;;", "secret", ""),
]


@pytest.mark.parametrize(("code", "value", "shown"), NUMBERS)
def test_a_number_is_shown_as_its_format_says(code, value, shown):
    """Padding, literals, currencies, scales, fractions, conditions, dates and durations."""
    assert NumberFormat(code).show(value) == shown


@pytest.mark.parametrize(("code", "text", "shown"), TEXTS)
def test_a_text_is_shown_by_the_section_for_text(code, text, shown):
    """The fourth section, or one with ``@``; without one the text is untouched."""
    assert NumberFormat(code).show_text(text) == shown


def test_general_changes_nothing():
    """General and the text format have no formatter at all; an unknown built-in format neither."""
    assert [number_format(one, code) for one, code in ((0, ""), (0, "General"), (164, "General"), (49, ""), (49, "@"), (999, ""))] == [
        None
    ] * 6


def test_built_in_formats():
    """Dates that follow the reader's machine are ISO dates; East Asian ones are those of China."""
    shown = [
        (14, "mm-dd-yy", "2023-02-08"),
        (22, "", "2023-02-08 12:00"),
        (31, "", "2023年2月8日"),
        (10, "", "4496550.00%"),
        (3, "", "44,966"),
    ]
    for format_id, code, text in shown:
        made = number_format(format_id, code)
        assert made is not None
        assert made.show(44965.5) == text


def test_dates_count_from_1904_when_the_workbook_says_so():
    """The Macintosh's epoch."""
    assert NumberFormat("yyyy-mm-dd", epoch_1904=True).show(0) == "1904-01-01"


def test_numbers_that_are_no_dates_are_shown_as_numbers():
    """Excel shows ##### there; the number says more."""
    assert [NumberFormat("yyyy-mm-dd").show(value) for value in (-1, 3e6, 1e300)] == ["-1", "3000000", "1E+300"]


@pytest.mark.parametrize(
    "code", ["0" * 9_999, "[" * 9_999, '"' * 9_999, "#," * 9_999, "0." + "0" * 9_999, "%" * 9_999 + "0", "?/" * 5_000, "[$-" * 3_000]
)
def test_hostile_codes_cost_nothing(code):
    """A code is read up to a bound, in linear time, and any number gets through it."""
    begun = time.process_time()
    made = NumberFormat(code)
    for value in (0, -1.5, 1e308, 5e-324, 123456789.123):
        made.show(value)
    assert time.process_time() - begun < 1
