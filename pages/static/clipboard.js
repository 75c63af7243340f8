/* Puts text (and, where given, the same as HTML) on the clipboard; fails when the browser does not let it.
   Browsers keep their clipboard from pages that came over plain HTTP; those copy as a press of Ctrl+C would. */
window.samradCopy = async (text, html) => {
  const kinds = html ? { "text/plain": text, "text/html": html } : { "text/plain": text };
  if (navigator.clipboard) {
    if (!html) return navigator.clipboard.writeText(text);
    const parts = Object.entries(kinds).map(([type, value]) => [type, new Blob([value], { type })]);
    return navigator.clipboard.write([new ClipboardItem(Object.fromEntries(parts))]);
  }
  let copied = false;
  const fill = (event) => {
    for (const [type, value] of Object.entries(kinds)) event.clipboardData.setData(type, value);
    event.preventDefault();
    event.stopPropagation();
    copied = true;
  };
  document.addEventListener("copy", fill, true);
  document.execCommand("copy");
  document.removeEventListener("copy", fill, true);
  if (!copied) throw new Error("The browser does not let the page copy.");
};
