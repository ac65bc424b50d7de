"""`explore`: ranges, frames, packing, the page's part, the live form. In a browser: tests/browser."""

import base64
import builtins
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

pytest.importorskip("ipywidgets")
matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("agg")

import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

from pgtlab.widgets import Explorer, explore  # noqa: E402
from pgtlab.widgets import choice as choice_module  # noqa: E402
from pgtlab.widgets import static as static_module  # noqa: E402
from pgtlab.widgets.frames import clean_svg  # noqa: E402
from pgtlab.widgets.packing import pack, unpack  # noqa: E402
from pgtlab.widgets.sliders import number_text, sliders_of  # noqa: E402


def draw_line(slope):
    """A line with a mark at each end."""
    figure, axes = plt.subplots(figsize=(3, 2))
    axes.plot([0, 1], [0, slope], marker="o", label=r"$\rho^\pi$ & more <here>")
    axes.set(ylim=(-1, 1), title=f"slope {slope:.2f}")
    axes.legend()
    return figure


def draw_bars(n, side):
    """Bars, as many as asked for."""
    figure = Figure(figsize=(3, 2))
    axes = figure.subplots()
    axes.bar(range(n), range(n), hatch="//")
    axes.set(xlim=(0, 5) if side == "left" else (5, 0), ylim=(0, 5))
    return figure


@pytest.fixture
def static(monkeypatch):
    monkeypatch.setenv("PGTLAB_EXPLORE", "static")


@pytest.fixture
def live(monkeypatch):
    monkeypatch.delenv("PGTLAB_EXPLORE", raising=False)


@pytest.fixture(autouse=True)
def leaves_no_trace():
    """Every test: as many open figures and the same settings afterwards."""
    figures, settings = plt.get_fignums(), dict(matplotlib.rcParams)
    yield
    assert plt.get_fignums() == figures
    assert dict(matplotlib.rcParams) == settings


def slider(spec, argument="x", **options):
    (made,) = sliders_of(lambda **values: None, {argument: spec}, options.get("start"), options.get("names"))
    return made


# --- ranges ---------------------------------------------------------------------------------------------


def test_a_linear_range_is_evenly_spaced_and_keeps_its_ends():
    made = slider((0.0, 0.95, 20))
    assert made.values == tuple(float(f"{5 * i / 100}") for i in range(20))  # 0.9, not 0.8999999999999999
    assert made.kind == "linear"
    assert (made.values[0], made.values[-1]) == (0.0, 0.95)
    assert made.texts[:4] == ("0", "0.05", "0.1", "0.15")
    assert made.start == 10


def test_integral_ends_and_steps_give_python_integers():
    made = slider((0, 40, 21))
    assert made.kind == "integer"
    assert made.values == tuple(range(0, 41, 2))
    assert {type(value) for value in made.values} == {int}
    assert {type(value) for value in slider((np.int64(1), np.int64(3), 3)).values} == {int}


@pytest.mark.parametrize("spec", [(0, 1, 3), (0.0, 4.0, 5)], ids=["step 1/2", "float ends"])
def test_other_linear_grids_are_floats(spec):
    assert {type(value) for value in slider(spec).values} == {float}


def test_a_logarithmic_range_has_a_constant_ratio_and_keeps_its_ends():
    made = slider((0.001, 0.1, 5, "log"))
    ratios = np.array(made.values[1:]) / np.array(made.values[:-1])
    np.testing.assert_allclose(ratios, np.sqrt(10), rtol=1e-12, atol=0)
    assert (made.values[0], made.values[-1]) == (0.001, 0.1)
    assert made.texts == ("0.001", "0.00316", "0.01", "0.0316", "0.1")


def test_lists_and_arrays_are_taken_as_they_are():
    assert slider([1, 2, 5]).values == (1, 2, 5)
    assert slider(np.array([1, 2, 5])).values == (1, 2, 5)
    assert type(slider([np.int64(1), np.int64(3)]).values[0]) is int
    made = slider(["left", "right"])
    assert (made.kind, made.values, made.texts) == ("choice", ("left", "right"), ("left", "right"))
    assert slider([False, True]).texts == ("False", "True")


