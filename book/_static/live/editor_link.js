// A cell in a link: "#edit-", the id of the cell, "-", and the text, deflated, in the letters of an address.
// What comes in is somebody else's: it is bounded, looked through, shown, and never run by itself.

const LONGEST_LINK = 8_000; // letters after the "#"; more does not pass through every mail and chat
const LONGEST_TEXT = 100_000;

async function through(bytes, stream, most) {
  const reader = new Blob([bytes]).stream().pipeThrough(stream).getReader(), parts = [];
  let length = 0;
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    length += part.value.length;
    if (length > most) {
      reader.cancel().catch(() => {});
      throw new Error("longer than any cell");
    }
    parts.push(part.value);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

// The link to this page with the text of a cell, or null if it would be too long.
export async function link(id, text) {
  const packed = await through(new TextEncoder().encode(text), new CompressionStream("deflate-raw"), Infinity);
  const letters = btoa(String.fromCharCode(...packed)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
  const hash = `#edit-${id}-${letters}`;
  return hash.length > LONGEST_LINK ? null : new URL(hash, location.href).href;
}

// What a link carries: { cell, text }, or { cell, fault } with a sentence.
export async function carried(hash, cells) {
  const inside = cells
    .filter(cell => hash.startsWith(`#edit-${cell.id}-`))
    .sort((a, b) => b.id.length - a.id.length)[0];
  if (!inside) return { fault: "The link carries an edited cell, but this page has no such cell: it may be of another version of the book, or cut off." };
  const letters = hash.slice(`#edit-${inside.id}-`.length);
  const broken = { cell: inside, fault: "A link led here with an edited cell, but it is not whole: it may have been cut off. Ask for it again." };
  if (!/^[\w-]+$/.test(letters) || hash.length > LONGEST_LINK) return broken;
  try {
    const packed = Uint8Array.from(atob(letters.replaceAll("-", "+").replaceAll("_", "/")), letter => letter.charCodeAt(0));
    const bytes = await through(packed, new DecompressionStream("deflate-raw"), LONGEST_TEXT);
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes).replaceAll("\r\n", "\n");
    // Letters that turn the direction of writing make a text run otherwise than it reads.
    if (/[\u0000-\u0008\u000b-\u001f\u007f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/.test(text))
      return { cell: inside, fault: "A link led here with an edited cell, but it holds letters that cannot be seen, and so is not shown." };
    return { cell: inside, text };
  } catch {
    return broken;
  }
}
