// The editor of the page: a field over each cell that is edited, a line below it that says whose text it is and leads
// back, and what is kept or sent. What runs is the business of page.js and session.js.

const make = (tag, properties = {}, ...children) => {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
};
const HINT = "pgt-editor-hint";
const PAUSE = 300; // milliseconds after the last key, when what was computed from a cell is marked stale

export async function start({ live, fetched, kept }) {
  const style = make("link", { rel: "stylesheet", href: fetched("editor.css") });
  const styled = new Promise((done, failed) => Object.assign(style, { onload: done, onerror: failed }));
  document.head.append(style);
  const parts = ["editor_colours.js", "editor_field.js", "editor_kept.js", "editor_link.js"];
  const [{ coloured }, { field }, { keeper }, { carried, link }] = await Promise.all(parts.map(name => import(fetched(name))));
  await styled;
  document.body.append(make("p", { id: HINT, hidden: true, textContent: "Tab indents, Shift and Tab takes back, Shift and Enter runs, Escape leaves the code." }));
  const keep = keeper(kept);

  const number = cell => `cell ${live.cells.indexOf(cell) + 1} of ${live.cells.length}`;
  const button = (words, act) => {
    const made = make("button", { type: "button", className: "pgt-editor-button", textContent: words });
    made.addEventListener("click", act);
    return made;
  };

  // The editor of a cell: made once, it stays, and with it what can be undone.
  class Editor {
    constructor(cell) {
      Object.assign(this, { cell, was: undefined, sent: null, said: "" });
      cell.editor = this;
      cell.element.classList.add("pgt-editor-open");
      this.field = field(cell.code, coloured, {
        label: `Code of ${number(cell)}`,
        hint: HINT,
        on: {
          changed: text => this.changed(text),
          run: () => this.run(),
          left: () => cell.bar.querySelector("button.pgt-edit").focus(),
        },
      });
      this.line = make("div", { className: "pgt-editor-line", hidden: true });
      this.words = make("span");
      this.words.setAttribute("role", "status");
      this.ways = make("span", { className: "pgt-editor-ways" });
      this.line.append(this.words, this.ways);
      cell.note.before(this.line);
      // A press on Run is the reader's word for a text that was sent.
      cell.bar.addEventListener("click", ({ target }) => {
        if (target.closest(".pgt-live-run")) this.take();
      }, true);
      const { text, was, older } = keep.get(cell);
      Object.assign(this, { was, older });
      if (text !== undefined && text !== cell.original) {
        this.field.start(text);
        cell.source = text;
        live.touch(cell);
      }
      this.show();
    }

    changed(text) {
      if (this.sent !== null) this.take();
      this.cell.source = text;
      this.said = "";
      this.store();
      this.show();
      clearTimeout(this.pause);
      this.pause = setTimeout(() => this.touch(), PAUSE);
    }

    touch() {
      clearTimeout(this.pause);
      this.pause = null;
      live.touch(this.cell);
    }

    store() {
      const { cell, was } = this;
      keep.put(cell, { text: cell.edited ? cell.source : undefined, was });
    }

    run() {
      this.take();
      this.cell.button.click();
    }

    // Put another text in the place of the reader's, which can be brought back.
    put(text, was = this.cell.edited ? this.cell.source : this.was) {
      this.was = was === text ? undefined : was;
      this.field.replace(text);
      this.changed(text);
    }

    // Show what a link carries: not the reader's, not run, not kept, until the reader says so.
    receive(text) {
      this.sent = text;
      this.field.start(text);
      this.show();
    }

    // The reader runs it or types in it: from now on it is the reader's.
    take() {
      if (this.sent === null) {
        if (this.pause) this.touch();
        return;
      }
      const { sent, cell } = this;
      this.sent = null;
      if (cell.edited && cell.source !== sent) this.was = cell.source;
      this.forget();
      this.cell.source = this.field.text;
      this.store();
      this.show();
      this.touch();
    }

    refuse() {
      this.sent = null;
      this.forget();
      this.field.start(this.cell.source);
      this.show();
      this.field.focus(0);
    }

    forget() {
      if (location.hash.startsWith("#edit-")) history.replaceState(history.state, "", location.pathname + location.search);
    }

    // Another page of this browser changed the same cell: the newest text wins, here too.
    follow() {
      if (this.sent !== null) return;
      const { cell } = this, { text = cell.original, was, older } = keep.get(cell);
      if (text === cell.source && was === this.was) return;
      Object.assign(this, { was, older, said: "Changed on another page that is open: this is the newest text." });
      if (text !== cell.source) {
        this.field.start(text);
        cell.source = text;
        this.touch();
      }
      this.show();
    }

    async share() {
      const made = await link(this.cell.id, this.field.text).catch(() => null);
      if (!made) return this.say("This cell is too long for a link: send the notebook instead, from the button at the top of the page.");
      const shown = make("input", { type: "text", readOnly: true, value: made, className: "pgt-editor-link" });
      shown.setAttribute("aria-label", "Link with this cell");
      let copied = true;
      try {
        await navigator.clipboard.writeText(made);
      } catch {
        copied = false; // without https a page may not
      }
      this.say(copied ? "Copied. Whoever opens the link sees your text, and runs it only by a press." : "Copy this link. Whoever opens it sees your text, and runs it only by a press.");
      this.ways.prepend(shown);
      shown.select();
    }

    say(words) {
      this.said = words;
      this.show();
    }

    show() {
      const { cell, was, sent } = this;
      const ways = [], words = [this.said];
      if (sent !== null) {
        words.push("This code came with the link. Nothing of it has run: read it, and press Run if you want to.");
        ways.push(button(cell.edited ? "Back to my code" : "Restore the book's code", () => this.refuse()));
      } else {
        if (cell.edited) {
          words.push(this.older ? "Edited by you; since then the book's code has changed." : "Edited by you.");
          ways.push(button("Restore the book's code", () => this.put(cell.original)));
          ways.push(button("Link to my code", () => this.share()));
        }
        if (was !== undefined && was !== cell.source) {
          if (!cell.edited) words.push("The book's code.");
          ways.push(button("Bring back my earlier code", () => this.put(was)));
          if (!cell.edited) ways.push(button("Forget it", () => { this.was = undefined; this.store(); this.show(); cell.bar.querySelector("button.pgt-edit").focus(); }));
        }
        if (cell.edited && keep.blocked) words.push("This browser keeps nothing for this page: what you type is gone when you leave it. A link takes it along.");
      }
      const said = words.filter(Boolean).join(" ");
      if (this.words.textContent !== said) this.words.textContent = said;
      const names = ways.map(way => way.textContent).join();
      if (names !== this.shown || this.ways.querySelector("input")) {
        this.ways.replaceChildren(...ways);
        this.shown = names;
      }
      this.line.hidden = !said && !ways.length;
      cell.element.classList.toggle("pgt-editor-edited", cell.edited);
      cell.element.classList.toggle("pgt-editor-sent", sent !== null);
    }
  }

  const of = cell => cell.editor ?? new Editor(cell);
  const open = cell => {
    const closed = cell.element.querySelector(":scope > details:not([open])") ?? cell.element.closest("details:not([open])");
    if (closed) closed.open = true;
  };

  for (const cell of live.cells) {
    const { text, was } = keep.get(cell);
    if (text !== undefined || was !== undefined) of(cell);
  }
  keep.listen(id => {
    const cell = live.cell(id);
    if (cell) cell.editor ? cell.editor.follow() : of(cell);
  });
  // A page that slept heard nothing of the others.
  const woken = () => document.visibilityState === "visible" && live.cells.forEach(cell => cell.editor?.follow());
  document.addEventListener("visibilitychange", woken);
  addEventListener("pageshow", event => event.persisted && woken());
  addEventListener("beforeunload", event => {
    if (keep.blocked && live.cells.some(cell => cell.edited)) event.preventDefault();
  });

  const started = {
    // Edit a cell, with the caret behind so many letters.
    edit(cell, at) {
      const made = of(cell);
      open(cell);
      made.field.focus(at);
    },
    async receive() {
      const { cell, text, fault } = await carried(location.hash, live.cells);
      if (!cell) {
        document.querySelector(".bd-article h1, h1").after(make("p", { className: "pgt-editor-fault", textContent: fault, role: "alert" }));
        return;
      }
      const made = of(cell);
      open(cell);
      if (fault) made.say(fault);
      else if (text === cell.original && !cell.edited) made.say("The link carries the book's own text of this cell.");
      else made.receive(text);
      cell.element.scrollIntoView({ block: "center" });
      if (fault) made.forget();
    },
  };
  if (location.hash.startsWith("#edit-")) started.receive();
  return started;
}
