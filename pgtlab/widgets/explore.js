// Runs once for each figure, where the figure stands. Everything it needs is in its own element.
(() => {
  const root = document.currentScript.closest(".pgt-explore");
  const part = name => root.querySelector(".pgt-explore-" + name);
  const figure = part("figure"), controls = part("controls"), note = part("note");
  const inputs = [...controls.querySelectorAll("input, select")];
  const { label, names, texts, packed } = JSON.parse(root.querySelector("script[type='application/json']").text);

  // Deflated {pieces, columns}: at each position one piece for all frames, or the steps from frame to frame.
  async function unpack() {
    const bytes = Uint8Array.from(atob(packed), c => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    const { pieces, columns } = JSON.parse(await new Response(stream).text());
    for (const column of columns)
      if (typeof column !== "number")
        for (let k = 1; k < column.length; k++) column[k] += column[k - 1];
    return k => columns.map(column => pieces[typeof column === "number" ? column : column[k]]).join("");
  }

  // Makes node a equal to node b and touches only what differs. Links are plain href: no attribute has a prefix.
  function patch(a, b) {
    if (a.nodeName !== b.nodeName || a.childNodes.length !== b.childNodes.length) return a.replaceWith(b);
    if (a.nodeType !== Node.ELEMENT_NODE) { if (a.data !== b.data) a.data = b.data; return; }
    for (const { name } of [...a.attributes]) if (!b.hasAttribute(name)) a.removeAttribute(name);
    for (const { name, value } of b.attributes) if (a.getAttribute(name) !== value) a.setAttribute(name, value);
    const theirs = [...b.childNodes];
    [...a.childNodes].forEach((child, i) => patch(child, theirs[i]));
  }

  if (typeof DecompressionStream === "undefined") {
    note.textContent = "The sliders of this figure need a browser of 2023 or later.";
    return;
  }
  root.classList.add("pgt-explore-ready");
  controls.hidden = false;

  const frame = unpack(), template = document.createElement("template");
  let waiting = false;
  function describe() {
    const shown = inputs.map((input, i) => `${names[i]} = ${texts[i][input.value]}`).join(", ");
    part("values").querySelector("span").textContent = shown;
    figure.setAttribute("aria-label", `${label.replace(/\.+$/, "")}. Shown at ${shown}.`);
  }
  function redraw(svgOf) {
    waiting = false;
    const k = inputs.reduce((index, input, i) => index * texts[i].length + Number(input.value), 0);
    template.innerHTML = svgOf(k);
    patch(figure.firstElementChild, template.content.firstElementChild);
    describe();
  }
  inputs.forEach((input, i) => input.addEventListener("input", () => {
    if (input.type === "range") {
      input.setAttribute("aria-valuetext", texts[i][input.value]);
      input.nextElementSibling.value = texts[i][input.value];
    }
    if (waiting) return;
    // However many moves a drag reports, the figure is drawn once a frame, at the last of them.
    waiting = true;
    frame.then(svgOf => requestAnimationFrame(() => redraw(svgOf)));
  }));
})();
