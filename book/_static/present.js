// The chapter as slides. The blocks of the page that a lecturer projects are shown one screen at a time, and the rest
// waits: nothing is copied, so figures play, predictions are answered and formulas are set as in the page.
// "#slide-7" opens the seventh; Escape leads back into the page, to where the slide is from.
(() => {
  const root = document.documentElement;
  const article = document.querySelector("article.bd-article");
  const title = article?.querySelector("h1");
  if (!title) return;

  const SHOWN = [
    "div.math", ".proof", ".pgt-predict", ".pgt-reason-place", ".pgt-explore", "figure", "img", "table", ".pgt-proof",
    ".pgt-walk",
  ].join(", ");
  const LISTS = ["summary", "you-know-it-when"]; // sections whose list is what they say
  const LEFT_OUT = ["exercises", "further-reading"];
  const heading = block => block.parentElement.querySelector(":scope > h1, :scope > h2, :scope > h3");

  // The blocks of the page in order, without those that only the page shows: prose, code, checks.
  const blocks = () => [...article.querySelectorAll("section > *")].filter(block => {
    const section = block.parentElement;
    if (!heading(block)) return false; // a section of a figure's own
    if (block.matches("section, h1, h2, h3, h4, script, aside, .pgt-live, .pgt-run, .pgt-run-file")) return false;
    if (LEFT_OUT.includes(section.closest("section section")?.id)) return false;
    if (block.matches("div.cell")) return !block.matches(".tag_audit, .tag_hide-cell") && block.querySelector(SHOWN);
    if (block.matches("ul, ol")) return section === title.parentElement || LISTS.includes(section.id);
    return block.matches(SHOWN) || block.querySelector(":scope " + SHOWN) || lead(block);
  });

  // A paragraph that begins in bold names what follows: its first words stand as the line under the heading.
  const lead = block => {
    const first = block.matches("p") && block.firstChild;
    return first?.nodeName === "STRONG" ? first : null;
  };

  let slides = []; // of { heading, blocks }
  let now = -1;
  const clear = () => {
    for (const each of article.querySelectorAll(".pgt-on-slide")) each.classList.remove("pgt-on-slide");
    for (const each of article.querySelectorAll(".pgt-slide-lead")) each.classList.remove("pgt-slide-lead");
    for (const each of article.querySelectorAll("[style*='zoom']")) each.style.zoom = "";
  };
  const mark = each => {
    each.classList.add("pgt-on-slide");
    if (lead(each)) each.classList.add("pgt-slide-lead");
  };

  // As many blocks a slide as fit below its heading.
  const cut = () => {
    clear();
    const all = blocks();
    for (const each of all) mark(each);
    for (const each of all) heading(each).classList.add("pgt-on-slide");
    const height = each => each.getBoundingClientRect().height + 16;
    const room = innerHeight - 96;
    slides = [];
    let left = 0;
    let together = false; // a question, its figure and its reason
    for (const each of all) {
      const last = slides.at(-1);
      const asks = each.matches(".pgt-predict");
      const full = height(each) > left || asks || lead(each);
      if (!last || last.heading !== heading(each) || (full && !together && !last.blocks.every(lead))) {
        slides.push({ heading: heading(each), blocks: [each] });
        left = room - height(heading(each)) - height(each);
      } else {
        last.blocks.push(each);
        left -= height(each);
      }
      if (asks) together = true;
      if (each.matches(".pgt-reason-place")) together = false;
    }
    slides = slides.filter(slide => !slide.blocks.every(lead)); // the name of a step alone is no slide
    clear();
  };

  const make = (name, properties, ...children) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  };
  const count = make("output", {});
  const button = (text, label, act) => {
    const made = make("button", { type: "button", textContent: text, title: label });
    made.setAttribute("aria-label", label);
    made.addEventListener("click", act);
    return made;
  };
  const bar = make("nav", { className: "pgt-present-bar", hidden: true },
    button("‹", "Slide before", () => show(now - 1)), count, button("›", "Next slide", () => show(now + 1)),
    button("Back to the page", "Back to the page (Escape)", () => leave()));
  bar.setAttribute("aria-label", "Slides");
  document.body.append(bar);

  const show = wanted => {
    now = Math.min(Math.max(wanted, 0), slides.length - 1);
    clear();
    const { heading, blocks } = slides[now];
    heading.classList.add("pgt-on-slide");
    for (const each of blocks) mark(each);
    // What is too high for the screen shrinks a little, then it scrolls.
    for (let zoom = 0.9; zoom > 0.65 && root.scrollHeight > innerHeight; zoom -= 0.1)
      for (const each of blocks) each.style.zoom = zoom;
    count.textContent = `${now + 1} of ${slides.length}`;
    history.replaceState(null, "", `#slide-${now + 1}`);
    scrollTo(0, 0);
  };

  const enter = async wanted => {
    await window.MathJax?.startup?.promise;
    root.classList.add("pgt-present");
    bar.hidden = false;
    cut();
    show(wanted);
  };

  const leave = () => {
    const place = slides[now]?.blocks[0];
    root.classList.remove("pgt-present");
    bar.hidden = true;
    clear();
    now = -1;
    history.replaceState(null, "", location.pathname + location.search);
    place?.scrollIntoView({ block: "center" });
    opener.focus({ preventScroll: true });
  };

  const opener = button("Show as slides", "Show this chapter as slides", () => enter(0));
  opener.className = "pgt-present-open";
  opener.removeAttribute("aria-label");
  opener.title = "To project: arrow keys turn, Escape leads back";
  (article.querySelector(".pgt-run") ?? title).after(opener);

  addEventListener("keydown", event => {
    if (now < 0 || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === "Escape") return leave();
    const typed = event.target.closest?.("input, select, textarea, [contenteditable], [role=slider]");
    const pressed = event.target.closest?.("button, summary, a, label");
    if (typed && !["PageUp", "PageDown"].includes(event.key)) return;
    if (pressed && event.key === " ") return;
    const to = {
      ArrowRight: now + 1, PageDown: now + 1, " ": now + 1, ArrowLeft: now - 1, PageUp: now - 1,
      Home: 0, End: slides.length - 1,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    show(to);
  });
  let waits;
  addEventListener("resize", () => {
    if (now < 0) return;
    clearTimeout(waits);
    waits = setTimeout(() => { // stay with what is shown
      const first = slides[now].blocks[0];
      cut();
      show(slides.findIndex(slide => slide.blocks.includes(first)));
    }, 150);
  });
  const wanted = () => Number(location.hash.match(/^#slide-(\d+)$/)?.[1] ?? 0);
  const follow = () => { if (wanted()) enter(wanted() - 1); };
  addEventListener("hashchange", follow);
  addEventListener("load", follow);
})();
