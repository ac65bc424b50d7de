// Says in the notebook page how far Python has come, and what went wrong: without it, cells wait as [*] for ever.
// The kernel runs in a worker and tells the page of its progress; this script listens in. It also lets Python
// import, before the reader runs a cell, what every notebook imports.
(() => {
  const SILENCE = 30; // seconds without a word from the kernel
  // Pyodide's list of matplotlib's fonts has the number of another version: without a change matplotlib reads
  // all its fonts, for seconds, and says so in red. The number stands in the class FontManager, which is read as
  // code: a distribution need not hold the source. The count of the reader's cells is to begin with 1.
  const WARM = `
async def _warm():
    import dis, importlib.util, json, pathlib, types
    import piplite
    await piplite.install("pgtlab[symbolic,widgets]")
    spec = importlib.util.find_spec("matplotlib.font_manager")
    code = spec.loader.get_code(spec.name)
    (code,) = (c for c in code.co_consts if isinstance(c, types.CodeType) and c.co_name == "FontManager")
    steps = list(dis.get_instructions(code))
    (number,) = (a.argval for a, b in zip(steps, steps[1:]) if b.opname == "STORE_NAME" and b.argval == "__version__")
    fonts = pathlib.Path(spec.origin).with_name("fontlist.json")
    fonts.write_text(json.dumps({**json.loads(fonts.read_text()), "_version": number}))
    import matplotlib.pyplot, pgtlab.letters, pgtlab.widgets
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

  const until = async condition => {
    let value;
    while (!(value = condition())) await new Promise(resolve => setTimeout(resolve, 20));
    return value;
  };

  // The page itself starts Python when the whole notebook is drawn, seconds later. Started here, it comes up
  // meanwhile, and the notebook finds it as the session of its path.
  const begin = async () => {
    const path = new URLSearchParams(location.search).get("path");
    if (!path) return;
    const { sessions } = await until(() => {
      const services = window.jupyterapp?.serviceManager;
      return services?.kernelspecs?.specs?.kernelspecs?.python && services;
    });
    const session = { path, name: path.split("/").pop(), type: "notebook", kernel: { name: "python" } };
    // Of several connections to a kernel one handles what widgets send: leave it to the notebook's.
    await sessions.startNew(session, { kernelConnectionOptions: { handleComms: false } });
  };

  const warm = async () => {
    const kernel = await until(() => window.jupyterapp?.shell?.currentWidget?.sessionContext?.session?.kernel);
    // Were this to fail, cells that wait behind it would be dropped; so the first of them tells the reader why.
    const request = { code: WARM, silent: true, store_history: false, stop_on_error: false };
    const { done } = kernel.requestExecute(request);
    document.documentElement.dataset.pgtWarm = "asked for"; // a cell that is run now comes after it
    return (await done).content;
  };

  // A browser that blocks the data of sites throws at the question. The page then opens no notebook and starts no
  // Python, and whatever it says later would lead astray.
  try {
    void window.localStorage;
  } catch {
    show("This browser keeps no data for this site, and without them the notebook can neither be opened nor run. Allow "
      + "cookies and site data for this address in the browser's settings, then load the page again.", "failed");
    return;
  }

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
          else warmed.then(reply => reply.status === "ok" ? ready() : failed(sentence(reply.evalue)));
        }
      });
    }
  };

  // A link to another page of the book, or to a place in it by its name, would lead to a file that is not here.
  const showPage = async place => {
    const [path, hash] = place.split("#");
    const places = await fetch("places.json").then(answer => answer.json());
    const page = /[.](ipynb|md)$/.test(path)
      ? path.replace(/[.]\w+$/, ".html") + (hash ? `#${hash}` : "")
      : places[path.split("/").pop()];
    window.open(new URL(`../../${page}`, location.href), "_blank");
  };

  document.addEventListener("click", event => {
    const link = event.target.closest?.(".jp-Notebook a[href]");
    const files = new URL("../files/", location.href).href;
    if (!link?.href.startsWith(files)) return;
    event.preventDefault();
    event.stopPropagation(); // the page would look for the file in its list
    showPage(link.href.slice(files.length));
  }, true);

  begin().catch(() => {}); // the page then starts Python itself, and says what is wrong
})();
