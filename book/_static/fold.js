// A cell that does nothing but check is one line a check: its code and its numbers, or the steps of a proof, unfold together.
(() => {
  for (const cell of document.querySelectorAll("article div.cell.tag_audit")) {
    const folds = [...cell.querySelectorAll("details.pgt-check, div.pgt-proof")];
    if (!folds.length) continue; // the cell shows something else, or has failed
    const summary = document.createElement("summary");
    for (const fold of folds) {
      const line = document.createElement("span");
      if (fold.matches(".pgt-proof")) {
        const steps = fold.querySelectorAll("ol > li").length;
        line.textContent = `${fold.querySelector(".pgt-proof-title").textContent} with letters, in ${steps} step${steps > 1 ? "s" : ""}`;
      } else {
        line.classList.toggle("pgt-caught", fold.matches(".pgt-caught"));
        line.textContent = fold.querySelector("summary").textContent;
        fold.replaceWith(...fold.querySelectorAll("pre"));
      }
      summary.append(line);
    }
    const whole = document.createElement("details");
    whole.className = "pgt-check pgt-check-cell";
    whole.append(summary, ...cell.children);
    cell.append(whole);
  }

  // Formulas in closed folds are not set before somebody opens them: a chapter has hundreds.
  const closed = (formula) => formula.closest("details:not([open])");
  for (const formula of document.querySelectorAll("article .pgt-proof .math"))
    if (closed(formula)) formula.className = "pgt-later mathjax_ignore";
  document.addEventListener("toggle", async ({ target }) => {
    if (!target.matches("details[open]")) return;
    await window.MathJax?.startup?.promise;
    const due = [...target.querySelectorAll(".pgt-later")].filter((formula) => !closed(formula));
    for (const formula of due) formula.className = "math";
    if (due.length) await MathJax.typesetPromise(due);
  }, true);
})();
