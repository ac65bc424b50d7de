// A formula or table wider than its column scrolls in its own box; the tab key must reach that box.
const reachable = () => {
  for (const box of document.querySelectorAll("mjx-container[display], div.cell_output, .pst-scrollable-table-container")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
};

// A full stop after a formula must not begin a line.
const glue = () => {
  for (const formula of document.querySelectorAll("span.math")) {
    const next = formula.nextSibling;
    const mark = next?.nodeType === Node.TEXT_NODE && next.data.match(/^[.,:;?!)\u2019\u201d]+/)?.[0];
    if (!mark) continue;
    const whole = document.createElement("span");
    whole.style.whiteSpace = "nowrap";
    formula.before(whole);
    next.data = next.data.slice(mark.length);
    whole.append(formula, mark);
  }
};

window.addEventListener("load", () => {
  // A notebook that runs in the browser needs a server, if only one on this machine.
  const served = location.protocol !== "file:";
  for (const part of document.querySelectorAll(".pgt-run")) part.hidden = !served;
  for (const part of document.querySelectorAll(".pgt-run-file")) part.hidden = served;
  // The theme's download link opens a tab; from a file: page it may not do otherwise.
  if (served) {
    for (const link of document.querySelectorAll("a.btn-download-source-button")) {
      link.download = "";
      link.removeAttribute("target");
    }
  }
  Promise.resolve(window.MathJax?.startup?.promise).then(() => {
    glue();
    reachable();
    window.addEventListener("resize", reachable);
  });
});

// Paper is white: a page that is read in the dark prints in the colours of the light.
const { dataset } = document.documentElement;
let onScreen;
window.addEventListener("beforeprint", () => { onScreen = dataset.theme; dataset.theme = "light"; });
window.addEventListener("afterprint", () => { dataset.theme = onScreen; });

if (typeof Search !== "undefined") {
  // Sphinx fails to make an excerpt of a place without text, such as an entry of the index; the page has one.
  const excerpt = Search.makeSearchSummary;
  Search.makeSearchSummary = (page, words, anchor) => excerpt(page, words, anchor) ?? excerpt(page, words, "") ?? new Text();
  // It looks words up in plain objects, where "constructor" is found though no page has it: an object's own.
  const query = Search.query;
  const bare = Object.assign(Object.create(null), { hasOwnProperty: Object.prototype.hasOwnProperty });
  Search.query = words => {
    for (const list of [Search._index.terms, Search._index.titleterms]) Object.setPrototypeOf(list, bare);
    query(words);
  };
}
