// Plays the predictions of a page: choices, then what happens, then why. Nothing is kept beyond the page.
(() => {
  const element = (name, attributes = {}, ...children) => {
    const made = Object.assign(document.createElement(name), attributes);
    made.append(...children);
    return made;
  };
  const behind = (a, b) => a.compareDocumentPosition(b) & Node.DOCUMENT_POSITION_FOLLOWING;

  // What would tell: all that a cell prints or draws, and a cell that only checks, with its lines and its code. A figure
  // to play with shows its start, which tells nothing; what else its cell prints may.
  const results = [...document.querySelectorAll("article details.pgt-check-cell, article div.cell_output")]
    .filter(result => !result.parentElement.closest(".pgt-check-cell"))
    .flatMap(result => result.querySelector(".pgt-explore")
      ? [...result.querySelectorAll(".output")].filter(output => !output.querySelector(".pgt-explore") && !output.closest(".pgt-explore"))
      : [result]);

  for (const question of document.querySelectorAll(".pgt-predict")) {
    const n = question.id.split("-").pop();
    const where = question.querySelector(".pgt-predict-where");
    const right = Number(where.dataset.right);
    const reason = document.getElementById(`reason-${n}`);
    const place = document.querySelector(`.pgt-reason-place[data-of="${n}"]`);
    const list = question.querySelector(".pgt-predict-choices");

    const covered = results.filter(result => behind(question, result) && behind(result, place));

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

    // The style sheet hides what is covered, on screens alone: `hidden` belongs to the part of the page that runs cells.
    const notes = covered.map(() => element("p", { className: "pgt-covered-note", textContent: `Covered until you have answered prediction ${n}.` }));
    covered.forEach((result, i) => {
      result.classList.add("pgt-covered");
      result.after(notes[i]);
    });
    const uncover = i => {
      covered[i].classList.remove("pgt-covered");
      notes[i].remove();
    };
    reason.setAttribute("hidden", "until-found");
    // A cell that the reader has run is covered no more.
    document.addEventListener("pgt-live:state", ({ target, detail }) => {
      if (detail.cell.state === "done") covered.forEach((result, i) => target.contains(result) && uncover(i));
    });

    const reveal = () => {
      if (!reason.hasAttribute("hidden")) return;
      place.append(reason);
      reason.removeAttribute("hidden");
      covered.forEach((_, i) => uncover(i));
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