def test_texts_of_neighbours_differ():
    made = slider((0.99, 0.9999, 12))
    assert len(set(made.texts)) == 12
    assert made.digits > 3


@given(st.floats(min_value=-1e12, max_value=1e12, allow_nan=False))
@example(9.9996)
@example(-0.00009999)
@example(999999.9)
def test_number_text_is_within_half_a_unit_of_the_third_digit(value):
    read = float(number_text(value).replace("−", "-"))
    np.testing.assert_allclose(read, value, rtol=0.0050001, atol=0)


def test_number_text_by_hand():
    assert [number_text(v) for v in (0.0, 1, 1.0, 0.95, -2.5, 123456.0, 1e6, 1.25e-5, -3)] == [
        "0", "1", "1", "0.95", "−2.5", "123456", "1e6", "1.25e−5", "−3",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("spec", "error", "says"),
    [
        ((0, 1), TypeError, r"x is \(0, 1\); expected \(low, high, n\)"),
        ((0, 1, 5, "lin"), TypeError, r"expected \(low, high, n\)"),
        (("left", "right"), TypeError, "or a list of values"),
        ("left", TypeError, "or a list of values"),
        (3, TypeError, "or a list of values"),
        ((0.0, True, 5), TypeError, r"expected \(low, high, n\)"),
        ((0.0, 1.0, 1), ValueError, "x has n = 1 grid values; expected an integer of at least 2"),
        ((0.0, 1.0, 2.5), ValueError, "x has n = 2.5 grid values"),
        ((1.0, 0.0, 5), ValueError, "x runs from 1.0 to 0.0; expected finite ends with low < high"),
        ((0.0, np.nan, 5), ValueError, "expected finite ends"),
        ((0.0, 1.0, 5, "log"), ValueError, "x runs from 0.0 on a logarithmic grid; expected low > 0"),
        ([1], ValueError, r"x holds 1 value\(s\); expected at least 2"),
        ([1, 1], ValueError, "x holds the same value twice: 1, 1"),
        (["a", "a"], ValueError, "x holds the same value twice: a, a"),
        ([1, np.inf], ValueError, r"x\[1\] is inf; expected a finite number"),
        ([1, "a"], TypeError, r"x\[0\] is 1; expected all numbers, or all texts or truth values"),
        ([1, None], TypeError, r"x\[0\] is 1; expected all numbers"),
        (np.zeros((2, 2)), ValueError, r"x has shape \(2, 2\); expected a list of values"),
    ],
)
def test_a_range_of_no_use_says_what_was_expected(spec, error, says):
    with pytest.raises(error, match=says):
        slider(spec)


def test_start_takes_the_nearest_grid_value():
    assert slider((0.0, 0.95, 20), start={"x": 0.91}).start == 18
    assert slider((0.001, 0.1, 5, "log"), start={"x": 0.03}).start == 3
    assert slider([5, 1, 3], start={"x": 2.9}).start == 2
    assert slider(["left", "right"], start={"x": "right"}).start == 1


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"start": {"x": 2.0}}, ValueError, r"start\['x'\] is 2.0; expected a number between 0.0 and 1.0"),
        ({"start": {"x": "a"}}, TypeError, r"start\['x'\] must be a number, got 'a'"),
        ({"start": {"y": 0.5}}, ValueError, "start names 'y', which is no slider; the sliders are x"),
        ({"start": 0.5}, TypeError, "start must be a dictionary keyed by slider, got float"),
        ({"names": {"y": "why"}}, ValueError, "names names 'y', which is no slider"),
        ({"names": {"x": " "}}, TypeError, r"names\['x'\] must be a text that is not empty"),
        ({"names": {"x": 3}}, TypeError, r"names\['x'\] must be a text"),
    ],
)
def test_start_and_names_of_no_use_say_what_was_expected(options, error, says):
    with pytest.raises(error, match=says):
        slider((0.0, 1.0, 5), **options)


