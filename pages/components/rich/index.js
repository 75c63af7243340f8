/* An answer as other programs take it from the clipboard: formatted, and as plain text, each with its sources. */
export async function copyRich(prose, answer, sources, heading) {
  const lines = sources.map((s) => [`[${s.n}] ${s.title}`, s.where, s.url].filter(Boolean).join(" · "));
  const plain = lines.length ? `${answer}\n\n${heading}\n${lines.join("\n")}` : answer;
  await window.samradCopy(plain, formatted(prose, lines, heading));
}

/* What is drawn without what only the page needs; `prose` has been sanitised, and the sources go in as text. */
function formatted(prose, lines, heading) {
  const box = prose.cloneNode(true);
  for (const marker of box.querySelectorAll(".cite")) marker.replaceWith(`[${marker.dataset.n}]`);
  for (const part of box.querySelectorAll(".codebar, button, input, svg")) part.remove();
  for (const formula of box.querySelectorAll(".katex")) formula.replaceWith(formula.querySelector("annotation")?.textContent || formula.textContent);
  for (const part of box.querySelectorAll("*")) for (const name of part.getAttributeNames()) if (name !== "href") part.removeAttribute(name);
  if (lines.length) {
    const title = document.createElement("p"), list = document.createElement("ul");
    title.append(Object.assign(document.createElement("strong"), { textContent: heading }));
    for (const line of lines) list.append(Object.assign(document.createElement("li"), { textContent: line }));
    box.append(title, list);
  }
  return box.innerHTML;
}
