// The table of the ledger: what a row folds out moves into it, and a box shows the rows that hold some words.
const tableOfFormulas = document.querySelector(".tag_ledger table");

if (tableOfFormulas) {
  const rows = [...tableOfFormulas.querySelectorAll("tbody tr")];
  for (const entry of document.querySelectorAll(".pgt-entry")) {
    const row = rows.find((each) => each.querySelector("a, strong").textContent === entry.dataset.formula);
    row.insertCell().append(entry);
    entry.querySelector("summary").textContent = "source and proof";
  }

  const box = document.createElement("p");
  box.id = "ledger-filter";
  box.innerHTML =
    '<label>Show only: <input type="search" placeholder="8.4, or a word"></label> <span role="status"></span>';
  tableOfFormulas.before(box);
  const [field, said] = box.querySelectorAll("input, [role=status]");
  const plain = (text) => text.toLowerCase().replace(/\s+/g, " ");
  field.addEventListener("input", () => {
    const words = plain(field.value).trim().split(" ");
    for (const row of rows) {
      row.hidden = !words.every((word) => plain(row.textContent).includes(word));
    }
    said.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length}`;
  });

  // A formula wider than its card scrolls there; the tab key reaches it.
  window.addEventListener("load", async () => {
    await window.MathJax?.startup?.promise;
    for (const each of document.querySelectorAll(".tag_ledger span.math")) {
      if (each.scrollWidth > each.clientWidth) each.tabIndex = 0;
    }
  });
}
