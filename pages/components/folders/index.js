/* The files that somebody chose or dropped, those in folders with their relative path. */

const clutter = (name) => name.startsWith(".") || name.startsWith("~$") || ["Thumbs.db", "desktop.ini"].includes(name);
const plain = (file, path) => ({ file, path: path || file.name });

export function chosen(files) {
  return [...files].map((file) => plain(file, file.webkitRelativePath)).filter(({ file }) => !clutter(file.name));
}

export async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return chosen(transfer.files);
  const found = [];
  for (const entry of entries) await walk(entry, found);
  return found.filter(({ file }) => !clutter(file.name));
}

async function walk(entry, found) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    found.push(plain(file, entry.fullPath.replace(/^\//, "")));
    return;
  }
  const reader = entry.createReader();
  // A reader gives a hundred at a time.
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return;
    for (const each of some) await walk(each, found);
  }
}
