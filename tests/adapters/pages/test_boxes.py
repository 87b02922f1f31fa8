"""Boxes of characters become boxes of lines, across, down or up the page."""

from hypothesis import given
from hypothesis import strategies as st

from adapters.pages.boxes import PageBox, join_boxes

SIDES = st.floats(-0.5, 1.5, allow_nan=False)
BOXES = st.builds(PageBox, SIDES, SIDES, SIDES, SIDES)


def test_words_of_a_line_are_one_box_and_lines_and_columns_are_several():
    line = [PageBox(0.1 + n * 0.02, 0.1, 0.118 + n * 0.02, 0.12) for n in range(5)]
    column = [PageBox(0.6, 0.1, 0.62, 0.12)]
    below = [PageBox(0.1, 0.13, 0.12, 0.15)]
    assert join_boxes([*line, *column, *below], 1.0) == [PageBox(0.1, 0.1, 0.198, 0.12), *column, *below]


def test_a_line_runs_down_a_turned_page():
    downward = [PageBox(0.9, 0.1 + n * 0.02, 0.92, 0.118 + n * 0.02) for n in range(5)]
    assert join_boxes(downward, 1.0) == [PageBox(0.9, 0.1, 0.92, 0.198)]


@given(st.lists(BOXES, max_size=30), st.floats(0.05, 20))
def test_boxes_lie_on_the_page_and_cover_what_was_given(boxes: list[PageBox], aspect: float):
    joined = join_boxes(boxes, aspect)
    assert all(0 <= box.left < box.right <= 1 and 0 <= box.top < box.bottom <= 1 for box in joined)
    for box in boxes:
        cut = PageBox(*(min(max(side, 0.0), 1.0) for side in box))
        if cut.left < cut.right and cut.top < cut.bottom:
            assert any(j.left <= cut.left and j.top <= cut.top and j.right >= cut.right and j.bottom >= cut.bottom for j in joined)
