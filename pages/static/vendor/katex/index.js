import "./katex.min.js";
export default globalThis.katex;