def test_a_choice_cannot_start_elsewhere():
    with pytest.raises(ValueError, match="is 'up'; expected one of 'left', 'right'"):
        slider(["left", "right"], start={"x": "up"})


def test_names_default_to_the_argument_with_spaces():
    assert slider((0, 1, 2), argument="step_size").name == "step size"
    assert slider((0, 1, 2), names={"x": "discount γ"}).name == "discount γ"


# --- what explore refuses -------------------------------------------------------------------------------


def draw_with_default(a, b=1):
    """Nothing."""
    return Figure()


@pytest.mark.parametrize(
    ("draw", "ranges", "error", "says"),
    [
        (draw_line, {}, ValueError, r"explore\(draw_line\) got no range"),
        (draw_line, {"slop": (0, 1, 2)}, ValueError, "'slop', which draw_line does not take; .* are slope"),
        (draw_with_default, {"b": (0, 1, 2)}, ValueError, "no range for 'a', an argument of draw_with_defau"),
        (lambda a, /: None, {"a": (0, 1, 2)}, TypeError, r"\(lambda\): argument 'a' is positional-only"),
        (
            lambda **v: None,
            {"a": (0, 1, 2), "b": (0, 1, 2), "c": (0, 1, 2)},
            ValueError,
            r"3 sliders \(a, b, c\); expected at most 2",
        ),
        (
            lambda **v: None,
            {"a": (0, 15, 16), "b": (0, 14, 15)},
            ValueError,
            r"16 \(a\) x 15 \(b\) = 240 frames; expected at most 225: reduce the n of a to 15",
        ),
        (lambda **v: None, {"a": (0, 225, 226)}, ValueError, "reduce the n of a to 225"),
        ("draw", {"a": (0, 1, 2)}, TypeError, "draw must be a function, got str"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("mode", ["static", "live"])
def test_explore_refuses_before_it_draws(monkeypatch, mode, draw, ranges, error, says):
    monkeypatch.setenv("PGTLAB_EXPLORE", mode)
    with pytest.raises(error, match=says):
        explore(draw, label="a figure", **ranges)


def test_225_frames_and_a_default_argument_are_allowed():
    assert len(sliders_of(lambda a: None, {"a": (0, 224, 225)}, None, None)[0]) == 225
    assert len(sliders_of(draw_with_default, {"a": (0, 1, 2)}, None, None)) == 1


def test_a_page_that_runs_draws_the_sliders_itself(monkeypatch):
    monkeypatch.setenv("PGTLAB_EXPLORE", "page")
    figure = explore(draw_line, slope=(0.0, 1.0, 3))
    assert type(figure) is Explorer
    assert repr(figure) == "explore(draw_line: slope)"
    assert "</svg>" in figure.svg(slope=0.125)  # off the grid too


def test_an_unknown_mode_is_an_error(monkeypatch):
    monkeypatch.setenv("PGTLAB_EXPLORE", "statc")
    with pytest.raises(ValueError, match="PGTLAB_EXPLORE is 'statc'; expected 'static', 'live', 'page' or"):
        explore(draw_line, slope=(0, 1, 2))


def test_a_figure_needs_a_description(live):
    with pytest.raises(ValueError, match=r"explore\(lambda\) has no description of the figure"):
        explore(lambda slope: draw_line(slope), slope=(0, 1, 2))
    with pytest.raises(TypeError, match="label must be a text, got int"):
        explore(draw_line, label=3, slope=(0, 1, 2))
    assert explore(draw_line, slope=(0, 1, 2)).label == "A line with a mark at each end."
    assert explore(draw_line, label=" Mine ", slope=(0, 1, 2)).label == "Mine"


# --- frames ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["static", "live"])
def test_an_error_of_draw_names_the_values(monkeypatch, mode):
    monkeypatch.setenv("PGTLAB_EXPLORE", mode)

    def draw_inverse(x):
        """One over x."""
        figure, axes = plt.subplots(figsize=(3, 2))
        axes.plot([0, 1 / x])
        return figure

    with pytest.raises(
        RuntimeError, match=r"draw_inverse\(x=0\) raised ZeroDivisionError: division by zero"
    ) as caught:
        explore(draw_inverse, x=(-1, 1, 3), start={"x": 0})
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


@pytest.mark.parametrize("mode", ["static", "live"])
@pytest.mark.parametrize("result", [None, "figure", 3])
def test_draw_must_return_a_figure(monkeypatch, mode, result):
    monkeypatch.setenv("PGTLAB_EXPLORE", mode)

    def draw_nothing(x):
        """Nothing."""
        plt.subplots(figsize=(3, 2))
        return result

    kind = type(result).__name__
    with pytest.raises(
        TypeError, match=rf"draw_nothing\(x=\d\) returned {kind}; expected a matplotlib Figure"
    ):
        explore(draw_nothing, x=(0, 1, 2))


def test_draw_must_return_a_new_figure_each_time(static):
    one = Figure(figsize=(3, 2))
    with pytest.raises(ValueError, match="returned a figure that stood before the call"):
        explore(lambda x: one, label="the same", x=(0, 1, 2))
    two, _ = plt.subplots(figsize=(3, 2))
    try:
        with pytest.raises(ValueError, match="expected a new figure each time"):
            explore(lambda x: two, label="the same", x=(0, 1, 2))
        assert plt.get_fignums() == [two.number]
    finally:
        plt.close(two)


def test_settings_that_draw_changes_do_not_outlive_it(static):
    def draw_styled(x):
        """A wide line."""
        plt.rcParams.update({"lines.linewidth": 7.0, "svg.fonttype": "path", "savefig.bbox": "tight"})
        return draw_line(x)

    svg = explore(draw_styled, x=(0, 1, 2)).svg()
    assert "stroke-width: 7" in svg
    assert "<text" in svg  # leaves_no_trace looks at the settings


def test_the_first_figure_of_a_kernel_chooses_the_backend_for_good(tmp_path):
    """As the inline backend does: it turns interactive mode on when the first figure loads it. A context of
    settings round that figure would turn it off again, and later cells would show no figures."""
    (tmp_path / "chosen_late.py").write_text(
        "import matplotlib\n"
        "from matplotlib.backends.backend_agg import FigureCanvas, FigureManagerBase as FigureManager\n"
        "matplotlib.interactive(True)\n"
    )
    program = """
import matplotlib.pyplot as plt
from pgtlab.widgets import explore

def draw(x):
    "A line."
    figure, axes = plt.subplots(figsize=(3, 2))
    axes.plot([0, x])
    return figure

assert not plt.isinteractive()
explore(draw, x=(0, 1, 2))
assert plt.isinteractive()
"""
    paths = [str(tmp_path), str(Path(__file__).parents[1])]
    environment = {**os.environ, "MPLBACKEND": "module://chosen_late", "PYTHONPATH": os.pathsep.join(paths)}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=120)


def test_a_frame_is_the_figure_that_draw_returns(live):
    svg = explore(draw_line, slope=(0, 1, 5)).svg(slope=0.25)
    root = ElementTree.fromstring(svg)
    texts = ["".join(text.itertext()) for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "slope 0.25" in texts
    assert any({"ρ", "π", "&", "<", ">"} <= set(text) for text in texts)
    assert root.get("viewBox") == "0 0 216 144"  # 3 x 2 inches of 72 pt


def test_a_frame_has_nothing_that_would_disturb_the_page(live):
    svg = explore(draw_bars, n=(0, 4, 5), side=["left", "right"]).svg(n=4)
    assert "<g id=" not in svg
    assert not re.search(r"<!--|<metadata|<style|xlink|<\?xml|<!DOCTYPE", svg)
    assert not re.search(r">\s+<(?!/tspan)", svg)


def test_a_frame_refuses_values_of_no_slider(live):
    with pytest.raises(ValueError, match="has no slider 'slop'; its sliders are slope"):
        explore(draw_line, slope=(0, 1, 2)).svg(slop=1)


def test_ids_are_unique_in_a_page_and_the_same_over_frames(live):
    one, two = explore(draw_line, slope=(0, 1, 2)), explore(draw_line, slope=(0, 1, 2))

    def ids(svg):
        return re.findall(r' id="([^"]+)"', svg)

    first, second = one.frames()
    assert ids(first) == ids(second) != []
    assert len(set(ids(first))) == len(ids(first))
    assert not set(ids(first)) & set(ids(two.svg()))
    assert one.identity != two.identity
    for svg in (first, second, two.svg()):
        assert set(re.findall(r"url\(#([^)]+)\)|href=\"#([^\"]+)\"", svg)) <= {
            pair for key in ids(svg) for pair in ((key, ""), ("", key))
        }


def test_numbers_are_rounded_inside_tags_only():
    svg = clean_svg(
        '<svg width="10.126001pt"><path d="M -0.00123456 12.5000\nL -0.0010 300.000\nL 0.0000 -0.0001 \n"/>'
        "<text>pi is 3.14159</text></svg>"
    )
    assert 'd="M -0.00123 12.5\nL -0.001 300\nL 0 -0.0001"' in svg
    assert 'width="10.13pt"' in svg
    assert "pi is 3.14159" in svg


def test_an_image_has_no_id_and_stands_in_the_frame(live):
    def draw_image(x):
        """A table as an image."""
        figure = Figure(figsize=(3, 2))
        figure.subplots().imshow([[0, x], [1, 2]])
        return figure

    svg = explore(draw_image, x=(0, 1, 2)).svg()
    (image,) = re.findall(r"<image [^>]*>", svg)
    assert 'href="data:image/png;base64,' in image
    assert "\n" not in image
    assert " id=" not in image


# --- packing --------------------------------------------------------------------------------------------

pieces = st.sampled_from(["<g>", "</g>", '<path d="M 0 0\nL 1 2\n"/>', "γ", "<a>", "\n", "x"])
svgs = st.lists(pieces, max_size=12).map("".join)


@given(st.lists(svgs, min_size=1, max_size=8))
@example(["", "<g>", ""])
def test_packed_frames_come_out_again(frames):
    assert unpack(pack(frames), len(frames)) == frames


def test_equal_frames_cost_next_to_nothing(static):
    one = explore(draw_line, slope=[0.5, 0.6])
    svg = one.frames()[0]
    assert len(pack([svg] * 200)) == len(pack([svg]))


def test_the_packed_frames_are_those_of_python(static):
    figure = explore(draw_bars, n=(0, 4, 5), side=["left", "right"])
    frames = figure.frames()
    assert len(frames) == figure.n_frames == 10
    assert unpack(figure.packed, 10) == frames
    assert frames[figure.grid().index({"n": 3, "side": "right"})] == figure.svg(n=3, side="right")


def test_too_heavy_a_figure_says_what_to_reduce(static, monkeypatch):
    def draw_noise(seed):
        """Points without pattern."""
        figure = Figure(figsize=(3, 2))
        figure.subplots().plot(np.random.default_rng(seed).normal(size=800))
        return figure

    monkeypatch.setattr(static_module, "MOST_PACKED", 20_000)
    with pytest.raises(
        ValueError, match=r"explore\(draw_noise: seed\) weigh \d+ kB; expected at most 20 kB"
    ) as caught:
        explore(draw_noise, seed=(0, 9, 10))
    assert "10 (seed) = 10 frames of" in str(caught.value)
    assert "reduce n, draw curves with fewer points, or let fewer artists move" in str(caught.value)
    moving = int(re.search(r"(\d+) of which change", str(caught.value))[1])
    assert 500 <= moving <= 900  # the 800 points, less those that matplotlib merges
    monkeypatch.setattr(static_module, "MOST_PACKED", 200_000)
    assert len(explore(draw_noise, seed=(0, 9, 10)).packed) > 20_000


def test_frames_have_one_size(static):
    def draw_growing(inches):
        """A figure that grows."""
        figure = Figure(figsize=(inches, 2))
        figure.subplots()
        return figure

    with pytest.raises(
        ValueError, match="draws 216 x 144 pt at inches = 3 but 288 x 144 pt at inches = 4; expected one size"
    ):
        explore(draw_growing, inches=(3, 4, 2))


# --- the part of a page ---------------------------------------------------------------------------------


class Elements(HTMLParser):
    """The elements of a page's part, with their attributes, and the text of scripts."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.found, self.scripts, self._script = [], [], False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        self._script = tag == "script"

    def handle_data(self, data):
        if self._script:
            self.scripts.append(data)
            self._script = False

    def all(self, tag):
        return [attributes for found, attributes in self.found if found == tag]


def test_the_part_of_a_page_has_native_controls_with_names_and_values(static):
    figure = explore(draw_bars, n=(0, 4, 5), side=["left", "right"], start={"n": 3}, names={"n": "bars <n>"})
    part = Elements(figure.html)
    (slider,), (select,), (output,) = part.all("input"), part.all("select"), part.all("output")
    assert {key: slider[key] for key in ("type", "min", "max", "step", "value", "aria-valuetext")} == {
        "type": "range", "min": "0", "max": "4", "step": "1", "value": "3", "aria-valuetext": "3",
    }  # fmt: skip
    assert [label["for"] for label in part.all("label")] == [slider["id"], select["id"]]
    assert output["for"] == slider["id"]
    assert [("selected" in option) for option in part.all("option")] == [False, True]
    (image,) = [attributes for attributes in part.all("div") if attributes.get("role") == "img"]
    assert image["aria-label"] == "Bars, as many as asked for. Shown at bars <n> = 3, side = right."
    assert figure.svg() in figure.html  # with scripts off the start frame stands there
    assert "The sliders of this figure need JavaScript." in figure.html
    assert not re.search(r'(?:src|href)="(?!#)', figure.html)


def test_a_second_frame_answers_where_nothing_can_be_moved(static):
    figure = explore(draw_bars, n=(0, 4, 5), side=["left", "right"], start={"n": 3}, answer={"n": 1})
    assert figure.answer == {"n": 1, "side": "right"}
    start, answer = [
        box["aria-label"] for box in Elements(figure.html).all("div") if box.get("role") == "img"
    ]
    assert start.endswith("Shown at n = 3, side = right.")
    assert answer.endswith("Shown at n = 1, side = right.")
    assert "And at <span>n = 1, side = right</span>." in figure.html
    with pytest.raises(ValueError, match=r"no frame for answer=\{'n': 9\}; expected values that its sliders"):
        explore(draw_bars, n=(0, 4, 5), side=["left", "right"], answer={"n": 9})


def test_the_bundle_has_html_an_image_and_one_short_line(static):
    figure = explore(draw_line, slope=(0, 1, 2))
    bundle = figure._repr_mimebundle_(include=None, exclude=None)
    assert list(bundle) == ["text/html", "image/png", "text/plain"]
    assert base64.b64decode(bundle["image/png"]).startswith(b"\x89PNG")
    assert bundle["text/plain"] == "explore(draw_line: slope)"
    assert isinstance(figure, Explorer)


def test_nothing_in_texts_can_end_the_script(static):
    evil = "</script><!--<script>alert(1)</script>"
    figure = explore(lambda x: draw_line(0.5), label=evil, x=[evil, "b"], names={"x": evil})
    part = Elements(figure.html)
    assert len(part.all("script")) == 2
    state = json.loads(part.scripts[0])
    assert (state["label"], state["names"], state["texts"]) == (evil, [evil], [[evil, "b"]])
    assert unpack(state["packed"], 2) == figure.frames()


def test_two_builds_give_the_same_bytes(static, monkeypatch):
    def build():
        monkeypatch.setattr(choice_module, "_count", iter(range(1, 9)))
        figures = explore(draw_line, slope=(0, 1, 3)), explore(draw_bars, n=(0, 4, 3), side=["left", "right"])
        return [figure._repr_mimebundle_() for figure in figures]

    assert build() == build()


def test_static_mode_makes_no_widget(static, monkeypatch):
    import ipywidgets

    def refuse(*args, **kwargs):
        raise AssertionError("static mode made a widget")

    monkeypatch.setattr(ipywidgets.Widget, "open", refuse)
    explore(draw_line, slope=(0, 1, 2))._repr_mimebundle_()


# --- live -----------------------------------------------------------------------------------------------


def test_a_move_redraws(live):
    figure = explore(draw_line, slope=(0.0, 1.0, 3), names={"slope": "slope m"})
    control = figure.controls["slope"]
    assert (control.value, control.min, control.max, control.step) == (0.5, 0.0, 1.0, 0.05)
    assert control.description == "slope m"
    assert "slope 0.50" in figure.figure.value
    control.value = 0.27  # between grid values
    assert "slope 0.27" in figure.figure.value
    assert 'aria-label="A line with a mark at each end. Shown at slope m = 0.27."' in figure.figure.value


def test_each_kind_of_range_has_its_slider(live):
    def kinds(**ranges):
        figure = explore(lambda **values: draw_line(0.5), label="a line", **ranges)
        return [type(control).__name__ for control in figure.controls.values()]

    assert kinds(a=(0, 4, 3), b=(0.0, 1.0, 3)) == ["IntSlider", "FloatSlider"]
    assert kinds(a=(0.01, 1.0, 3, "log"), b=[1, 5, 9]) == ["FloatLogSlider", "SelectionSlider"]
    assert kinds(a=["x", "y"]) == ["Dropdown"]


def test_logarithmic_and_listed_values_reach_draw(live):
    seen = []

    def draw(rate, n):
        """A line."""
        seen.append((rate, n))
        return draw_line(0.5)

    figure = explore(draw, rate=(0.01, 1.0, 3, "log"), n=[1, 5, 9])
    figure.controls["rate"].value = 1.0
    figure.controls["n"].value = 9
    np.testing.assert_allclose([rate for rate, _ in seen], [0.1, 1.0, 1.0], rtol=1e-12, atol=0)
    assert [n for _, n in seen] == [5, 5, 9]


def test_an_error_is_shown_in_place_of_the_figure_and_the_slider_lives_on(live):
    def draw(x):
        """One over x."""
        return draw_line(1 / x)

    figure = explore(draw, x=(0, 4, 5))
    figure.controls["x"].value = 0
    assert "draw(x=0) raised ZeroDivisionError: division by zero" in figure.figure.value
    assert 'role="alert"' in figure.figure.value
    figure.controls["x"].value = 1
    assert "slope 1.00" in figure.figure.value


def test_an_error_text_is_escaped(live):
    def draw(x):
        """Fails later."""
        if x:
            raise ValueError("<b>no</b>")
        return draw_line(0.5)

    figure = explore(draw, x=(0, 1, 2), start={"x": 0})
    figure.controls["x"].value = 1
    assert "&lt;b&gt;no&lt;/b&gt;" in figure.figure.value


def test_the_live_bundle_has_the_widget_and_the_same_line_as_the_page(live):
    bundle = explore(draw_line, slope=(0, 1, 2))._repr_mimebundle_(include=None, exclude=None)
    assert set(bundle) == {"text/plain", "application/vnd.jupyter.widget-view+json"}
    assert bundle["text/plain"] == "explore(draw_line: slope)"


def test_no_widget_of_the_kind_that_stalls(live):
    import ipywidgets

    figure = explore(draw_line, slope=(0, 1, 2))
    kinds = {type(widget) for widget in (figure.box, *figure.box.children)}
    assert ipywidgets.Output not in kinds
    assert kinds == {ipywidgets.VBox, ipywidgets.HTML, ipywidgets.FloatSlider} or kinds == {
        ipywidgets.VBox,
        ipywidgets.HTML,
        ipywidgets.IntSlider,
    }


def test_without_ipywidgets_the_error_says_what_to_install(live, monkeypatch):
    original = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("ipywidgets"):
            raise ImportError(f"No module named {name!r}")
        return original(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "ipywidgets", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r'needs ipywidgets .* pip install "pgtlab\[widgets\]"'):
        explore(draw_line, slope=(0, 1, 2))
