export default {
  template: `<div class="stack">
    <div v-for="s in items" :key="s.n" class="src" :class="{ open: open === s.n, unused: !s.cited }" :data-n="s.n">
      <button type="button" class="srchead" :aria-expanded="open === s.n ? 'true' : 'false'" @click="toggle(s.n)">
        <b>[{{ s.n }}] {{ s.title }}</b><div class="where" v-if="s.where">{{ s.where }}</div><div class="cut" v-if="open !== s.n">{{ s.text }}</div>
        <div class="chips"><span class="chip" :title="s.detail">{{ s.relevance }}</span><span class="chip acc" v-if="s.cited">{{ labels.cited }}</span></div>
      </button>
      <div class="srcbody" v-if="open === s.n">
        <ul v-if="s.checks.length" class="checks" role="list" :aria-label="labels.checks"><li v-for="c in s.checks" :key="c.citation" :class="[c.verdict, { on: c.citation === citation }]"><span class="badge"><span class="material-icons" aria-hidden="true">{{ c.icon }}</span>{{ c.word }}</span><span class="claim">{{ c.claim }}</span></li></ul>
        <blockquote tabindex="0"><template v-for="(p, i) in s.parts" :key="i"><mark v-if="p.mark">{{ p.text }}</mark><template v-else>{{ p.text }}</template></template></blockquote>
        <button type="button" class="pagebtn" v-if="s.image && !broken[s.n]" @click="wide = s" :aria-label="labels.enlarge + ': ' + s.alt"><img :src="prefix + s.image" alt="" loading="lazy" @error="broken[s.n] = true" /></button>
        <a class="small" :href="prefix + s.place" :target="s.apart ? '_blank' : null">{{ labels.place }}</a>
        <a v-if="s.link" class="small" :href="prefix + s.link" :target="s.apart ? '_blank' : null">{{ labels.document }}</a>
        <a v-if="s.url" class="small" :href="s.url" target="_blank" rel="noopener noreferrer">{{ labels.web }}</a>
      </div>
    </div>
    <dialog ref="wide" class="pagewide" :aria-label="labels.enlarge" @click="close" @close="wide = null"><img v-if="wide" :src="prefix + wide.image" :alt="wide.alt" /></dialog></div>`,
  props: { items: Array, labels: Object, selected: Number, citation: Number },
  data() { return { open: this.selected || 0, broken: {}, wide: null, prefix: window.path_prefix || "" }; },
  watch: { selected(n) { if (n) this.show(n); }, wide(value) { this.$nextTick(() => (value ? this.$refs.wide.showModal() : this.$refs.wide.open && this.$refs.wide.close())); } },
  mounted() { if (this.open) this.show(this.open); },
  methods: {
    toggle(n) { this.open = this.open === n ? 0 : n; },
    close() { this.$refs.wide.close(); },
    show(n) { this.open = n; this.$nextTick(() => { const card = this.$el.querySelector(`[data-n="${n}"]`); card?.scrollIntoView({ block: "nearest" }); card?.querySelector("button")?.focus({ preventScroll: true }); }); },
  },
};
