// Editing in the page: what a page costs that is only read. The editor itself (editor.js) comes with the first press
// into code, or at once where there is something to show: an edit of an earlier visit, or one that a link carries.
(() => {
  const base = new URL(".", document.currentScript.src);
  const kept = `pgt-cell ${location.pathname}#`;
  let attempts = 0, editor;
  // The files of one version: after a new build a browser may have some of the old. And it may remember that an address
  // failed, so that the next attempt needs another.
  const fetched = name => new URL(`${name}?${pgtLive.settings.version}${attempts ? `.${attempts}` : ""}`, base);
  const get = () => editor ??= import(fetched("editor.js")).then(module => module.start({ live: pgtLive, fetched, kept }))
    .catch(error => { editor = null; attempts += 1; throw error; });
  const edit = async (cell, at) => {
    try {
      (await get()).edit(cell, at);
    } catch (error) {
      if (editor) throw error;
      cell.note.hidden = false;
      cell.note.textContent = pgtLive.served
        ? "The editor could not be fetched: are you offline? Press again when you are not."
        : "In a page that is opened as a file nothing can be edited: put the book on a server, as `make serve` does.";
    }
  };

  // Before how many letters of the code a press was.
  const letters = (code, { clientX, clientY }) => {
    const place = document.caretPositionFromPoint?.(clientX, clientY), range = document.caretRangeFromPoint?.(clientX, clientY);
    const [node, offset] = place ? [place.offsetNode, place.offset] : range ? [range.startContainer, range.startOffset] : [];
    const before = document.createRange();
    before.selectNodeContents(code);
    if (node && code.contains(node)) before.setEnd(node, offset);
    return before.toString().length;
  };

  // In an exercise of a chapter the button runs the reader's answer, and then the check below it.
  const exercise = (cell, check) => {
    const { button } = cell;
    button.textContent = "Run and check";
    button.setAttribute("aria-label", button.getAttribute("aria-label").replace("Run", "Run and check"));
    cell.bar.addEventListener("click", async event => {
      if (!button.contains(event.target)) return;
      event.stopPropagation();
      await null; // the editor hears it too
      if ((await pgtLive.run(cell)).ok) pgtLive.run(check);
    }, true);
  };

  const prepare = () => {
    const { cells } = window.pgtLive;
    for (const [i, cell] of cells.entries()) {
      if (cell.element.matches(".tag_try") && cells[i + 1]?.element.matches(".tag_try-check")) exercise(cell, cells[i + 1]);
      const button = Object.assign(document.createElement("button"), { type: "button", className: "pgt-edit", textContent: "Edit" });
      button.setAttribute("aria-label", `Edit cell ${i + 1} of ${cells.length}`);
      button.addEventListener("click", () => edit(cell));
      cell.bar.append(button);
      let first = false; // a finger that touches a cell first shows what can be done with it
      cell.element.addEventListener("pointerdown", event => {
        first = event.pointerType !== "mouse" && !cell.element.matches(".pgt-live-near");
      }, true);
      cell.code.addEventListener("click", event => {
        if (first || cell.editor || !getSelection().isCollapsed) return;
        edit(cell, letters(cell.code, event));
      });
    }
    const linked = () => location.hash.startsWith("#edit-");
    let stored = false;
    try {
      stored = Object.keys(localStorage).some(key => key.startsWith(kept));
    } catch { /* a browser that keeps nothing has nothing */ }
    if (pgtLive.served && (stored || linked())) get().catch(() => {});
    addEventListener("storage", event => event.key?.startsWith(kept) && get().catch(() => {})); // another page writes
    addEventListener("hashchange", () => linked() && get().then(started => started.receive()));
  };
  if (window.pgtLive) prepare();
  else document.addEventListener("pgt-live:ready", prepare);
})();
