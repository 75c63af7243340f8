/* Draws the Markdown of an answer block by block; only blocks whose source has changed are drawn again. */
import { marked } from "samrad-marked";
import DOMPurify from "dompurify";

let hljs = null, katex = null, mermaid = null, diagrams = 0;
const escape = (s) => s.replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" }[c]));

function math(name, level, starts, pattern, display) {
  return {
    name, level,
    start: (s) => { const at = starts.map((m) => s.indexOf(m)).filter((i) => i >= 0); return at.length ? Math.min(...at) : undefined; },
    tokenizer: (s) => { const m = pattern.exec(s); return m ? { type: name, raw: m[0], text: (m[1] ?? m[2]).trim() } : undefined; },
    renderer: (t) => display ? `<div class="math" data-display="1">${escape(t.text)}</div>` : `<span class="math">${escape(t.text)}</span>`,
  };
}
/* HTML that a model writes is shown as the text it is, but for a few tags without attributes; so are pictures. */
const HARMLESS = /^<\/?(br|sub|sup|kbd|u|mark)\s*\/?>$/i;
const renderer = {
  html: ({ text }) => (HARMLESS.test(text.trim()) ? text : escape(text)),
  image: ({ text, href }) => escape(text || href),
};
marked.use({ gfm: true, breaks: false, renderer, extensions: [
  math("mathBlock", "block", ["$$", "\\["], /^(?:\$\$([\s\S]+?)\$\$|\\\[([\s\S]+?)\\\])(?:\n|$)/, true),
  math("mathInline", "inline", ["$", "\\("], /^(?:\$(?![\s$])([^$\n]+?)(?<!\s)\$(?!\d)|\\\(([\s\S]+?)\\\))/, false),
] });

/* Answers come from models and documents: no images (they could carry data away), no forms, no styles of their own. */
const purifier = DOMPurify(window);
purifier.addHook("afterSanitizeAttributes", (node) => {
  if (node.tagName === "A") { node.setAttribute("target", "_blank"); node.setAttribute("rel", "noopener noreferrer nofollow"); }
  if (node.tagName === "INPUT") { if (node.getAttribute("type") === "checkbox") node.setAttribute("disabled", ""); else node.remove(); }
});
const RULES = { FORBID_TAGS: ["style", "form", "button", "textarea", "select", "iframe", "img", "picture", "svg", "math", "video", "audio", "source"], FORBID_ATTR: ["style", "id", "name", "src", "srcset", "background"], ALLOW_DATA_ATTR: true };

export class Markdown {
  constructor(element, labels) { this.element = element; this.labels = labels; this.drawn = []; this.sources = 0; this.checks = []; }

  draw(text, open) {
    const all = marked.lexer(text), reference = all.links;
    const tokens = all.filter((t) => t.type !== "space" && t.type !== "def");
    tokens.forEach((token, i) => {
      const state = `${token.raw}\u0000${open && i === tokens.length - 1}\u0000${this.sources}`;
      if (this.drawn[i] === state) return;
      this.drawn[i] = state;
      const block = this.element.children[i] || this.element.appendChild(document.createElement("div"));
      const one = [token]; one.links = reference;
      block.innerHTML = purifier.sanitize(marked.parser(one), RULES);
      this.finish(block, open && i === tokens.length - 1);
    });
    while (this.element.children.length > tokens.length) this.element.lastChild.remove();
    this.drawn.length = tokens.length;
    this.prove();
  }

  /* Beside each marker what became of its statement, with a sign and a word: the markers of a number come in the order of its checks. */
  prove() {
    const waiting = new Map();
    for (const check of this.checks) waiting.set(check.n, [...(waiting.get(check.n) || []), check]);
    for (const marker of this.element.querySelectorAll(".cite")) {
      const check = waiting.get(Number(marker.dataset.n))?.shift();
      if (!check || marker.dataset.citation === String(check.citation)) continue;
      marker.dataset.citation = check.citation;
      marker.classList.add(check.verdict);
      marker.title = check.hint;
      marker.removeAttribute("aria-label");
      const part = (name, text) => Object.assign(document.createElement("span"), { className: name, textContent: text });
      const sign = part("material-icons", check.icon), [before, after] = this.labels.source.split("{n}");
      sign.setAttribute("aria-hidden", "true");
      marker.replaceChildren(part("sr-only", before), marker.dataset.n, part("sr-only", `${after}, `), sign, part("verdict", check.word), part("sr-only", `: ${check.hint}`));
    }
  }

