export default {
  template: `<span hidden aria-hidden="true"></span>`,
  props: { keys: Object },
  mounted() {
    this.listen = (e) => {
      const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(e.target.tagName) || e.target.isContentEditable;
      const combination = (e.ctrlKey || e.metaKey ? "mod+" : "") + (e.shiftKey ? "shift+" : "") + e.key.toLowerCase();
      const name = this.keys[combination];
      if (!name || e.isComposing || (typing && !combination.startsWith("mod+"))) return;
      e.preventDefault();
      this.$emit("shortcut", name);
    };
    document.addEventListener("keydown", this.listen);
  },
  beforeUnmount() { document.removeEventListener("keydown", this.listen); },
};
