// A field to type Python in, laid over the coloured code of the page. The browser's own text field does what is hard:
// writing systems with an input method, the keyboards of phones, screen readers, undo, spelling out a selection. It
// lies over the code letter on letter, its own letters unseen; below it the code is coloured at each change.

const INDENT = "    ";
const STRAIGHT = { "\u201c": '"', "\u201d": '"', "\u2018": "'", "\u2019": "'" };

// Write in the place of what is selected, so that the browser can undo it.
function write(area, text) {
  const done = text ? document.execCommand("insertText", false, text) : document.execCommand("delete");
  if (done) return;
  area.setRangeText(text, area.selectionStart, area.selectionEnd, "end");
  area.dispatchEvent(new Event("input"));
}

const lineStart = (text, at) => text.lastIndexOf("\n", at - 1) + 1;
const lineEnd = (text, at) => (text.indexOf("\n", at) + text.length + 1) % (text.length + 1);

// Change each line that the selection touches, as one step of undo, and keep it selected.
function changeLines(area, change) {
  const { value, selectionStart, selectionEnd } = area;
  const start = lineStart(value, selectionStart);
  // A selection that ends at the beginning of a line does not touch that line.
  const last = selectionEnd > selectionStart && value[selectionEnd - 1] === "\n" ? selectionEnd - 1 : selectionEnd;
  const end = lineEnd(value, last);
  const old = value.slice(start, end).split("\n"), lines = old.map(change);
  if (lines.join("\n") === old.join("\n")) return;
  area.setSelectionRange(start, end);
  write(area, lines.join("\n"));
  const first = lines[0].length - old[0].length;
  const all = lines.join("\n").length - (end - start);
  if (selectionStart === selectionEnd) {
    const at = Math.max(start, selectionStart + first);
    area.setSelectionRange(at, at);
  } else area.setSelectionRange(start, end + all);
}

const indent = line => (line.trim() ? INDENT + line : line);
const dedent = line => line.replace(/^( {1,4}|\t)/, "");

function tab(area, back) {
  const { value, selectionStart, selectionEnd } = area;
  if (back) changeLines(area, dedent);
  else if (value.slice(selectionStart, selectionEnd).includes("\n")) changeLines(area, indent);
  else {
    const column = selectionStart - lineStart(value, selectionStart);
    write(area, " ".repeat(INDENT.length - (column % INDENT.length)));
  }
}

// The next line begins below this one, one step further in after a colon, one step back after a line that leaves.
function newLine(area) {
  const { value, selectionStart } = area;
  const line = value.slice(lineStart(value, selectionStart), selectionStart);
  const code = line.replace(/#.*/, "").trimEnd();
  let margin = line.match(/^[ \t]*/)[0];
  if (/[:([{]$/.test(code)) margin += INDENT;
  else if (/^\s*(return|raise|pass|break|continue)\b/.test(code)) margin = dedent(margin);
  write(area, `\n${margin}`);
}

// In the margin of a line the key deletes a whole step.
function backspace(area) {
  const { value, selectionStart, selectionEnd } = area;
  const start = lineStart(value, selectionStart);
  const margin = value.slice(start, selectionStart);
  if (selectionStart !== selectionEnd || !/^ +$/.test(margin) || margin.length % INDENT.length) return false;
  area.setSelectionRange(selectionStart - INDENT.length, selectionStart);
  write(area, "");
  return true;
}

// Lay a field over `pre`. `coloured(text)` gives the pieces of a text with their colours, `label` names the field, `hint`
// is the id of what explains it, and `on` has changed(text), run(), left().
export function field(pre, coloured, { label, hint, on }) {
  const code = document.createElement("span"), area = document.createElement("textarea");
  code.append(...pre.childNodes);
  pre.append(code, area);
  pre.classList.add("pgt-field");
  Object.assign(area, { value: code.textContent.replace(/\n$/, ""), spellcheck: false, autocomplete: "off", wrap: "off" });
  for (const [name, value] of Object.entries({ autocapitalize: "off", autocorrect: "off", "aria-label": label, "aria-describedby": hint }))
    area.setAttribute(name, value);
  area.tabIndex = -1; // the tab key indents in it, and so must not lead into it
  code.setAttribute("aria-hidden", "true");

  // In Chromium a step of undo ends wherever a node comes or goes. So the pieces stay and change their letters, and
  // come thirty at a time; and behind each word one is moved, so that undo takes back a word.
  const draw = () => {
    const all = [...coloured(area.value), ["", "\n"]];
    for (let i = code.childNodes.length; i < all.length || i % 30; i += 1)
      code.append(Object.assign(document.createElement("span"), { textContent: " " }));
    code.childNodes.forEach((span, i) => {
      const [kind, text] = all[i] ?? ["", ""];
      if (span.className !== kind) span.className = kind;
      if (span.firstChild.data !== text) span.firstChild.data = text;
    });
  };
  // A browser scrolls a text field by itself, but not the box around it.
  const follow = () => {
    const to = document.createRange(), walk = document.createTreeWalker(code, NodeFilter.SHOW_TEXT);
    let left = area.selectionEnd;
    while (walk.nextNode() && left > walk.currentNode.length) left -= walk.currentNode.length;
    to.setStart(walk.currentNode, Math.min(left, walk.currentNode.length));
    const x = to.getBoundingClientRect().left - code.getBoundingClientRect().left, margin = 32;
    if (x < pre.scrollLeft + margin) pre.scrollLeft = x - margin;
    else if (x > pre.scrollLeft + pre.clientWidth - 2 * margin) pre.scrollLeft = x - pre.clientWidth + 2 * margin;
    area.scrollLeft = area.scrollTop = 0;
  };

  area.addEventListener("input", ({ data }) => {
    draw();
    if (!/^\w$/.test(data ?? "")) code.append(code.lastChild);
    follow();
    on.changed(made.text);
  });
  area.addEventListener("beforeinput", event => {
    if (event.isComposing) return;
    const straight = event.inputType === "insertText" && matchMedia("(pointer: coarse)").matches && STRAIGHT[event.data];
    if (event.inputType === "insertLineBreak") newLine(area);
    else if (straight) write(area, straight); // phones make quotes curly
    else if (event.inputType !== "deleteContentBackward" || !backspace(area)) return;
    event.preventDefault();
  });
  area.addEventListener("keydown", event => {
    if (event.isComposing || event.altKey) return;
    const { key, shiftKey } = event, command = event.ctrlKey || event.metaKey;
    if (key === "Enter" && (shiftKey || command)) on.run();
    else if (command) return;
    else if (key === "Escape") on.left();
    else if (key === "Tab") tab(area, shiftKey);
    else return;
    event.preventDefault();
    event.stopPropagation(); // the page has keys of its own
  });
  area.addEventListener("keyup", follow);
  pre.addEventListener("click", event => event.target.closest("textarea") || area.focus()); // beside the text

  const made = {
    area,
    // Blanks that do not break come from pages and phones; Python has only one kind.
    get text() { return area.value.replaceAll("\u00a0", " "); },
    focus(at) {
      area.focus({ preventScroll: at !== undefined });
      if (at !== undefined) area.setSelectionRange(at, at);
    },
    // Put another text in its place; the browser can undo it.
    replace(text) {
      if (text === area.value) return;
      area.focus({ preventScroll: true });
      area.select();
      write(area, text);
    },
    // The text at the start: nothing to undo, nothing to tell.
    start(text) {
      area.value = text;
      draw();
    },
  };
  code.replaceChildren();
  draw();
  return made;
}
