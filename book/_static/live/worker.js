// One Python for one page. The page sends { id, call, with }; each call is answered by { id, answer } or
// { id, failed }, in the order in which they came. What a cell shows while it runs comes between, as { event }.
let python, notebook, started = 0, finished = 0;

// The files are counted on their way, and one that does not come is an answer: Pyodide itself would wait for ever.
const fetched = self.fetch.bind(self);
let lost;
const missing = new Promise((_, reject) => { lost = reject; });
missing.catch(() => {});
self.fetch = async (...what) => {
  started++;
  try {
    const answer = await fetched(...what);
    if (!answer.ok) throw new Error(`${answer.status}`);
    finished++;
    postMessage({ event: "fetching", started, finished });
    return answer;
  } catch (error) {
    const failed = new FetchError(String(what[0].url ?? what[0]));
    lost(failed);
    throw failed;
  }
};
class FetchError extends Error {
  constructor(url) { super(`${url} could not be fetched`); this.name = "FetchError"; }
}

const PREPARE = `
import json, os
os.environ.update(MPLBACKEND="module://pgtlive.figures", PGTLAB_EXPLORE="page")
from js import postMessage
from pyodide.ffi import to_js
from pgtlive import cells, packages, shown

def emit(kind, **what):
    postMessage(json.dumps({"event": kind, **what}, default=str))

notebook = cells.Notebook(emit)
shown.ipython(notebook.display)

class Answers:
    def read(self, given):
        notebook.read(json.loads(given))
    def keys(self, given):
        return json.dumps(notebook.keys(json.loads(given)))
    def behind(self, id, source):
        return notebook.behind(id, source)
    def plan(self, id):
        return json.dumps(notebook.plan(id))
    async def run(self, id, whole):
        return json.dumps(await notebook.run(id, whole), default=str)
    def frame(self, id, values):
        return json.dumps(notebook.frame(id, json.loads(values)), default=str)
    def loaded(self):
        packages.loaded()

Answers()
`;

async function start({ pyodide, wheel, modules, packages }) {
  const files = Promise.all([wheel, ...modules].map(async url => (await self.fetch(url)).arrayBuffer()));
  files.catch(() => {});
  try {
    importScripts(pyodide);
  } catch {
    throw new FetchError(pyodide);
  }
  python = await Promise.race([missing, loadPyodide({ packages, fullStdLib: false })]);
  const [archive, ...sources] = await files;
  const site = python.runPython("import site; site.getsitepackages()[0]");
  python.unpackArchive(archive, "zip", { extractDir: site });
  python.FS.mkdirTree(`${site}/pgtlive`);
  modules.forEach((url, i) => python.FS.writeFile(`${site}/pgtlive/${url.split("/").pop().split("?")[0]}`, new Uint8Array(sources[i])));
  for (const name of packages) if (!python.loadedPackages[name]) throw new FetchError(name);
  python.runPython("import importlib; importlib.invalidate_caches()");
  notebook = python.runPython(PREPARE);
  notebook.loaded();
}

// Load what these modules belong to, as far as Pyodide has it; true if something came.
async function load(modules) {
  const before = Object.keys(python.loadedPackages).length;
  let failed;
  const text = modules.map(name => `import ${name}\n`).join("");
  await python.loadPackagesFromImports(text, {
    messageCallback: () => {},
    errorCallback: message => { failed ??= message; },
  });
  if (failed) throw new FetchError(failed.replace(/^.*while loading (\S+?):?$/s, "$1"));
  const came = Object.keys(python.loadedPackages).length > before;
  if (came) notebook.loaded();
  return came;
}

async function runOne(id, whole) {
  for (let tries = 0; ; tries++) {
    postMessage({ event: "begin", cell: id });
    const answer = JSON.parse(await notebook.run(id, whole));
    // A package that the library imports by itself comes now, and the cell runs again: it works on copies.
    if (answer.missing && tries < 5 && await load([answer.missing])) continue;
    postMessage({ event: "end", cell: id, answer });
    return answer;
  }
}

async function run({ id, cells }) {
  notebook.read(JSON.stringify(cells));
  const { order, modules } = JSON.parse(notebook.plan(id));
  await load(modules);
  let answer;
  for (const each of order) {
    answer = await runOne(each, each === id);
    if (!answer.ok) break;
  }
  return { ...answer, ran: order.slice(0, -1) };
}

const calls = {
  start,
  run,
  evaluate({ id, cells, code }) {
    notebook.read(JSON.stringify(cells));
    return run({ id: notebook.behind(id, code), cells: null });
  },
  keys({ ids, cells }) {
    notebook.read(JSON.stringify(cells));
    return JSON.parse(notebook.keys(JSON.stringify(ids)));
  },
  frame: ({ id, values }) => JSON.parse(notebook.frame(id, JSON.stringify(values))),
};

// A Python that ends itself, as by os._exit, leaves its call without an answer: that is one too.
let gone;
const ended = new Promise((_, reject) => { gone = reject; });
ended.catch(() => {});
self.addEventListener("unhandledrejection", ({ reason }) => gone(reason ?? new Error("Python has ended")));

let before = Promise.resolve();
onmessage = ({ data: { id, call, given } }) => {
  before = before.then(async () => {
    try {
      postMessage({ id, answer: await Promise.race([ended, calls[call](given)]) });
    } catch (error) {
      // A Python that runs outlives a package that did not come; after anything else the page will start another.
      const fetch = error instanceof FetchError;
      postMessage({ id, failed: { fetch, alive: fetch && Boolean(notebook) } });
    }
  });
};