  finish(block, open) {
    for (const pre of block.querySelectorAll("pre")) this.code(pre, open);
    for (const table of block.querySelectorAll("table")) {
      const scroller = document.createElement("div");
      scroller.className = "tablewrap"; scroller.tabIndex = 0; scroller.setAttribute("role", "group"); scroller.setAttribute("aria-label", this.labels.table);
      table.before(scroller); scroller.append(table);
    }
    for (const box of block.querySelectorAll("input")) box.setAttribute("aria-label", this.labels.item);
    this.cite(block);
    this.maths(block.querySelectorAll(".math"));
  }

  cite(block) {
    const walker = document.createTreeWalker(block, NodeFilter.SHOW_TEXT, (n) => n.parentElement.closest("pre, code, a, .math, .cite") ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT);
    const nodes = [];
    while (walker.nextNode()) if (/\[\d{1,3}(, ?\d{1,3})*\]/.test(walker.currentNode.data)) nodes.push(walker.currentNode);
    for (const node of nodes) {
      const parts = node.data.split(/(\[\d{1,3}(?:, ?\d{1,3})*\])/);
      const pieces = parts.flatMap((part, i) => {
        const numbers = i % 2 ? part.match(/\d+/g).map(Number) : [];
        if (!numbers.length || numbers.some((n) => n < 1 || n > this.sources)) return [document.createTextNode(part)];
        return numbers.map((n) => this.marker(n));
      });
      node.replaceWith(...pieces);
    }
  }

  marker(n) {
    const button = document.createElement("button");
    button.type = "button"; button.className = "cite"; button.dataset.n = n; button.textContent = n;
    button.setAttribute("aria-label", this.labels.source.replace("{n}", n));
    return button;
  }

  code(pre, open) {
    const code = pre.querySelector("code") || pre;
    const language = (/language-([\w+#.-]+)/.exec(code.className) || [])[1] || "";
    if (language === "mermaid" && !open) { this.diagram(pre, code.textContent); return; }
    const bar = document.createElement("div"), name = document.createElement("span"), copy = document.createElement("button");
    bar.className = "codebar"; name.textContent = language || this.labels.text;
    copy.type = "button"; copy.className = "copy"; copy.textContent = this.labels.copy;
    copy.onclick = async () => {
      copy.textContent = await window.samradCopy(code.textContent).then(() => this.labels.copied, () => this.labels.notCopied);
      setTimeout(() => (copy.textContent = this.labels.copy), 1500);
    };
    bar.append(name, copy); pre.before(bar);
    pre.tabIndex = 0; pre.setAttribute("role", "group"); pre.setAttribute("aria-label", language || this.labels.text);
    if (!open && language) this.highlight(code, language);
  }

  async highlight(code, language) {
    hljs ??= (await import("samrad-highlight")).default;
    if (hljs.getLanguage(language)) code.innerHTML = purifier.sanitize(hljs.highlight(code.textContent, { language }).value);
  }

  async maths(nodes) {
    if (!nodes.length) return;
    const sources = [...nodes].map((n) => n.textContent);
    if (!katex) { await this.styles(); katex = (await import("samrad-katex")).default; }
    nodes.forEach((node, i) => katex.render(sources[i], node, { throwOnError: false, displayMode: Boolean(node.dataset.display), trust: false, maxExpand: 500, maxSize: 20 }));
  }

  async styles() {
    if (document.getElementById("katex-css")) return;
    await new Promise((resolve) => {
      const link = Object.assign(document.createElement("link"), { id: "katex-css", rel: "stylesheet", href: `${window.path_prefix || ""}/static/vendor/katex/katex.min.css`, onload: resolve, onerror: resolve });
      document.head.append(link);
    });
  }

  async diagram(pre, source) {
    const box = Object.assign(document.createElement("div"), { className: "diagram" });
    box.dataset.source = source; box.setAttribute("role", "img"); box.setAttribute("aria-label", this.labels.diagram);
    try { await drawDiagram(box); pre.replaceWith(box); } catch { this.code(pre, true); }
  }
}

const isDark = () => document.body.classList.contains("body--dark");

async function drawDiagram(box) {
  mermaid ??= (await import("nicegui-mermaid")).mermaid;
  mermaid.initialize({ startOnLoad: false, securityLevel: "strict", theme: isDark() ? "dark" : "neutral", fontFamily: "Inter, system-ui, sans-serif" });
  box.innerHTML = (await mermaid.render(`diagram${diagrams++}`, box.dataset.source)).svg;
}

let drawnDark = isDark();
new MutationObserver(() => {
  if (isDark() === drawnDark) return;
  drawnDark = isDark();
  for (const box of document.querySelectorAll(".diagram")) drawDiagram(box);
}).observe(document.body, { attributes: true, attributeFilter: ["class"] });
