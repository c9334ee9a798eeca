from afloc.evaluation.datasets.ground_truth import draw_boxes


def test_boxes_are_drawn_at_pixel_centres():
    assert draw_boxes(((1, 0, 2, 1),), 2, 4).tolist() == [[False, True, True, False], [False] * 4]
    assert draw_boxes(((1.4, 0.4, 1, 1.2),), 2, 4).tolist() == [[False, True, False, False]] * 2
    assert draw_boxes(((3.6, 1.7, 0.1, 0.1),), 2, 4).sum() == 1, "no box vanishes"
