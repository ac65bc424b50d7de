// What a cell shows, as the pages of the book show it: the same elements, with the same classes.
const MOST = 100_000; // characters of what is printed: the newest are kept
const MOST_PARTS = 50;
const ORDER = ["application/vnd.pgtlab.explore+json", "text/html", "image/svg+xml", "image/png", "image/jpeg",
  "text/markdown", "text/latex", "text/plain"];

// What comes from code is shown and does not act: no scripts, and no attributes that are one.
export function inert(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  for (const node of template.content.querySelectorAll("*")) {
    // A style would reach the whole page, a form would send what is typed into it.
    if (node.matches("script, style, iframe, object, embed, base, meta, link, form, set, animate")) { node.remove(); continue; }
    const link = node.localName === "a";
    for (const { name, value } of [...node.attributes]) {
      const runs = /^on|^(action|form|formaction|ping|srcdoc)$/i.test(name) || /^javascript:/i.test(value.replace(/[\0- ]/g, ""));
      const asks = /^(src|srcset|poster|background|(xlink:)?href)$/i.test(name) && !link && !/^\s*(data:image\/|#)/i.test(value);
      const reaches = /url\(/i.test(value.replace(/url\(\s*["']?#/g, "")) || name === "style" && /image-set|position|\\/i.test(value);
      if (runs || asks || reaches) node.removeAttribute(name);
    }
  }
  return template.content;
}

// The little of Markdown that a cell is likely to write: paragraphs, lists, bold, italics, code, and formulas.
function markdown(text) {
  const plain = text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/(?<![\\$])\$(?!\$)([^$]+)\$/g, "\\($1\\)");
  const inline = part => part.split(/(\\\(.*?\\\)|\$\$.*?\$\$|`[^`]*`)/s).map((piece, i) => i % 2
    ? piece.replace(/^`(.*)`$/s, "<code>$1</code>")
    : piece.replace(/\*\*(.+?)\*\*/gs, "<strong>$1</strong>").replace(/\*(.+?)\*/gs, "<em>$1</em>")).join("");
  return plain.trim().split(/\n{2,}/).map(block => /^[-*] /.test(block)
    ? `<ul>${block.split(/\n(?=[-*] )/).map(item => `<li>${inline(item.slice(2))}</li>`).join("")}</ul>`
    : `<p>${inline(block.replace(/^#+ (.*)$/gm, "**$1**"))}</p>`).join("");
}

export class Result {
  constructor(cell, make) {
    Object.assign(this, { cell, make, parts: [], record: [], cut: 0 });
    this.element = make("div", { className: "cell_output docutils container pgt-live-output" });
    this.element.setAttribute("role", "group");
    this.element.setAttribute("aria-label", "Your result");
    this.drawn = Promise.resolve();
  }

  // In the place of the book's output, which stays in the page.
  place() {
    const { cell, element } = this;
    if (cell.shown === element) return;
    cell.shown?.remove();
    for (const book of cell.element.querySelectorAll(".cell_output:not(.pgt-live-output)")) book.hidden = true;
    cell.note.after(element);
    cell.shown = element;
  }

  // What was shown is kept as text too, in its order: `record` has [name, text] for each output.
  take(message) {
    const { record } = this;
    if (message.event === "display") record.push(["text/plain", message.data["text/plain"]]);
    else if (message.event === "stream") {
      if (record.at(-1)?.[0] !== message.name) record.push([message.name, ""]);
      record.at(-1)[1] = (record.at(-1)[1] + message.text).slice(-MOST);
    }
    if (message.event === "stream") this.stream(message);
    else if (message.event === "display") this.part(this.shown(message.data));
    else if (message.event === "clear") this.clear();
  }

  get text() { return this.record.filter(([name]) => name === "stdout").map(([, text]) => text).join(""); }

  clear() { this.record.length = 0; this.element.replaceChildren(); this.parts = []; this.last = null; }

  part(element) {
    if (!element) return;
    this.last = null;
    this.parts.push(element);
    this.element.append(element);
    if (this.parts.length > MOST_PARTS) {
      this.parts.shift().remove();
      this.tell(`Only the newest ${MOST_PARTS} results of this cell are shown.`);
    }
  }

  tell(words) {
    this.told ??= this.make("p", { className: "pgt-live-told" });
    this.told.textContent = words;
    this.element.prepend(this.told);
  }

  stream({ name, text, cut }) {
    if (this.last?.name !== name) {
      const pre = this.make("pre");
      const box = this.make("div", { className: `output ${name === "stderr" ? "stderr" : "stream"} highlight-myst-ansi notranslate` },
        this.make("div", { className: "highlight" }, pre));
      this.part(box);
      this.last = { name, pre, text: "" };
    }
    // A carriage return begins the line again, as bars of progress do; colours of a terminal are left out.
    let all = this.last.text + text.replace(/\x1b\[[0-9;]*[A-Za-z]/g, "");
    if (all.includes("\r")) all = all.replace(/\r\n/g, "\n").replace(/[^\n]*\r(?=[^\n])/g, "");
    this.cut += cut;
    if (all.length > MOST) {
      const kept = all.slice(-MOST), from = kept.indexOf("\n") + 1;
      this.cut += all.slice(0, all.length - kept.length + from).split("\n").length - 1;
      all = kept.slice(from);
    }
    if (this.cut) this.tell(`The first ${this.cut.toLocaleString("en")} lines are left out: a page keeps the newest ${MOST.toLocaleString("en")} characters.`);
    this.last.text = all;
    this.last.pre.textContent = all;
  }

  shown(data) {
    const kind = ORDER.find(each => each in data);
    const value = data[kind], { make } = this;
    switch (kind) {
      case "application/vnd.pgtlab.explore+json":
        this.explored = value;
        this.place_for_figure = make("div", { className: "output text_html" });
        return this.place_for_figure;
      case "text/html": {
        const box = make("div", { className: "output text_html" });
        box.append(inert(value));
        return box;
      }
      case "image/svg+xml":
        return this.image(`data:image/svg+xml;charset=utf-8,${encodeURIComponent(value)}`);
      case "image/png": case "image/jpeg":
        return this.image(`data:${kind};base64,${value}`);
      case "text/markdown": case "text/latex": {
        this.marked ||= kind === "text/markdown";
        const box = make("div", { className: "output tex2jax_process" });
        box.innerHTML = markdown(value);
        this.drawn = this.drawn.then(() => MathJax.typesetPromise([box])).catch(() => {});
        return box;
      }
      default: {
        const pre = make("pre", { textContent: value.length > MOST ? `${value.slice(0, MOST)} …` : value });
        return make("div", { className: "output text_plain highlight-myst-ansi notranslate" }, make("div", { className: "highlight" }, pre));
      }
    }
  }

  image(src) {
    const book = this.cell.element.querySelector(".cell_output:not(.pgt-live-output) img");
    const alt = this.cell.edited || !book?.alt ? "The figure that your code draws." : book.alt;
    return this.make("img", { src, alt });
  }

  // The end of a run: an error, the figure with its sliders, and the caption that the book's figure has.
  settle({ answer, asBook, live, figure }) {
    this.last = null;
    if (answer.error) this.element.append(this.error(answer.error, live));
    const book = this.cell.element.querySelector(".cell_output:not(.pgt-live-output)"); // in a check, folded with its code
    // Of the same code the book has the same, and better: all frames of a figure, and links in its text.
    const packed = this.explored && this.parts.length === 1 && book?.querySelector(".pgt-explore-ready");
    if (asBook && answer.ok && book && (this.marked || packed)) {
      this.keepsBook = true;
      this.cell.shown?.remove();
      this.cell.shown = null;
      book.hidden = false;
      return;
    }
    if (this.explored) figure(this.place_for_figure, this.explored);
    this.place();
    if (!this.parts.length && !answer.error) this.element.append(this.make("p", { className: "pgt-live-told", textContent: "The cell shows nothing." }));
    const caption = book?.querySelector("figcaption");
    if (caption && answer.ok) {
      const copy = caption.cloneNode(true);
      copy.removeAttribute("id");
      for (const link of copy.querySelectorAll("a.headerlink")) link.remove();
      const whole = this.make("figure", { className: "align-default" });
      whole.append(...this.element.childNodes, copy);
      this.element.append(whole);
    }
    window.dispatchEvent(new Event("resize")); // what is wider than its column becomes reachable by the tab key
  }

  error(error, live) {
    const { make } = this;
    const box = make("div", { className: "output pgt-live-error" });
    box.setAttribute("role", "alert");
    const message = error.message ? `: ${error.message}` : "";
    box.append(make("p", {}, make("strong", { textContent: error.name }), message));
    for (const frame of error.frames ?? []) {
      const cell = live.cell(frame.cell);
      const where = frame.cell === error.cell || !cell ? `Line ${frame.line}` : `Line ${frame.line} of cell ${live.cells.indexOf(cell) + 1}`;
      const line = make("p", { className: "pgt-live-line" });
      line.append(cell && frame.cell !== error.cell ? make("a", { href: `#cell-${frame.cell}`, textContent: where }) : where);
      if (frame.code) line.append(": ", make("code", { textContent: frame.code }));
      box.append(line);
    }
    if (error.hint) box.append(make("p", { textContent: error.hint }));
    return box;
  }
}
