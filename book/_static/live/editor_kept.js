// What a reader typed, kept in this browser: an entry a cell, so that two pages never write over each other's cells.
// An entry is { text, book, was }: the text, the sum of the book's text that it was made from, and a text of the
// reader's that it took the place of, so that nothing typed is lost. No text: the book's stands.

const sum = text => {
  let all = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) all = Math.imul(all ^ text.charCodeAt(i), 0x01000193);
  return (all >>> 0).toString(36);
};

export function keeper(prefix) {
  const read = value => {
    try {
      const { text, book, was } = JSON.parse(value);
      const good = [text, was].every(each => each === undefined || typeof each === "string");
      return good ? { text, book, was } : {};
    } catch {
      return {}; // not ours, or nothing
    }
  };
  return {
    blocked: false,
    get(cell) {
      try {
        const entry = read(localStorage.getItem(prefix + cell.id));
        return { ...entry, older: entry.text !== undefined && entry.book !== sum(cell.original) };
      } catch {
        return {};
      }
    },
    put(cell, { text, was }) {
      try {
        if (text === undefined && was === undefined) localStorage.removeItem(prefix + cell.id);
        else localStorage.setItem(prefix + cell.id, JSON.stringify({ text, book: sum(cell.original), was }));
        this.blocked = false;
      } catch {
        this.blocked = true; // private, full, or forbidden
      }
    },
    // Call `changed(id)` when another page of this browser writes.
    listen(changed) {
      addEventListener("storage", event => {
        if (event.key?.startsWith(prefix)) changed(event.key.slice(prefix.length));
      });
    },
  };
}
