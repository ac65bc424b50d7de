// A figure with sliders that asks Python for its frames: one at a time, and of many moves the newest.
const FINER = 10; // steps of a slider between two values of the grid

// The values that a slider can take: finer than the grid where that has a meaning.
function steps({ kind, values }) {
  const first = values[0], last = values[values.length - 1], n = FINER * (values.length - 1);
  if (kind === "integer") return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  const short = x => Number(x.toPrecision(12));
  if (kind === "linear") return Array.from({ length: n + 1 }, (_, i) => short(first + (last - first) * i / n));
  if (kind === "log") return Array.from({ length: n + 1 }, (_, i) => short(first * (last / first) ** (i / n)));
  return values;
}

export class LiveFigure {
  constructor({ place, explored, cell, ask, make, inert }) {
    Object.assign(this, { explored, cell, ask, inert, asked: false, wanted: null });
    this.figure = make("div", { className: "pgt-explore-figure" });
    this.figure.setAttribute("role", "img");
    this.error = make("p", { className: "pgt-live-told" });
    this.error.setAttribute("role", "alert");
    this.controls = make("div", { className: "pgt-explore-controls" });
    this.sliders = explored.sliders.map(slider => this.slider(slider, make));
    const style = make("style", { textContent: explored.css });
    place.replaceChildren(make("div", { className: "pgt-explore pgt-explore-ready pgt-explore-live", id: explored.identity },
      style, this.figure, this.error, this.controls));
    this.draw(explored);
  }

  slider(given, make) {
    const { explored } = this, id = `${explored.identity}-${given.argument}`;
    const values = steps(given), start = given.values[given.start];
    const choice = given.kind === "choice";
    const input = choice
      ? make("select", { id }, ...given.texts.map((textContent, value) => make("option", { textContent, value })))
      : make("input", { id, type: "range", min: 0, max: values.length - 1, step: 1 });
    input.value = choice ? given.start : values.reduce((best, value, i) => Math.abs(value - start) < Math.abs(values[best] - start) ? i : best, 0);
    input.autocomplete = "off";
    const output = make("output");
    output.setAttribute("aria-live", "off");
    input.addEventListener("input", () => this.move());
    this.controls.append(make("label", { htmlFor: id, textContent: given.name }), input, ...(choice ? [] : [output]));
    return { ...given, values, input, output };
  }

  move() {
    this.wanted = Object.fromEntries(this.sliders.map(({ argument, values, input }) => [argument, values[input.value]]));
    if (!this.asked) this.next();
  }

  async next() {
    this.asked = true;
    while (this.wanted) {
      const values = this.wanted;
      this.wanted = null;
      try {
        const began = performance.now();
        const frame = await this.ask("frame", { id: this.cell.id, values });
        if (frame.error) this.error.textContent = `${frame.error.name}: ${frame.error.message}`;
        else this.draw(frame);
        this.figure.dataset.ms = Math.round(performance.now() - began);
      } catch {
        this.error.textContent = "Python has stopped since: run the cell again to move the sliders.";
        this.wanted = null;
      }
    }
    this.asked = false;
  }

  draw({ svg, texts_now: texts }) {
    this.error.textContent = "";
    this.figure.replaceChildren(this.inert(svg));
    const shown = this.sliders.map(({ name, input, output }, i) => {
      output.value = texts[i];
      input.setAttribute("aria-valuetext", texts[i]);
      return `${name} = ${texts[i]}`;
    });
    this.figure.setAttribute("aria-label", `${this.explored.label.replace(/\.+$/, "")}. Shown at ${shown.join(", ")}.`);
  }
}
