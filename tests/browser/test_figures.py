"""Every `explore` figure: each frame, reached in random order, is Python's SVG; and everyone can use it."""

import json
import random
import re
from dataclasses import dataclass
from html.parser import HTMLParser

import pytest
from matplotlib.figure import Figure

from pgtlab.widgets import explore
from pgtlab.widgets.packing import unpack

PHONE = (390, 844)


# --- figures of all kinds, drawn here -------------------------------------------------------------------


def draw_heat(discount, slip):
    """A table of numbers as an image and as squares."""
    figure = Figure(figsize=(4.8, 2.4), layout=None)
    left, right = figure.subplots(1, 2)
    table = [[discount**i * (1 - slip) ** j for j in range(6)] for i in range(6)]
    left.imshow(table, vmin=0, vmax=1)
    right.pcolormesh(table, vmin=0, vmax=1)
    return figure


def draw_terms(terms):
    """Bars that become more, a number as a title and Greek letters."""
    figure = Figure(figsize=(4.2, 2.8))
    axes = figure.subplots()
    for t in range(terms):
        axes.bar(range(3), 0.5**t, bottom=sum(0.5**k for k in range(t)), hatch="//" if t % 2 else None)
    if terms > 3:
        axes.plot([0, 2], [2, 2], "o--", label=r"$\rho^\pi$ & <so on>")
        axes.legend()
    axes.set(ylim=(0, 2.5), title=f"mass {2 - 0.5 ** (terms - 1):.3f}", ylabel=r"$\sum_t \gamma^t$")
    return figure


def draw_side(side, rate):
    """A curve and its mirror image; texts change, and a clip path comes and goes."""
    figure = Figure(figsize=(4, 2.4))
    axes = figure.subplots()
    curve = [rate**t for t in range(30)]
    axes.axhline(0.5)
    axes.plot(curve if side == "left" else curve[::-1], clip_on=side == "left")
    axes.set_title(f"{side} at {rate:.2f}", size=9)
    if side == "both ways":
        axes.fill_between(range(30), curve, alpha=0.3)
    axes.set(ylim=(0, 1))
    return figure


