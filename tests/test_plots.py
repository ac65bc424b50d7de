"""The shared pictures: what is drawn is what was given."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from numpy.testing import assert_allclose

from pgtlab import gallery, plots

LAYOUT = ("S#", ".G")


def draw(values, **settings):
    axes = Figure().subplots()
    plots.draw_grid(axes, LAYOUT, values, **{"vmax": 4.0, **settings})
    return axes


@pytest.mark.parametrize("room", ["axes", "words", "text", "map", "bare"])
def test_the_margins_of_a_canvas_are_inches(room):
    import matplotlib.pyplot as plt

    lefts = []
    for width in (3.0, 6.0):
        figure, axes = plots.canvas(2.0, width=width, room=room)
        box = axes.get_position()
        lefts.append(box.x0 * width)
        assert 0 <= box.x0 < box.x1 <= 1
        assert 0 <= box.y0 < box.y1 <= 1
        plt.close(figure)
    assert lefts[0] == pytest.approx(lefts[1])


def test_a_canvas_has_the_colours_of_the_style_and_axes_that_share():
    import matplotlib.pyplot as plt

    figure, (top, bottom) = plots.canvas(3.0, rows=2, sharex=True)
    assert to_rgb(top.plot([0, 1])[0].get_color()) == to_rgb("#1d3557") == to_rgb("C0")
    assert not top.spines["right"].get_visible()
    bottom.set_xlim(3, 4)
    assert top.get_xlim() == (3, 4)
    apart, _ = plots.canvas(3.0, rows=2)
    near, _ = plots.canvas(3.0, rows=2, close=True)
    assert apart.subplotpars.hspace > figure.subplotpars.hspace > near.subplotpars.hspace
    plt.close("all")


def test_another_room_is_refused():
    with pytest.raises(
        ValueError, match="room is 'wide'; expected one of 'axes', 'words', 'text', 'map', 'bare'"
    ):
        plots.canvas(room="wide")


def test_each_cell_shows_its_number_and_the_wall_shows_none():
    axes = draw([1.0, 2.0, 4.0])
    numbers = {(text.get_position()): text.get_text() for text in axes.texts if text.get_text() not in "SG"}
    assert numbers == {(0.5, 0.5): "1.00", (0.5, 1.5): "2.00", (1.5, 1.5): "4.00"}
    mesh = axes.collections[0].get_array()
    assert_allclose(mesh.filled(np.nan), [[1.0, np.nan], [2.0, 4.0]])


def test_start_and_goal_are_marked():
    marks = [text.get_text() for text in draw([1.0, 2.0, 4.0]).texts]
    assert marks.count("S") == marks.count("G") == 1


def test_numbers_stay_readable_on_dark_cells():
    axes = draw([1.0, 2.0, 4.0], digits=0)
    shade = {text.get_text(): to_rgb(text.get_color()) for text in axes.texts}
    assert shade["1"] == (0.0, 0.0, 0.0)
    assert shade["4"] == (1.0, 1.0, 1.0)


def test_a_label_makes_a_colour_bar():
    assert len(draw([1.0, 2.0, 4.0]).figure.axes) == 1
    assert len(draw([1.0, 2.0, 4.0], label="visits").figure.axes) == 2


def test_the_number_of_values_must_fit_the_map():
    with pytest.raises(
        ValueError, match=r"values has shape \(2,\); expected \(3,\) one number for each state"
    ):
        draw([1.0, 2.0])


@pytest.mark.parametrize("vmax", [0.0, -1.0, np.nan])
def test_the_darkest_value_must_be_above_zero(vmax):
    with pytest.raises(ValueError, match="vmax is .*; expected a number above 0"):
        draw([1.0, 2.0, 4.0], vmax=vmax)


def test_the_corridor_shows_where_each_action_leads():
    axes = Figure().subplots()
    plots.draw_corridor(axes, right="R", left="L")
    at = {name: [text.get_position() for text in axes.texts if text.get_text() == name] for name in "012RL"}
    assert [at[name] for name in "012"] == [[(0, 0)], [(1, 0)], [(2, 0)]]
    mdp, _ = gallery.short_corridor()
    for action, name in enumerate("RL"):
        # A label stands half-way, above an arrow to the right and below one to the left, or beside the loop.
        expected = set()
        for state in range(3):
            ends = mdp.ending[state, action] == 1
            to = 3 if ends else int(mdp.transition[state, action].argmax())
            expected.add(((state + to) / 2, float(np.sign(to - state))))
        drawn = {(0.0 if x < 0 else x, float(np.sign(y))) for x, y in at[name]}
        assert drawn == expected
