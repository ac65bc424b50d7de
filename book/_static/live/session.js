// What a press starts: one worker with one Python, and the way of a cell through it. One job runs at a time.
const MODULES = ["__init__.py", "names.py", "page.py", "cells.py", "shown.py", "figures.py", "packages.py"];
const SILENCE = 45; // seconds without a word from Python while it starts
const OFFLINE = "Python could not be fetched. Are you offline, or does a firewall or a blocker stop it? Run the cell again when that has changed.";
const LATER = "A package that this cell needs could not be fetched. Are you offline, or does a firewall or a blocker stop it? Python is still here: run the cell again when that has changed.";
const DEAD = "Python has stopped: the code has ended it, or it wanted more memory than there is. What you typed is still there; run the cell again, and it starts afresh.";

export async function start({ live, settings, base, make }) {
  // The files of one version: after a new build a browser may have some of the old.
  const fetched = name => import(new URL(`${name}?${settings.version}`, base));
  const [{ Result, inert }, { LiveFigure }] = await Promise.all([fetched("output.js"), fetched("figure.js")]);
  let worker = null, ready = null, calls = new Map(), number = 0;
  let jobs = Promise.resolve(), waiting = 0, active = null, generation = 0, listening = null, touches = 0, later;

  // --- the worker ---

  const address = path => new URL(path, document.baseURI).href;

  function ask(call, given) {
    const id = ++number;
    return new Promise((resolve, reject) => {
      calls.set(id, { resolve, reject });
      worker.postMessage({ id, call, given });
    });
  }

  function end(error) {
    worker?.terminate();
    const open = [...calls.values()];
    [worker, ready, calls] = [null, null, new Map()];
    for (const { reject } of open) reject(error);
  }

  function python(packages) {
    if (ready) return ready;
    worker = new Worker(new URL(`worker.js?${settings.version}`, base));
    let patience, starting = true;
    const hope = () => {
      clearTimeout(patience);
      if (starting) patience = setTimeout(() => end({ sentence: OFFLINE }), SILENCE * 1000);
    };
    worker.onerror = event => { event.preventDefault(); end({ sentence: event.message ? DEAD : OFFLINE }); };
    worker.onmessage = ({ data }) => {
      const message = typeof data === "string" ? JSON.parse(data) : data;
      if (message.event === "fetching") { hope(); listening?.fetching(message); return; }
      if (message.event) { listening?.event(message); return; }
      const call = calls.get(message.id);
      calls.delete(message.id);
      if (!message.failed) call?.resolve(message.answer);
      else {
        const { fetch, alive } = message.failed;
        const error = { sentence: alive ? LATER : fetch ? OFFLINE : DEAD };
        if (!alive) end(error);
        call?.reject(error);
      }
    };
    hope();
    ready = ask("start", {
      pyodide: address(settings.pyodide), wheel: address(settings.wheel), packages,
      modules: MODULES.map(name => new URL(`pgtlive/${name}?${settings.version}`, base).href),
    }).finally(() => { starting = false; clearTimeout(patience); });
    ready.catch(() => {});
    return ready;
  }

  // What to fetch while Python starts: what the build found for the cell, and what its text says if it was edited.
  function packages(cells) {
    const found = new Set(["numpy"]);
    for (const cell of cells) {
      for (const name of settings.packages?.[cell.id] ?? []) found.add(name);
      if (cell.source !== cell.original)
        for (const [, name] of cell.source.matchAll(/^\s*(?:import|from)\s+(matplotlib|sympy|scipy)\b/gm)) found.add(name);
    }
    return [...found];
  }

  const described = () => live.cells.map(({ id, source, aside }) => ({ id, source, aside }));

  // --- one job after the other ---

  function job(cell, work) {
    waiting++;
    const mine = generation;
    const done = jobs.then(async () => {
      if (mine !== generation) return { ok: false, error: null };
      try {
        return await work();
      } catch (error) {
        if (mine === generation) active?.failed(error);
        else return { ok: false, error: null };
        if (!error.sentence) throw error;
        return { ok: false, error: { cell: cell?.id, line: null, name: "", message: error.sentence } };
      } finally {
        if (mine === generation) { // else all was stopped since, and another job may be under way
          waiting--;
          active = listening = null;
          live.busy(waiting > 0);
        }
      }
    });
    jobs = done.catch(() => {});
    live.busy(true);
    return done;
  }

  // A cell on its way: what the line under it says, and what is shown of each cell that runs for it.
  class Way {
    constructor(cell, quiet = false) {
      Object.assign(this, { cell, quiet, results: new Map() });
      this.sources = Object.fromEntries(live.cells.map(each => [each.id, each.source]));
    }

    say(words, ...buttons) { if (!this.quiet) this.cell.say(words, ...buttons); }

    fetching({ started, finished }) {
      if (!this.results.size) this.say(`Python is coming: ${finished} of ${started} files.`, stopButton());
    }

    event(message) {
      if (message.event === "begin") {
        const cell = live.cell(message.cell);
        this.now = message.cell;
        this.results.set(message.cell, new Result(cell ?? this.cell, make));
        if (cell && cell !== this.cell) this.say(`Running cell ${live.cells.indexOf(cell) + 1}, which this one needs.`, stopButton());
        else this.say("Running.", stopButton());
        if (cell === this.cell && !this.quiet) this.cell.set("running");
      } else if (message.event === "end") {
        const result = this.results.get(message.cell);
        const cell = live.cell(message.cell);
        if (cell && cell !== this.cell && !this.quiet && (cell.edited || cell.shown || !message.answer.ok))
          show(cell, result, message.answer, this, []);
      } else {
        const result = this.results.get(this.now);
        result?.take(message);
        if (this.now === this.cell.id && !this.quiet) result.place();
      }
    }

    failed(error) {
      if (this.quiet) return;
      this.cell.set("failed", null);
      this.say(error.sentence ?? DEAD);
    }
  }

  const button = (text, press) => {
    const made = make("button", { type: "button", textContent: text });
    made.addEventListener("click", press);
    return made;
  };
  const stopButton = () => button("Stop", () => session.stop());
  const seconds = ms => ms < 950 ? `${Math.max(0.1, ms / 1000).toFixed(1)} s` : `${(ms / 1000).toFixed(ms < 9500 ? 1 : 0)} s`;

  function show(cell, result, answer, way, ran) {
    const used = [...(answer.needs ?? []), cell.id];
    cell.from = Object.fromEntries(used.map(id => [id, way.sources[id]]));
    cell.key = answer.key;
    cell.record = result.record;
    const asBook = used.every(id => { const each = live.cell(id); return each && !each.aside && way.sources[id] === each.original; });
    result.settle({ answer, asBook, live, figure: (place, explored) => new LiveFigure({ place, explored, cell, ask, make, inert }) });
    const back = button("Show the book’s output", () => session.restore(cell));
    const also = ran.length ? ` ${ran.length === 1 ? "One cell" : `${ran.length} cells`} above ran first.` : "";
    if (!answer.ok) cell.say("Your run ended with an error.", back);
    else if (result.keepsBook) cell.say(`You ran this cell in ${seconds(1000 * answer.seconds)}.${also} ${result.explored ? "The figure is the book’s, whose code is the same: change it, and the sliders ask Python." : "The result is the book’s."}`);
    else cell.say(`Your result, in ${seconds(1000 * answer.seconds)}.${also}`, back);
    cell.set(answer.ok ? "done" : "failed", answer.error);
  }

  const session = {
    async run(cell) {
      if (["running", "waiting"].includes(cell.state)) return { ok: false, error: null };
      if (cell.state !== "running" && waiting) { cell.set("waiting"); cell.say("Waiting for the cell that runs.", stopButton()); }
      return job(cell, async () => {
        const way = active = listening = new Way(cell);
        cell.set("waiting");
        way.say(ready ? "Running." : "Python is coming.", stopButton());
        await python(packages([cell, ...live.cells.filter(each => each.edited)]));
        const answer = await ask("run", { id: cell.id, cells: described() });
        const result = way.results.get(answer.cell);
        if (answer.error?.name === "MemoryError") end({ stopped: true }); // what it took is given back only so
        if (answer.cell === cell.id) show(cell, result, answer, way, answer.ran);
        else {
          cell.set("failed", answer.error);
          cell.say(make("span", {}, "A cell that this one needs ended with an error: ",
            make("a", { href: `#cell-${answer.cell}`, textContent: `cell ${live.cells.indexOf(live.cell(answer.cell)) + 1}` }), "."));
        }
        return { ok: answer.ok, error: answer.error };
      });
    },

    evaluate(cell, code) {
      return job(cell, async () => {
        const way = active = listening = new Way(cell, true);
        await python(packages([cell]));
        const answer = await ask("evaluate", { id: cell.id, cells: described(), code });
        const text = way.results.get(answer.cell)?.text ?? "";
        return { ok: answer.ok, text, error: answer.error };
      });
    },

    async runAll() {
      if (!ready) python(packages(live.cells));
      for (const cell of live.cells) {
        if (cell.aside) continue;
        const { ok } = await session.run(cell);
        if (!ok) { cell.element.scrollIntoView({ block: "center" }); return { ok, error: null }; }
      }
      return { ok: true, error: null };
    },

    // Nothing else ends a loop in a page that is not isolated from others: the worker goes, and another comes.
    stop() {
      generation++;
      waiting = 0;
      active = listening = null;
      const stopped = live.cells.filter(cell => ["running", "waiting"].includes(cell.state));
      const had = ready;
      end({ stopped: true });
      jobs = Promise.resolve();
      for (const cell of stopped) {
        cell.set("stopped");
        cell.say("Stopped. What cells had computed is computed again when it is needed.",
          ...(cell.shown ? [button("Show the book’s output", () => session.restore(cell))] : []));
      }
      live.busy(false);
      if (had && stopped.length) python(["numpy"]);
    },

    startAfresh() {
      session.stop();
      for (const cell of live.cells) session.restore(cell);
      end({ stopped: true });
    },

    restore(cell) {
      cell.shown?.remove();
      cell.shown = cell.from = cell.key = null;
      for (const book of cell.element.querySelectorAll(".cell_output:not(.pgt-live-output)")) book.hidden = false;
      cell.note.hidden = true;
      cell.set("book");
    },

    // A change of a source makes old what was computed from it; Python knows too when a cell now uses another.
    async touch() {
      const shown = live.cells.filter(cell => cell.from), mine = ++touches;
      const mark = cell => {
        const old = Object.entries(cell.from).some(([id, source]) => live.cell(id)?.source !== source);
        if (old !== (cell.state === "stale") && ["done", "failed", "stale"].includes(cell.state)) setStale(cell, old);
      };
      shown.forEach(mark);
      if (!worker || waiting) return;
      clearTimeout(later);
      later = setTimeout(() => job(null, async () => {
        if (!worker) return;
        const keys = await ask("keys", { ids: shown.map(cell => cell.id), cells: described() });
        if (mine !== touches) return; // another change since
        for (const cell of shown)
          if (cell.from && ["done", "stale"].includes(cell.state) && (keys[cell.id] !== cell.key) !== (cell.state === "stale"))
            setStale(cell, keys[cell.id] !== cell.key);
      }), 400);
    },
  };

  function setStale(cell, old) {
    cell.before ??= cell.note.firstChild?.textContent;
    cell.set(old ? "stale" : "done");
    cell.say(old ? "Your result, from before a change: run it again." : cell.before,
      button("Show the book’s output", () => session.restore(cell)));
    if (!old) cell.before = null;
  }

  window.addEventListener("pagehide", () => end({ stopped: true }));
  // A page that comes back from the cache of pages has lost its Python, and starts another when a cell runs.
  window.addEventListener("pageshow", event => { if (event.persisted) session.stop(); });
  return session;
}
