"""Form fields say what they hold, whether or not the file says what they look like."""

from tests.support.pdf_reading import read, texts
from tests.support.pdf_writer import Page, pdf

LABELS = ("Name", "Amount", "Reason")


def form() -> Page:
    page = Page()
    for index, label in enumerate(LABELS):
        page.text(60, 700 - 30 * index, label)
    return page


def test_values_stand_beside_their_labels_without_an_appearance() -> None:
    page = form()
    page.field((160, 696, 300, 712), b"/FT/Tx/T(name)/V(Ada Byron)").field((160, 666, 300, 682), b"/FT/Tx/T(amount)/V(1,250.00 EUR)")
    page.field((160, 636, 300, 652), b"/FT/Ch/Ff 131072/T(reason)/Opt[[(t)(Travel)][(m)(Meals)]]/V(m)")
    said = read(pdf(page)).text.replace("\t", " ")
    for line in ("Name Ada Byron", "Amount 1,250.00 EUR", "Reason Meals"):
        assert line in said


def test_boxes_say_whether_they_are_checked() -> None:
    page = Page()
    for index, (label, state) in enumerate((("Train", b"Yes"), ("Plane", b"Off"))):
        page.text(90, 700 - 30 * index, label)
        page.field((60, 696 - 30 * index, 76, 712 - 30 * index), b"/FT/Btn/T(%s)/V/%s/AS/%s" % (label.encode(), state, state))
    assert texts(read(pdf(page)), "list") == ["☑ Train", "☐ Plane"]


def test_a_box_without_a_label_has_its_name() -> None:
    page = Page().text(60, 780, "Declaration").field((60, 600, 76, 616), b"/FT/Btn/T(consent)/TU(I agree to the terms)/V/Yes/AS/Yes")
    assert "☑ I agree to the terms" in read(pdf(page)).text


def test_lines_of_a_long_value_stay_apart_and_passwords_stay_secret() -> None:
    page = Page().text(60, 700, "Address")
    page.field((160, 600, 400, 712), b"/FT/Tx/Ff 4096/T(address)/V(12 Mill Lane\\nSpringfield)")
    page.field((160, 560, 400, 576), b"/FT/Tx/Ff 8192/T(password)/V(swordfish)")
    page.field((160, 520, 400, 536), b"/F 2/FT/Tx/T(unseen)/V(nobody sees this)")
    said = read(pdf(page)).text
    assert "12 Mill Lane" in said
    assert "Springfield" in said
    assert "swordfish" not in said


def test_a_form_that_is_only_its_values_is_no_blank_page() -> None:
    assert "nothing else" in read(pdf(Page().field((60, 600, 400, 616), b"/FT/Tx/T(all)/V(nothing else)"))).text
