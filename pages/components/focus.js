const FOCUSABLE = 'a[href], button, input, select, textarea, [tabindex]:not([tabindex="-1"])';
const OVER = ".q-dialog, .q-menu";
const usable = (e) => !e.disabled && e.getAttribute("aria-disabled") !== "true" && e.checkVisibility();
const controls = (within) => [...within.querySelectorAll(FOCUSABLE)].filter((e) => usable(e) && !e.closest(OVER));
const named = (e) => [e.tagName, e.getAttribute("role"), e.getAttribute("aria-label") || e.textContent.trim()].join("|");

// What is drawn anew takes the focus with it; this gives it to what stands there now: the control of the same name, or
// else of the same place. A dialog or menu that closes hands over to where the focus was before it.
export default {
  template: `<span hidden aria-hidden="true"></span>`,
  mounted() {
    this.last = null;
    this.note = ({ target }) => {
      this.over = target.closest(OVER);
      if (this.over) return;
      const all = controls(document), name = named(target);
      const around = [];
      for (let e = target.parentElement; e; e = e.parentElement) around.push(e);
      this.last = {
        target, name, around, path: location.pathname,
        place: all.indexOf(target), among: all.filter((e) => named(e) === name).indexOf(target),
      };
    };
    this.forget = (e) => { if (!e.target.closest(OVER)) this.last = null; };
    this.look = () => {
      const last = this.last;
      if (!last || last.target.isConnected || document.activeElement !== document.body) return;
      if (this.over?.isConnected || last.path !== location.pathname) return;
      const home = last.around.find((e) => e.isConnected);
      const all = controls(document), alike = all.filter((e) => named(e) === last.name);
      const near = alike[Math.min(last.among, alike.length - 1)] || all[Math.min(last.place, all.length - 1)];
      if (near && home.contains(near)) near.focus({ preventScroll: true });
    };
    this.observer = new MutationObserver(this.look);
    this.observer.observe(document.body, { childList: true, subtree: true });
    document.addEventListener("focusin", this.note);
    document.addEventListener("pointerdown", this.forget, true);
  },
  beforeUnmount() {
    this.observer.disconnect();
    document.removeEventListener("focusin", this.note);
    document.removeEventListener("pointerdown", this.forget, true);
  },
};