@pytest.fixture(scope="session")
def samples(tmp_path_factory):
    """A page with figures of all kinds, and the figures."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGTLAB_EXPLORE", "static")
        figures = [
            explore(draw_heat, discount=(0.0, 0.9, 5), slip=(0.0, 0.5, 4)),
            explore(draw_terms, terms=(0, 12, 13), start={"terms": 2}, names={"terms": "terms & <more>"}),
            explore(draw_side, side=["left", "right", "both ways"], rate=(0.01, 0.9, 6, "log")),
            explore(draw_terms, terms=[1, 4, 9]),
        ]
    folder = tmp_path_factory.mktemp("figures")
    parts = "\n".join(figure.html for figure in figures)
    (folder / "figures.html").write_text(
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Figures</title>'
        '<meta name="viewport" content="width=device-width">'
        f'<link rel="icon" href="data:,"></head><body><main><h1>Figures</h1>{parts}</main></body></html>',
        encoding="utf-8",
    )
    return folder, figures


# --- node for node --------------------------------------------------------------------------------------


class Nodes(HTMLParser):
    """An SVG text as a flat list of nodes: elements with their depth and attributes, and texts."""

    def __init__(self, svg):
        super().__init__(convert_charrefs=True)
        self.list, self.depth = [], 0
        self.feed(svg)
        self.close()
        assert self.depth == 0

    def handle_starttag(self, tag, attributes):
        self.handle_startendtag(tag, attributes)
        self.depth += 1

    def handle_startendtag(self, tag, attributes):
        self.list.append([self.depth, tag, sorted([name, value] for name, value in attributes)])

    def handle_endtag(self, tag):
        self.depth -= 1

    def handle_data(self, data):
        self.list.append([self.depth, "#text", data])


# Defines in the page: nodesOf(svg), the same list from the living document; and walk(index, order, look),
# which moves the sliders of a figure through frames and returns what `look` sees after each move.
WALKER = r"""
window.nodesOf = svg => {
  const list = [];
  const add = (node, depth) => {
    if (node.nodeType === Node.TEXT_NODE) return list.push([depth, "#text", node.data]);
    const attributes = [...node.attributes].map(a => [a.name.toLowerCase(), a.value]);
    list.push([depth, node.nodeName.toLowerCase(), attributes.sort((a, b) => a[0] < b[0] ? -1 : 1)]);
    node.childNodes.forEach(child => add(child, depth + 1));
  };
  add(svg, 0);
  return list;
};
window.walk = async (index, order, look) => {
  const root = document.querySelectorAll(".pgt-explore")[index];
  const state = JSON.parse(root.querySelector("script[type='application/json']").text);
  const inputs = [...root.querySelectorAll("input, select")];
  const figure = root.querySelector("[role=img]");
  const seen = [];
  for (const frame of order) {
    let rest = frame;
    const at = [];
    for (let i = state.texts.length - 1; i >= 0; i--) {
      at[i] = rest % state.texts[i].length;
      rest = Math.floor(rest / state.texts[i].length);
    }
    inputs.forEach((input, i) => {
      if (Number(input.value) === at[i]) return;
      input.value = at[i];
      input.dispatchEvent(new Event("input", { bubbles: true }));
    });
    const shown = "Shown at " + at.map((k, i) => `${state.names[i]} = ${state.texts[i][k]}`).join(", ") + ".";
    const limit = performance.now() + 5000;
    while (!figure.getAttribute("aria-label").endsWith(shown)) {
      if (performance.now() > limit) throw new Error(`frame ${frame} was not drawn: ${shown}`);
      await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
    }
    seen.push(look(figure.querySelector("svg"), figure));
  }
  return seen;
};
"""


def random_order(rng, n):
    """Every frame once in random order, then as many again at random: other ways to the same frames."""
    return [*rng.sample(range(n), n), *(rng.randrange(n) for _ in range(n))]


NODES = "([index, order]) => walk(index, order, svg => JSON.stringify(nodesOf(svg)))"


def assert_frames(page, index, frames, order):
    assert_same_frames(index, frames, order, page.evaluate(NODES, [index, order]))


def assert_same_frames(index, frames, order, texts):
    """Compare what the page showed on a walk, node for node, with the frames that Python drew."""
    assert len(texts) == len(order)
    expected = {}
    for frame, text in zip(order, texts, strict=True):
        if frame not in expected:
            expected[frame] = Nodes(frames[frame]).list
        got = json.loads(text)
        if got != expected[frame]:
            pairs = zip(got, expected[frame], strict=False)
            first = next((pair for pair in pairs if pair[0] != pair[1]), (len(got), len(expected[frame])))
            pytest.fail(f"figure {index}, frame {frame}: the page has {first[0]}, Python {first[1]}")


def test_the_comparison_sees_a_difference(samples, visit):
    folder, figures = samples
    page = visit(folder, "figures.html", before=[WALKER]).page
    frames = figures[0].frames()
    frames[3] = frames[3].replace("fill: #", "fill: #0", 1)
    with pytest.raises(pytest.fail.Exception, match="frame 3: the page has"):
        assert_frames(page, 0, frames, [0, 3])


@pytest.mark.parametrize("by", ["http", "file"])
def test_every_frame_is_the_one_that_python_draws(samples, visit, rng, by):
    folder, figures = samples
    seen = visit(folder, "figures.html", by=by, before=[WALKER])
    for index, figure in enumerate(figures):
        assert_frames(seen.page, index, figure.frames(), random_order(rng, figure.n_frames))
    assert seen.errors == []
    assert seen.outside == []


def figures_of(page):
    """The packed figures of a page: (id, frames)."""
    found = []
    for root in page.query_selector_all(".pgt-explore"):
        state = json.loads(root.query_selector("script[type='application/json']").inner_text())
        n_frames = 1
        for texts in state["texts"]:
            n_frames *= len(texts)
        found.append((root.get_attribute("id"), unpack(state["packed"], n_frames)))
    return found


# --- time -----------------------------------------------------------------------------------------------

# Times each callback that a move asks for, and the layout it causes. Nothing is asserted: times are recorded.
STOPWATCH = """
window.redrawTimes = [];
const original = window.requestAnimationFrame.bind(window);
window.requestAnimationFrame = callback => callback.toString().includes("redraw")
  ? original(now => {
      const start = performance.now();
      callback(now);
      document.documentElement.getBoundingClientRect();
      window.redrawTimes.push(performance.now() - start);
    })
  : original(callback);
