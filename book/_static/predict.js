// Plays the predictions of a page: choices, then what happens, then why. Nothing is kept beyond the page.
(() => {
  const element = (name, attributes = {}, ...children) => {
    const made = Object.assign(document.createElement(name), attributes);
    made.append(...children);
    return made;
  };
  const behind = (a, b) => a.compareDocumentPosition(b) & Node.DOCUMENT_POSITION_FOLLOWING;

  for (const question of document.querySelectorAll(".pgt-predict")) {
    const n = question.id.split("-").pop();
    const where = question.querySelector(".pgt-predict-where");
    const right = Number(where.dataset.right);
    const reason = document.getElementById(`reason-${n}`);
    const place = document.querySelector(`.pgt-reason-place[data-of="${n}"]`);
    const list = question.querySelector(".pgt-predict-choices");

    // What the cells between question and reason print is covered. A figure to play with shows its start, which tells nothing.
    const covered = [...document.querySelectorAll("article div.cell_output")].filter(
      output => behind(question, output) && behind(output, place) && !output.querySelector(".pgt-explore"));

    const fields = element("fieldset", {}, element("legend", { textContent: "Your prediction" }));
    const labels = [];
    if (list) {
      [...list.children].forEach((item, i) => {
        const input = element("input", { type: "radio", name: `prediction-${n}`, value: String(i + 1) });
        labels.push(element("label", {}, input, element("span", {}, ...item.childNodes)));
      });
      fields.append(...labels);
      list.remove();
    } else {
      fields.append(element("label", {}, "Your number: ", element("input", { type: "number", step: "any", name: `prediction-${n}` })));
    }
    const button = element("button", { type: "submit", textContent: "Show what happens" });
    const status = element("p", { tabIndex: -1 });
    status.setAttribute("role", "status");
    const form = element("form", { autocomplete: "off" }, fields, button, status);
    where.before(form);
    question.classList.add("pgt-played");

    const notes = covered.map(output => element("p", { className: "pgt-covered-note", textContent: `Covered until you have answered prediction ${n}.` }));
    covered.forEach((output, i) => {
      output.classList.add("pgt-covered");
      output.hidden = true;
      output.after(notes[i]);
    });
    reason.setAttribute("hidden", "until-found");

    const reveal = () => {
      if (!reason.hasAttribute("hidden")) return;
      place.append(reason);
      reason.removeAttribute("hidden");
      covered.forEach(output => { output.hidden = false; output.classList.remove("pgt-covered"); });
      notes.forEach(note => note.remove());
      button.remove();
      if (list) {
        labels[right - 1].classList.add("pgt-right");
        labels[right - 1].append(element("span", { className: "pgt-mark", textContent: "← this happens" }));
      }
      fields.disabled = true;
    };
    const answer = event => {
      event.preventDefault();
      const said = list ? form.querySelector("input:checked")?.value : form.querySelector("input").value;
      reveal();
      const words = !said ? "" : Number(said) === right ? "You were right. " : list ? "It is another one. " : "";
      const number = list ? "" : `${said ? `You said ${said}. ` : ""}It is ${right.toLocaleString("en-GB")}. `;
      status.append(list ? words : number, element("a", { href: `#reason-${n}`, textContent: "Read why" }), ".");
      status.focus({ preventScroll: true });
    };
    form.addEventListener("submit", answer);
    reason.addEventListener("beforematch", reveal); // the browser's search found a word in it
    const called = () => {
      const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
      if (target && reason.contains(target)) { reveal(); target.scrollIntoView(); }
    };
    addEventListener("hashchange", called);
    called();
  }
})();
