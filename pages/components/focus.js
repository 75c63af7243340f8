const FOCUSABLE = 'a[href], button, input, select, textarea, [tabindex]:not([tabindex="-1"])';
const OVER = ".q-dialog, .q-menu";
const usable = (e) => !e.disabled && e.getAttribute("aria-disabled") !== "true" && e.checkVisibility();
const controls = () => [...document.querySelectorAll(FOCUSABLE)].filter((e) => usable(e) && !e.closest(OVER));
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
      const all = controls(), name = named(target);
      const among = all.filter((e) => named(e) === name).indexOf(target);
      this.last = { target, name, among, place: all.indexOf(target), path: location.pathname };
    };
    this.forget = (e) => { if (!e.target.closest(OVER)) this.last = null; };
    this.look = () => {
      const last = this.last;
      if (!last || last.target.isConnected || document.activeElement !== document.body) return;
      if (this.over?.isConnected || last.path !== location.pathname) return;
      const all = controls(), alike = all.filter((e) => named(e) === last.name);
      const near = alike[Math.min(last.among, alike.length - 1)] || all[Math.min(last.place, all.length - 1)];
      near?.focus({ preventScroll: true });
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
