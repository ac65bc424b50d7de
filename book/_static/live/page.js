// The page runs: what stands in every page of a notebook. Python, and all that speaks with it, comes with the first
// press (session.js, which starts worker.js). This file and page.css are all that a page costs that is only read.
//
// For the editor, and whoever else builds on it: `window.pgtLive`, there when the event "pgt-live:ready" reaches
// `document`, or before, if your script comes later. From a file: it is there too, and `served` is false.
//
//   cells           the cells in the order of the page, each
//                   { id, element, code, original, source, edited, aside, bar, note, shown, state }
//                     element   the div.cell                    code     its <pre>, whose text the editor changes
//                     original  the book's source               source   what will run: assign to it, then call touch
//                     edited    whether the two differ          aside    true: no other cell uses what it binds
//                     bar       where buttons beside Run go     note     the line under the code: state and ways back
//                     shown     null, or the reader's result, div.cell_output.pgt-live-output, in the place of the book's
//                     state     "book" | "waiting" | "running" | "done" | "failed" | "stopped" | "stale"
//   cell(id)        one of them
//   add(element, { id, source, aside = true })
//                   a cell that the book does not have, such as that of an exercise. `element` is a div.cell with
//                   div.cell_input > pre in the page already; where it stands says which cells are above it.
//   touch(cell)     say that cell.source changed: what was computed from it is marked stale (nothing runs)
//   run(cell)       run it and, first, what it needs; resolves to { ok, error } with error null or
//                   { cell, line, name, message }: line counts from 1 in the source of `cell` (an id)
//   evaluate(cell, code)
//                   run `code` behind a cell, with the names that hold after it, and show nothing; resolves to
//                   { ok, text, error }, text being what it printed. What it needs runs first, the cell with it.
//   runAll(), stop(), startAfresh()
//   restore(cell)   take the reader's result away: the book's output is back (edits stay)
//   session()       starts nothing, but fetches session.js: a promise of its module
//
// Events bubble from cell.element: "pgt-live:state" after each change of cell.state, detail { cell, error }.
// "pgt-live:touch" after touch(cell). The hash of a cell's place in the page is "#cell-" + id.
(() => {
  const base = new URL(".", document.currentScript.src);
  const data = document.querySelector(".pgt-live");
  if (!data) return;
  const settings = JSON.parse(data.querySelector("script").text);
  const served = location.protocol !== "file:";
  const make = (tag, properties, ...children) => {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  };

  class Cell {
    constructor(element, id, source, aside) {
      Object.assign(this, { element, id, aside, shown: null, state: "book" });
      this.code = element.querySelector(".cell_input pre");
      this.original = this.source = source ?? this.code.textContent.replace(/\n$/, "");
      this.button = make("button", { type: "button", className: "pgt-live-run", textContent: "Run" });
      this.button.addEventListener("click", () => live.run(this));
      this.bar = make("div", { className: "pgt-live-bar" }, this.button);
      this.note = make("div", { className: "pgt-live-note", hidden: true });
      this.note.setAttribute("role", "status");
      element.querySelector(".cell_input").append(this.bar);
      (element.querySelector(":scope > details") ?? element.querySelector(".cell_input")).after(this.note);
      // A finger does not hover: touching a cell shows what can be done with it.
      element.addEventListener("pointerdown", event => {
        if (event.pointerType !== "mouse") near(element);
      });
    }

    get edited() { return this.source !== this.original; }

    say(...words) { this.note.replaceChildren(...words); this.note.hidden = false; }

    set(state, error = null) {
      this.state = this.element.dataset.live = state;
      this.element.dispatchEvent(new CustomEvent("pgt-live:state", { bubbles: true, detail: { cell: this, error } }));
    }
  }

  const near = element => {
    document.querySelector(".pgt-live-near")?.classList.remove("pgt-live-near");
    element.classList.add("pgt-live-near");
  };

  // One session a page, fetched at the first press.
  let module;
  const session = () => module ??= import(new URL(`session.js?${settings.version}`, base)).then(
    fetched => fetched.start({ live, settings, base, make }),
    error => { module = null; throw error; },
  );
  const asked = name => async (cell, ...rest) => {
    if (!served) {
      cell?.say("A page that is opened as a file cannot start Python: put the book on a server, as `make serve` does.");
      return { ok: false, error: null };
    }
    try {
      return await (await session())[name](cell, ...rest);
    } catch (error) {
      if (!module) cell?.say("The part of the page that runs cells could not be fetched: are you offline? Press again when you are not.");
      else throw error;
      return { ok: false, error: null };
    }
  };

  const live = window.pgtLive = {
    cells: [], settings, served, session,
    cell: id => live.cells.find(cell => cell.id === id),
    add(element, { id, source, aside = true }) {
      const cell = new Cell(element, id, source, aside);
      const behind = live.cells.findIndex(({ element: other }) =>
        element.compareDocumentPosition(other) & Node.DOCUMENT_POSITION_FOLLOWING);
      live.cells.splice(behind < 0 ? live.cells.length : behind, 0, cell);
      return cell;
    },
    touch(cell) {
      cell.element.dispatchEvent(new CustomEvent("pgt-live:touch", { bubbles: true, detail: { cell } }));
      module?.then(started => started.touch(cell));
    },
    busy(now) { stop.hidden = !now; },
    run: asked("run"), evaluate: asked("evaluate"), restore: asked("restore"),
    runAll: asked("runAll"), stop: asked("stop"), startAfresh: asked("startAfresh"),
  };

  // At the top of the page.
  const stop = make("button", { type: "button", textContent: "Stop", hidden: true });
  for (const [button, name] of [
    [make("button", { type: "button", textContent: "Run all cells" }), "runAll"],
    [stop, "stop"],
    [make("button", { type: "button", textContent: "Start afresh", title: "A new Python, and the book’s outputs; what you typed stays" }), "startAfresh"],
  ]) {
    button.addEventListener("click", () => live[name]());
    data.append(button);
  }
  data.hidden = !served;

  for (const element of document.querySelectorAll("div.cell[id^='cell-']"))
    if (element.querySelector(".cell_input pre")) live.cells.push(new Cell(element, element.id.slice(5), undefined, false));
  live.cells.forEach((cell, i) => cell.button.setAttribute("aria-label", `Run cell ${i + 1} of ${live.cells.length}`));
  document.dispatchEvent(new CustomEvent("pgt-live:ready"));
})();
