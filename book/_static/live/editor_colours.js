// The colours of Python as the book has them: pieces of code, each with its class of Pygments. Of the classes of
// one colour one stands for all. A test holds this against Pygments on every cell of the book.

const words = text => new Set(text.split(" "));
const KEYWORDS = words("and as assert async await break class continue def del elif else except finally for from global if import in is lambda nonlocal not or pass raise return try while with yield None True False");
const SELF = words("self cls Ellipsis NotImplemented");
const BUILTINS = words("__import__ abs aiter all any bin bool bytearray breakpoint bytes callable chr classmethod compile complex delattr dict dir divmod enumerate eval filter float format frozenset getattr globals hasattr hash hex id input int isinstance issubclass iter len list locals map max memoryview min next object oct open ord pow print property range repr reversed round set setattr slice sorted staticmethod str sum super tuple type vars zip");
const EXCEPTION = /^(BaseException|Exception|GeneratorExit|KeyboardInterrupt|NotImplementedError|StopIteration|StopAsyncIteration|SystemExit|((Arithmetic|Assertion|Attribute|BlockingIO|BrokenPipe|Buffer|ChildProcess|Connection|ConnectionAborted|ConnectionRefused|ConnectionReset|EOF|Environment|FileExists|FileNotFound|FloatingPoint|IO|Import|Indentation|Index|Interrupted|IsADirectory|Key|Lookup|Memory|ModuleNotFound|Name|NotADirectory|OS|Overflow|Permission|ProcessLookup|Recursion|Reference|Runtime|Syntax|System|Tab|Timeout|Type|Unbound|UnboundLocal|Unicode|UnicodeDecode|UnicodeEncode|UnicodeTranslate|Value|ZeroDivision)Error)|((Bytes|Deprecation|Future|Import|PendingDeprecation|Resource|Runtime|Syntax|Unicode|User|)Warning))$/;

const PIECE = new RegExp(
  [
    String.raw`(?<c1>#[^\n]*)`,
    String.raw`(?<s2>[rRbBuUfF]{0,2}(?:"""|'''|"|'))`,
    String.raw`(?<mi>0[xX][\da-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d[\d_]*)?[jJ]?)`,
    String.raw`(?<nn>(?<=^(?:import|from)[ \t]+)[\p{L}_][\w.]*)`,
    String.raw`(?<n>[\p{L}_][\p{L}\p{N}\p{M}_]*)`,
    String.raw`(?<nd>(?<=^[ \t]*)@[\w.]*)`,
    String.raw`(?<o>[-~+/*%=<>&^|.@!]+)`,
    String.raw`(?<p>[\]{}:(),;[])`,
  ].join("|"),
  "muy",
);

// What `text` is made of, from `start` on: [class or "", text]. Inside an f-string, up to the end of an expression.
function* pieces(text, start = 0, nested = false) {
  let at = start, before = "", depth = 0;
  while (at < text.length) {
    PIECE.lastIndex = at;
    const found = PIECE.exec(text);
    if (!found) {
      const code = String.fromCodePoint(text.codePointAt(at));
      yield ["", code];
      at += code.length;
      continue;
    }
    const [piece] = found;
    let [kind] = Object.entries(found.groups).find(([, part]) => part !== undefined);
    if (nested && depth === 0 && /^[:}]|^![rsa]/.test(text.slice(at, at + 2))) return at;
    if (kind === "s2") {
      at = yield* string(text, at, piece);
      before = "";
      continue;
    }
    if (kind === "p") depth += "([{".includes(piece) - ")]}".includes(piece);
    if (kind === "n") kind = name(piece, before);
    yield [kind, piece];
    at += piece.length;
    before = piece;
  }
  return at;
}

const name = (word, before) => {
  if (before === "def") return "nf";
  if (before === "class") return "nc";
  if (/^__\w+__$/.test(word)) return /^__(name|file|doc|dict|all|class|module|annotations)__$/.test(word) ? "nb" : "nf";
  if (KEYWORDS.has(word)) return "k";
  if (before.endsWith(".") && before !== "...") return "n";
  if (SELF.has(word)) return "bp";
  if (BUILTINS.has(word)) return "nb";
  return EXCEPTION.test(word) ? "ne" : "n";
};

// A string from its opening quotes on, as far as it goes; what an f-string computes has the colours of code.
function* string(text, start, opening) {
  const quotes = opening.replace(/^\w+/, "");
  const raw = /r/i.test(opening), computed = /f/i.test(opening);
  let from = start, at = start + opening.length;
  while (at < text.length) {
    if (text.startsWith(quotes, at)) {
      yield ["s2", text.slice(from, at + quotes.length)];
      return at + quotes.length;
    }
    if (text[at] === "\n" && quotes.length === 1) break; // never closed
    if (text[at] === "\\") at += 2;
    else if (computed && (text.startsWith("{{", at) || text.startsWith("}}", at))) at += 2;
    else if (computed && text[at] === "{") {
      yield ["s2", text.slice(from, at + 1)];
      from = at = yield* pieces(text, at + 1, true); // a width, as in {x:{width}.3f}, comes by the next round
    } else at += 1;
  }
  at = Math.min(at, text.length);
  if (at > from) yield ["s2", text.slice(from, at)];
  return at;
}

const LONGEST = 50_000; // letters that are coloured; a longer cell is shown plain

// The pieces as a reader sees them: neighbours of one colour are one piece.
export function coloured(text) {
  const all = [];
  for (const [kind, piece] of text.length > LONGEST ? [["", text]] : pieces(text)) {
    const colour = ["n", "nn", "p"].includes(kind) ? "" : kind, last = all.at(-1);
    if (last?.[0] === colour) last[1] += piece;
    else all.push([colour, piece]);
  }
  return all;
}
