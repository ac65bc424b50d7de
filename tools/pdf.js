// What `tools/pdf.py` asks of the pages of the book, and of the one page that it makes of them.
({
  // The pages in their order, from the book's own contents: {part, title, path}, the first page before them.
  contents() {
    const found = [{ part: "", title: document.querySelector("article h1").firstChild.textContent, path: location.href.replace(/#.*/, "") }];
    for (const list of document.querySelectorAll(".bd-docs-nav ul.bd-sidenav:not(.bd-sidenav__home-link)")) {
      const part = list.previousElementSibling?.matches(".caption") ? list.previousElementSibling.textContent.trim() : "";
      for (const link of list.querySelectorAll("a.reference.internal"))
        found.push({ part, title: link.textContent.trim(), path: link.href });
    }
    return found;
  },

  // What the head of a page says about the book.
  about() {
    const of = name => document.querySelector(`meta[name="${name}"], meta[property="${name}"]`)?.content ?? "";
    const authors = [...document.querySelectorAll("meta[name=citation_author]")].map(meta => meta.content);
    const address = document.querySelector("link[rel=canonical]")?.href ?? "";
    const styles = [...document.querySelectorAll("link[rel=stylesheet]")].map(link => [link.href, link.media]);
    return { title: of("og:site_name"), subtitle: of("citation_title").split(": ")[1] ?? "", authors, address, styles };
  },

  // The first formula of a page, for the title.
  formula() {
    const formula = document.querySelector("article div.math mjx-container").cloneNode(true);
    formula.querySelector("mjx-assistive-mml")?.remove();
    return formula.outerHTML;
  },

  // The article of a page for the book: {html, sections, solutions, styles}. Every name in it begins with the
  // page's own, and links lead to such names; `pages` are the names by address.
  async gather({ name, title, pages, published }) {
    await window.MathJax?.startup?.promise;
    await document.fonts.ready;
    // A drawn formula says what was typed: a reader of the PDF that speaks has it as the text of a picture.
    for (const { math, typesetRoot } of window.MathJax?.startup?.document?.math ?? []) {
      const drawn = typesetRoot?.querySelector("svg");
      drawn?.removeAttribute("aria-hidden");
      drawn?.setAttribute("role", "img");
      drawn?.setAttribute("aria-label", math);
    }
    const article = document.querySelector("article.bd-article").cloneNode(true);
    const all = selector => [...article.querySelectorAll(selector)];
    for (const needless of all(`script, noscript, button, a.headerlink, #searchbox, .pgt-run, .pgt-run-file, .pgt-pdf,
        .pgt-explore-controls, .pgt-explore-note, .pgt-walk-controls, .pgt-covered-note, #ledger-filter,
        mjx-assistive-mml, details.hide:not([open]), .toctree-wrapper`)) needless.remove();
    const heading = article.querySelector("h1");
    const number = title.match(/^\d+ · /)?.[0];
    if (number) heading.prepend(number);

    const named = id => `${name}.${id}`;
    const style = text => text.replace(/url\((["']?)#/g, (_, quote) => `url(${quote}#${named("")}`);
    for (const node of all("*")) {
      if (node.id) node.id = named(node.id);
      for (const { name: key, value } of [...node.attributes]) {
        if (["aria-labelledby", "aria-describedby", "aria-controls", "for"].includes(key))
          node.setAttribute(key, value.trim().split(/\s+/).map(named).join(" "));
        else if (/(^|:)href$/.test(key) && value.startsWith("#") && !node.matches("a")) node.setAttribute(key, `#${named(value.slice(1))}`);
        else if (value.includes("url(")) node.setAttribute(key, style(value));
      }
      if (node.matches("svg style")) node.textContent = style(node.textContent);
    }
    for (const image of all("img")) image.src = image.src; // in full
    const styles = all("link[rel=stylesheet]").map(link => { link.remove(); return [link.href, ""]; });
    const mathStyle = document.querySelector("#MJX-SVG-styles")?.textContent ?? "";

    for (const link of all("a[href]")) {
      const [address, place] = link.href.split("#");
      const page = pages[address];
      if (page) {
        link.setAttribute("href", place ? `#${page}.${decodeURIComponent(place)}` : `#${page}`);
        if (page !== name && !link.closest("h1, h2, h3, h4, table")) link.dataset.elsewhere = "";
      } else if (link.href.startsWith("file:")) {
        if (published && link.matches(".reference")) link.href = new URL(link.getAttribute("href"), published).href;
        else link.replaceWith(...link.childNodes);
      }
    }

    // A solution goes to the end of the book; the exercise and it name the sheet of the other.
    const solutions = all(".admonition.solution").map(solution => {
      const exercise = solution.querySelector(".admonition-title a");
      exercise.dataset.elsewhere = "";
      const link = document.createElement("a");
      Object.assign(link, { className: "pdf-solved", textContent: "Solution", href: `#${solution.id}` });
      link.dataset.elsewhere = "";
      article.querySelector(`#${CSS.escape(exercise.hash.slice(1))} > .admonition-title`).append(link);
      solution.remove();
      return solution.outerHTML;
    });
    const words = title => { // once more, elsewhere
      const copy = title.cloneNode(true);
      for (const node of copy.querySelectorAll("[id]")) node.removeAttribute("id");
      return copy.innerHTML;
    };
    const sections = all("h2").map(h2 => ({ html: words(h2), id: h2.closest("section").id }));
    return { html: article.innerHTML, heading: words(heading), sections, solutions, styles, mathStyle };
  },

  // The index, of the pages that are in the book: terms with links that show nothing but the number of a page.
  index({ pages }) {
    for (const link of document.querySelectorAll(".genindextable a")) {
      const [address, place] = link.href.split("#");
      const item = link.closest("li");
      item.term ??= link.innerHTML;
      if (pages[address]) {
        link.setAttribute("href", `#${pages[address]}.${decodeURIComponent(place)}`);
        item.links = [...(item.links ?? []), link.getAttribute("href")];
      }
    }
    const entry = item => {
      const below = [...item.querySelectorAll(":scope > ul > li")].map(entry).join("");
      const words = item.term ?? [...item.childNodes].filter(node => !node.matches?.("ul")).map(node => node.textContent).join("").trim();
      const links = [...new Set(item.links)].map(place => `<a href="${place}"></a>`).join(", ");
      if (!links && !below) return "";
      return `<li><span>${words}</span> ${links}${below && `<ul>${below}</ul>`}</li>`;
    };
    return [...document.querySelectorAll(".genindextable > tbody > tr > td > ul > li")].map(entry).join("");
  },

  // Of the whole: places that links name and nobody has, names that two have, and formulas left as TeX.
  faults() {
    const ids = [...document.querySelectorAll("[id]")].map(node => node.id);
    const known = new Set(ids), seen = new Set();
    const twice = ids.filter(id => seen.has(id) || !seen.add(id));
    const dead = [...document.querySelectorAll("a[href^='#']")].map(link => decodeURIComponent(link.getAttribute("href").slice(1))).filter(id => !known.has(id));
    const unset = [...document.querySelectorAll(".math")].filter(node => !node.querySelector("mjx-container")).map(node => node.textContent);
    return { "no such place": dead, "named twice": twice, "not set": unset };
  },
})
