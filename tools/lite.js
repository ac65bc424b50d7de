// Says in the notebook page how far Python has come, and what went wrong: without it, cells wait as [*] for ever.
// The kernel runs in a worker and tells the page of its progress; this script listens in. It also lets Python
// import, before the reader runs a cell, what every notebook imports.
(() => {
  const SILENCE = 30; // seconds without a word from the kernel
  // Pyodide's list of matplotlib's fonts has the number of another version: without a change matplotlib reads
  // all its fonts, for seconds, and says so in red. The count of the reader's cells is to begin with 1.
  const WARM = `
async def _warm():
    import importlib.util, json, pathlib
    import piplite
    await piplite.install("pgtlab[symbolic,widgets]")
    fonts = pathlib.Path(importlib.util.find_spec("matplotlib").origin).with_name("fontlist.json")
    manager = fonts.with_name("font_manager.py").read_text()
    number = int(manager.split("__version__ = ", 1)[1].split()[0])
    fonts.write_text(json.dumps({**json.loads(fonts.read_text()), "_version": number}))
    import matplotlib.pyplot, pgtlab.symbolic, pgtlab.widgets
await _warm()
del _warm
get_ipython().execution_count -= 1
`;
  let bar, text, timer;

  const show = (message, state) => {
    if (!bar) {
      bar = document.createElement("div");
      text = document.createElement("span");
      const close = document.createElement("button");
      close.textContent = "Close";
      close.onclick = () => { bar.hidden = true; };
      bar.id = "pgt-status";
      bar.append(text, close);
      const style = document.createElement("style");
      style.textContent = `
        #pgt-status { position: fixed; inset: auto 0 0 0; z-index: 10000; display: flex; gap: 1em; align-items: center;
          justify-content: space-between; padding: .6em 1em; font: 15px/1.4 sans-serif; color: #fff; background: #124f8c; }
        #pgt-status span { min-width: 0; overflow-wrap: anywhere; }
        #pgt-status[hidden] { display: none; }
        #pgt-status[data-state=slow] { background: #6b4a00; }
        #pgt-status[data-state=failed] { background: #8f1d1d; }
        #pgt-status[data-state=ready] { background: #1d5c2e; }
        #pgt-status button { flex: none; font: inherit; color: inherit; background: none; border: 1px solid; border-radius: 4px; }`;
      document.head.append(style);
      const add = () => document.body.append(bar);
      if (document.body) add();
      else document.addEventListener("DOMContentLoaded", add);
    }
    bar.hidden = false;
    bar.dataset.state = state;
    bar.setAttribute("role", state === "failed" ? "alert" : "status");
    text.textContent = message;
  };

  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(() => show(
      `Python has not come further for ${SILENCE} seconds. A slow line or a slow machine needs patience; else see `
      + "whether this browser may fetch Python (a firewall or a blocker may forbid it), and load the page again.",
      "slow"), SILENCE * 1000);
  };

  const failed = reason => {
    clearTimeout(timer);
    show(`Python did not start, and the cells will not run: ${reason} See whether you are online and whether this `
      + "browser may fetch Python (a firewall or a blocker may forbid it), then load the page again.", "failed");
  };

  const ready = () => {
    clearTimeout(timer);
    show("Python is ready. Run the cells from the top.", "ready");
    setTimeout(() => { if (bar.dataset.state === "ready") bar.hidden = true; }, 6000);
  };

  const warm = async () => {
    let kernel;
    while (!(kernel = window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel))
      await new Promise(resolve => setTimeout(resolve, 20));
    const { done } = kernel.requestExecute({ code: WARM, silent: true, store_history: false });
    document.documentElement.dataset.pgtWarm = "asked for"; // a cell that is run now comes after it
    await done;
  };

  const sentence = reason => String(reason).trim().split("\n").pop().replace(/[.]*$/, ".");

  window.Worker = class extends Worker {
    constructor(url, options) {
      super(url, options);
      // The other kind of worker, for pages that are isolated, tells its progress in another way.
      if (!String(url).includes("pyodide-kernel") || window.crossOriginIsolated) return;
      let started = false;
      show("Python is on its way into this browser. The first time takes longest; cells wait until it is here.", "starting");
      wait();
      const warmed = warm();
      this.addEventListener("error", event => failed(sentence(event.message || "its worker could not be loaded")));
      this.addEventListener("message", ({ data }) => {
        const log = data?._logMessage;
        if (log?.level === "critical") failed(sentence(log.data));
        else if (log && !started) {
          show(`Python is on its way into this browser: ${log.data}`, "starting");
          wait();
        } else if (data?.id && data.type && !started) { // the answer to the page's request to start
          started = true;
          if (data.name === "throw") failed(sentence(data.value?.value?.message));
          else warmed.then(ready);
        }
      });
    }
  };
})();