"""


@dataclass
class Walk:
    """What the page showed while a figure went through frames in a random order."""

    name: str
    frames: list
    order: list
    texts: list
    times: list
    cut_off: list


# How far texts reach over the edge of the figure, and by which text.
CUT_OFF = """svg => {
  const edge = svg.getBoundingClientRect();
  return [...svg.querySelectorAll("text")].filter(text => text.textContent.trim()).map(text => {
    const box = text.getBoundingClientRect();
    const over = [edge.left - box.left, edge.top - box.top, box.right - edge.right, box.bottom - edge.bottom];
    return [Math.max(...over), text.textContent];
  }).filter(([over]) => over > 0.75).map(([over, text]) => `${text} by ${over.toFixed(1)} px`);
}"""


@pytest.fixture(scope="session")
def walked(explore_page, open_page, book):
    """A page whose figures have each gone through all of their frames, and what was seen on the way."""
    seen = open_page(book, explore_page, before=[STOPWATCH, WALKER])
    rng, walks = random.Random(8), []
    for index, (name, frames) in enumerate(figures_of(seen.page)):
        seen.page.evaluate("() => { redrawTimes.length = 0; }")
        order = random_order(rng, len(frames))
        texts = seen.page.evaluate(NODES, [index, order])
        times = seen.page.evaluate("redrawTimes")
        corners = sorted({0, len(frames) // 2, len(frames) - 1})
        cut = seen.page.evaluate(f"([index, order]) => walk(index, order, {CUT_OFF})", [index, corners])
        walks.append(Walk(name, frames, order, texts, times, cut))
    yield seen, walks
    seen.page.context.close()


def test_every_frame_of_the_book_is_the_one_that_was_packed(walked):
    seen, walks = walked
    assert walks
    for index, walk in enumerate(walks):
        assert_same_frames(index, walk.frames, walk.order, walk.texts)
    assert seen.errors == []
    assert seen.outside == []


def test_redraw_times_are_recorded(walked, record_redraws):
    seen, walks = walked
    for walk in walks:
        assert len(walk.times) >= len(set(walk.order)) - 1
        record_redraws(f"{seen.name} {walk.name}", walk.times)


def test_no_text_is_cut_off_at_the_edge_of_a_figure(walked):
    for walk in walked[1]:
        assert walk.cut_off == [[] for _ in walk.cut_off], (
            f"{walk.name}: give the axes more room (subplots_adjust)"
        )


def test_a_drag_is_drawn_once_a_frame(samples, visit):
    folder, _ = samples
    page = visit(folder, "figures.html", before=[STOPWATCH, WALKER]).page
    page.evaluate("() => walk(1, [5], () => null)")
    drawn = page.evaluate(
        """async () => {
          const input = document.querySelectorAll(".pgt-explore")[1].querySelector("input");
          redrawTimes.length = 0;
          for (let k = 0; k <= 12; k++) {
            input.value = k;
            input.dispatchEvent(new Event("input", { bubbles: true }));
          }
          await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
          return redrawTimes.length;
        }"""
    )
    assert drawn == 1
    assert page.locator("[role=img]").nth(1).get_attribute("aria-label").endswith("terms & <more> = 12.")


# --- for everyone ---------------------------------------------------------------------------------------


def a_moment(page):
    """Let the page draw."""
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))")


def moved_by_keyboard(page):
    """Move every slider of a page by its keys, and look at what it says."""
    for root in page.query_selector_all(".pgt-explore"):
        figure = root.query_selector("[role=img]")
        for slider in root.query_selector_all("input[type=range]"):
            last = slider.get_attribute("max")
            slider.focus()
            for key, expected in (("Home", "0"), ("ArrowRight", "1"), ("End", last), ("ArrowLeft", None)):
                before = slider.get_attribute("aria-valuetext")
                slider.press(key)
                a_moment(page)
                value = slider.input_value()
                assert value == (expected or str(int(last) - 1))
                text = slider.get_attribute("aria-valuetext")
                assert key == "Home" or text != before
                assert slider.evaluate("input => input.nextElementSibling.value") == text
                assert f"= {text}" in figure.get_attribute("aria-label")


def put_on_paper(page):
    """Move a slider, print the page, look at what stands where the sliders were, and put the page back."""
    for root in page.locator(".pgt-explore").all():
        assert not root.locator(".pgt-explore-values").is_visible()
        assert root.locator(".pgt-explore-controls").is_visible()
    slider = page.locator(".pgt-explore input").first
    slider.focus()
    slider.press("End")
    text = slider.get_attribute("aria-valuetext")
    a_moment(page)
    page.emulate_media(media="print")
    for root in page.locator(".pgt-explore").all():
        assert root.locator(".pgt-explore-figure svg").is_visible()
        assert not root.locator(".pgt-explore-controls").is_visible()
        assert not root.locator(".pgt-explore-note").is_visible()
        assert root.locator(".pgt-explore-values").is_visible()
    assert f"= {text}" in page.locator(".pgt-explore-values").first.inner_text()
    page.emulate_media(media="screen")


@pytest.mark.parametrize("look", [moved_by_keyboard, put_on_paper])
def test_the_sliders_of_figures_of_all_kinds(samples, visit, look):
    seen = visit(samples[0], "figures.html")
    look(seen.page)
    assert seen.errors == []


def test_the_keyboard_moves_the_sliders(walked):
    seen, _ = walked
    moved_by_keyboard(seen.page)
    assert seen.errors == []


def test_on_paper_the_values_stand_in_place_of_the_sliders(walked):
    put_on_paper(walked[0].page)


@pytest.fixture(params=["samples", "book"])
def figure_page(request, samples, visit):
    """Opens the page of samples, and each page of the book that has figures."""
    if request.param == "samples":
        return lambda **options: [visit(samples[0], "figures.html", **options)]
    book = request.getfixturevalue("book")
    pages = sorted(
        path for path in book.rglob("*.html") if 'class="pgt-explore"' in path.read_text(encoding="utf-8")
    )
    if not pages:
        pytest.skip("no page of the book has an explore figure")
    return lambda **options: [visit(book, path.relative_to(book).as_posix(), **options) for path in pages]


@pytest.mark.on("phone", pages="explore_page", samples=True)
def test_every_control_has_a_name_a_place_for_a_finger_and_sits_inside_the_page(seen):
    controls = seen.page.locator(".pgt-explore-controls :is(input, select)")
    assert controls.count() > 0
    for control in controls.all():
        assert control.evaluate("input => input.labels.length") == 1
        box = control.bounding_box()
        assert box["height"] >= 44
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= PHONE[0]


@pytest.mark.on("phone", pages="explore_page", samples=True)
def test_text_of_a_figure_is_large_enough_on_a_phone(seen):
    for name, scale in seen.page.eval_on_selector_all(
        ".pgt-explore-figure svg",
        """all => all.map(svg => [svg.closest(".pgt-explore").id,
                                  svg.getBoundingClientRect().width / svg.viewBox.baseVal.width])""",
    ):
        assert scale >= 0.9, f"{name}: 10 pt text is {10 * scale:.1f} px high: make the figure less wide"


def test_without_scripts_the_figure_stands_and_the_page_says_what_is_missing(figure_page):
    for seen in figure_page(java_script_enabled=False):
        for root in seen.page.locator(".pgt-explore").all():
            box = root.locator(".pgt-explore-figure svg").bounding_box()
            assert box["width"] > 100
            assert box["height"] > 50
            assert root.locator(".pgt-explore-note").is_visible()
            assert (
                root.locator(".pgt-explore-note").inner_text()
                == "The sliders of this figure need JavaScript."
            )
            assert re.match(r"Shown at .+ = .+\.", root.locator(".pgt-explore-values").inner_text())
            assert not root.locator(".pgt-explore-controls").is_visible()


def test_an_old_browser_says_so_and_shows_no_dead_sliders(figure_page):
    for seen in figure_page(before=["delete window.DecompressionStream"]):
        for root in seen.page.locator(".pgt-explore").all():
            note = root.locator(".pgt-explore-note")
            assert note.is_visible()
            assert "need a browser of 2023 or later" in note.inner_text()
            assert not root.locator(".pgt-explore-controls").is_visible()
            assert root.locator(".pgt-explore-figure svg").is_visible()
        assert seen.errors == []


@pytest.mark.on("desktop", "desktop, dark", pages="explore_page", samples=True)
def test_a_figure_stands_on_white_in_both_themes(seen):
    colours = seen.page.eval_on_selector_all(
        ".pgt-explore-figure", "all => all.map(node => getComputedStyle(node).backgroundColor)"
    )
    assert set(colours) == {"rgb(255, 255, 255)"}


@pytest.mark.parametrize("size", [PHONE, (1280, 900)], ids=["phone", "desktop"])
def test_axe_finds_nothing_in_figures_of_all_kinds(samples, visit, axe_violations, size):
    page = visit(samples[0], "figures.html", size=size).page
    found = axe_violations(page)
    assert [f"{v['id']}: {[node['html'][:200] for node in v['nodes']]}" for v in found] == []
    # and it would see a slider without a name
    page.evaluate("document.querySelector('.pgt-explore label').remove()")
    assert [v["id"] for v in axe_violations(page)] == ["label"]


@pytest.mark.on("desktop", pages="explore_page", samples=True)
def test_ids_of_figures_are_unique_in_the_page(seen):
    ids = seen.page.eval_on_selector_all("[id]", "all => all.map(node => node.id)")
    of_figures = seen.page.eval_on_selector_all(
        ".pgt-explore, .pgt-explore [id]", "all => all.map(node => node.id)"
    )
    assert len(of_figures) > 1
    assert sorted({key for key in of_figures if ids.count(key) > 1}) == []
