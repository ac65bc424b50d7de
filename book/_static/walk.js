// The walk on the first page: one step, one episode, or a hundred, and their mean return for each p.
(() => {
  const walk = document.querySelector(".pgt-walk");
  if (!walk) return;
  const find = (selector) => walk.querySelector(selector);
  const places = [...walk.querySelectorAll(".pgt-place")].map((place) => Number(place.getAttribute("cx")));
  places.push(Number(find(".pgt-goal").getAttribute("x")) + 33);
  const slider = find("input");
  const truth = find(".pgt-truth");
  const GOAL = 3;
  const PAUSE = matchMedia("(prefers-reduced-motion: reduce)").matches ? 60 : 320; // milliseconds a step
  let state = 0;
  let steps = 0;
  let timer = null;
  let counts = {}; // by p: how many episodes, how many steps in all of them

  const probability = () => Number(slider.value);
  const say = (words) => (find(".pgt-walk-says").textContent = words);

  // In place 1 right and left are swapped.
  const next = (from, right) => Math.max(0, from + (right !== (from === 1) ? 1 : -1));

  const show = () => find(".pgt-walker").setAttribute("cx", places[state]);

  function record(p, n) {
    const count = (counts[p] ??= { episodes: 0, steps: 0 });
    count.episodes += 1;
    count.steps += n;
  }

  function drawDots() {
    find(".pgt-dots").replaceChildren(
      ...Object.entries(counts).map(([p, { episodes, steps: all }]) => {
        const dot = document.createElementNS("http://www.w3.org/2000/svg", "circle");
        dot.setAttribute("cx", 56 + 440 * p);
        dot.setAttribute("cy", Math.min(178, 10 + 3.4 * (all / episodes)));
        dot.setAttribute("r", 5);
        dot.classList.toggle("pgt-few", episodes < 30);
        return dot;
      }),
    );
  }

  const summary = (p) => {
    const { episodes, steps: all } = counts[p];
    const mean = (all / episodes).toFixed(1);
    return `At p = ${Number(p).toFixed(2)}: ${episodes} ${episodes === 1 ? "episode" : "episodes"}, mean return \u2212${mean}.`;
  };

  function halt() {
    clearInterval(timer);
    timer = null;
  }

  function begin() {
    state = 0;
    steps = 0;
  }

  function step(quietly = false) {
    if (state === GOAL) begin();
    const right = Math.random() < probability();
    state = next(state, right);
    steps += 1;
    show();
    if (state === GOAL) {
      halt();
      record(slider.value, steps);
      drawDots();
      say(`At the goal after ${steps} steps: the return of this episode is \u2212${steps}. ${summary(slider.value)}`);
    } else if (!quietly) {
      say(`Step ${steps}: it went ${right ? "right" : "left"} and is at ${state} now. The return so far is \u2212${steps}.`);
    }
  }

  const actions = {
    step() {
      halt();
      step();
    },
    walk() {
      if (timer) return;
      if (state === GOAL) begin();
      show();
      say("Walking \u2026");
      timer = setInterval(() => step(true), PAUSE);
    },
    many() {
      halt();
      begin();
      for (let episode = 0; episode < 100; episode += 1) {
        let at = 0;
        let n = 0;
        for (; at !== GOAL; n += 1) at = next(at, Math.random() < probability());
        record(slider.value, n);
      }
      show();
      drawDots();
      say(summary(slider.value));
    },
    reveal(button) {
      const shown = button.getAttribute("aria-pressed") === "false";
      button.setAttribute("aria-pressed", shown);
      button.textContent = shown ? "Hide the true curve" : "Show the true curve";
      truth.style.display = shown ? "inline" : "none";
    },
    afresh() {
      halt();
      begin();
      counts = {};
      show();
      drawDots();
      say("The walker stands at 0.");
    },
  };

  walk.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-do]");
    if (button) actions[button.dataset.do](button);
  });
  slider.addEventListener("input", () => {
    // An episode has one p from its first step to its last.
    halt();
    begin();
    show();
    find("output").textContent = probability().toFixed(2);
    say(counts[slider.value] ? summary(slider.value) : "The walker stands at 0.");
  });

  truth.style.display = "none";
  for (const controls of walk.querySelectorAll("[hidden]")) controls.hidden = false;
})();
