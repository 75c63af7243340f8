import { Markdown } from "samrad-markdown";
import { copyRich } from "samrad-rich";

/* The text of one answer. The Markdown is drawn outside Vue, so that a growing answer costs little. */
const Answer = {
  template: `<div :class="{ typing: open }"><div class="prose" ref="md" @pointerdown="press" @click="click"></div></div>`,
  props: { text: String, open: Boolean, sources: Number, checks: Array, labels: Object },
  emits: ["cite", "drawn"],
  mounted() { this.md = new Markdown(this.$refs.md, this.labels); this.draw(); },
  beforeUnmount() { clearTimeout(this.timer); this.release?.(); },
  watch: { text() { this.soon(); }, open() { this.draw(); }, sources() { this.draw(); }, checks() { this.draw(); } },
  methods: {
    soon() { this.timer ||= setTimeout(() => this.draw(), 50); },
    draw() { clearTimeout(this.timer); this.timer = null; if (this.release) return; this.md.sources = this.sources; this.md.checks = this.checks || []; this.md.draw(this.text, this.open); this.$emit("drawn"); },
    /* What is pressed stays what it is until it is let go, so that a click hits it and a selection holds: nothing is drawn meanwhile. */
    press() {
      this.release?.();
      const ends = ["pointerup", "pointercancel"], end = () => setTimeout(() => { this.release?.(); if (this.$refs.md) this.draw(); });
      this.release = () => { ends.forEach((name) => window.removeEventListener(name, end)); this.release = null; };
      ends.forEach((name) => window.addEventListener(name, end));
    },
    click(e) { const marker = e.target.closest(".cite"); if (marker) this.$emit("cite", Number(marker.dataset.n), marker.dataset.citation === undefined ? -1 : Number(marker.dataset.citation)); },
  },
};

export default {
  components: { Answer },
  template: `<div class="thread">
    <div class="threadbox" ref="box" role="log" aria-live="polite" tabindex="0" :aria-label="labels.conversation" :aria-busy="running ? 'true' : 'false'" @scroll.passive="scrolled"><div class="threadin">
      <button v-if="older" type="button" class="act solid" style="align-self:center" @click="$emit('older', list[0]?.id)">{{ labels.older }}</button>
      <div v-if="!list.length && welcome" class="welcome"><img v-if="picture" class="av picture big" :src="picture" alt="" /><div v-else class="av big" aria-hidden="true">{{ initials }}</div><h2>{{ welcome.title }}</h2><p>{{ welcome.text }}</p>
        <ul v-if="welcome.starters.length" class="starters" role="list" :aria-label="labels.starters"><li v-for="text in welcome.starters" :key="text"><button type="button" class="act solid" @click="$emit('starter', { text })">{{ text }}</button></li></ul></div>
      <div v-for="(t, i) in list" :key="t.key || t.id" class="turn" :class="{ last: i > list.length - 3 }">
        <div class="ask" :data-testid="'message-question-' + i"><span class="sr-only">{{ labels.you }}</span>
          <ul class="files" role="list" v-if="t.files.length" style="margin:0"><li v-for="f in t.files" :key="f.id"><a class="filechip" :href="prefix + f.link" target="_blank" rel="noopener"><span class="material-icons" aria-hidden="true" style="font-size:16px">description</span><span class="fn">{{ f.name }}</span></a></li></ul>
          <form v-if="editing === t.id" class="edit" @submit.prevent="ask(t)" @keydown.esc.stop="cancel(t)"><textarea rows="3" v-model="draft" :aria-label="labels.edit" @keydown.ctrl.enter.prevent="ask(t)" @keydown.meta.enter.prevent="ask(t)"></textarea>
            <div class="acts"><button type="button" class="act" @click="cancel(t)">{{ labels.cancel }}</button><button type="submit" class="act solid" :disabled="!draft.trim()">{{ labels.ask }}</button></div></form>
          <div class="bubble" v-else-if="t.question">{{ t.question }}</div>
          <ul class="files" role="list" :aria-label="labels.narrowed" v-if="t.narrowed.length" data-testid="turn-narrowed" style="margin:0"><li v-for="label in t.narrowed" :key="label"><span class="filechip"><span class="material-icons" aria-hidden="true" style="font-size:16px">filter_list</span><span class="fn">{{ label }}</span></span></li></ul>
          <div class="acts" v-if="editing !== t.id" :data-turn="t.id">
            <template v-if="t.version"><button type="button" class="act" data-way="former" :disabled="!t.former" :aria-label="labels.former" :title="labels.former" @click="branch(t.former, 'former')"><span class="material-icons" aria-hidden="true">chevron_left</span></button><span class="small muted" data-testid="version">{{ t.version }}</span><button type="button" class="act" data-way="later" :disabled="!t.later" :aria-label="labels.later" :title="labels.later" @click="branch(t.later, 'later')"><span class="material-icons" aria-hidden="true">chevron_right</span></button></template>
            <button v-if="t.question && t.state !== 'running'" type="button" class="act" data-way="edit" :aria-label="labels.edit" :title="labels.edit" @click="edit(t)"><span class="material-icons" aria-hidden="true">edit</span></button></div></div>
        <div class="reply" :data-testid="'message-answer-' + i"><img v-if="t.who ? t.face : picture" class="av picture" :src="t.who ? t.face : picture" alt="" @error="t.face = ''" /><div v-else class="av" aria-hidden="true">{{ t.who ? letters(t.who) : initials }}</div><div class="body">
          <div class="who">{{ t.who || name }}<span class="chip" v-if="t.model">{{ t.model }}</span><span class="chip acc" v-if="t.easy" data-testid="easy">{{ t.easy }}</span></div>
          <details v-if="t.thought || t.thoughtLabel" class="thoughts" data-testid="thoughts" @toggle="$event.target.open && !t.thought && emit('thought', t)"><summary><span class="material-icons" aria-hidden="true">psychology</span>{{ t.thoughtLabel || labels.thoughts }}</summary><div class="thought" tabindex="0">{{ t.thought }}</div></details>
          <Answer v-if="t.answer" :text="t.answer" :open="t.state === 'running'" :sources="t.sources" :checks="t.checks" :labels="labels" @cite="(n, citation) => $emit('cite', { message_id: t.id, index: n, citation })" @drawn="follow" />
          <div v-else-if="t.state === 'running'" class="wait"><span class="dots" aria-hidden="true"><i></i><i></i><i></i></span>{{ t.status || labels.thinking }}</div>
          <div v-if="t.note" class="state" :class="{ bad: t.state === 'failed' }" role="status"><span class="grow">{{ t.note }}</span>
            <button v-if="t.canContinue" type="button" class="act solid" @click="emit('continue', t)">{{ labels.continue }}</button>
            <button v-if="t.elsewhere" type="button" class="act solid" @click="$emit('continue', { message_id: t.id, elsewhere: true })">{{ t.elsewhere }}</button>
            <button v-if="t.canRetry && i === list.length - 1" type="button" class="act solid" @click="emit('regenerate', t)">{{ labels.retry }}</button></div>
          <div v-if="t.stoodIn" class="state" role="status" data-testid="stood-in"><span class="grow">{{ t.stoodIn }}</span></div>
          <div v-if="t.unread" class="state" role="status"><span class="grow">{{ t.unread }}</span></div>
          <p v-if="t.checked" class="checked" data-testid="checked"><span class="material-icons" aria-hidden="true">fact_check</span>{{ t.checked }}</p>
          <div class="acts" v-if="t.state !== 'running'" :data-turn="t.id">
            <button v-if="t.answer" type="button" class="act" data-testid="copy" :aria-label="labels.copyAnswer" :title="labels.copyAnswer" @click="copy(t)"><span class="material-icons" aria-hidden="true">{{ copied === t.id ? 'check' : 'content_copy' }}</span></button>
            <button v-if="t.answer" type="button" class="act" data-testid="copy-rich" :aria-label="labels.copyRich" :title="labels.copyRich" @click="rich($event, t)"><span class="material-icons" aria-hidden="true">{{ copied === t.id + '+' ? 'check' : 'content_paste' }}</span></button>
            <button v-if="i === list.length - 1 && !t.canRetry" type="button" class="act" :aria-label="labels.regenerate" :title="labels.regenerate" @click="emit('regenerate', t)"><span class="material-icons" aria-hidden="true">refresh</span></button>
            <template v-if="t.answer"><button type="button" class="act" :aria-pressed="t.rating === 1 ? 'true' : 'false'" :aria-label="labels.good" :title="labels.good" data-way="good" @click="rate(t, 1)"><span class="material-icons" aria-hidden="true">thumb_up_off_alt</span></button>
            <button type="button" class="act" :aria-pressed="t.rating === -1 ? 'true' : 'false'" :aria-label="labels.bad" :title="labels.bad" data-way="bad" @click="rate(t, -1)"><span class="material-icons" aria-hidden="true">thumb_down_off_alt</span></button></template>
            <button v-if="t.answer && !t.easy" type="button" class="act" :aria-label="labels.easy" :title="labels.easy" @click="emit('easy', t)"><span class="material-icons" aria-hidden="true">auto_stories</span></button>
            <button v-if="t.sources" type="button" class="act" data-testid="references" @click="$emit('cite', { message_id: t.id, index: 0 })"><span class="material-icons" aria-hidden="true">menu_book</span>{{ t.sourcesLabel }}</button>
            <button type="button" class="act" data-testid="why" @click="emit('why', t)"><span class="material-icons" aria-hidden="true">help_outline</span>{{ labels.why }}</button>
          </div>
          <form v-if="rated === t.id" class="edit" @submit.prevent="comment(t)" @keydown.esc.stop="rated = ''"><textarea rows="2" v-model="remark" :maxlength="longest" :aria-label="labels.remark" :placeholder="labels.remark" @keydown.ctrl.enter.prevent="comment(t)" @keydown.meta.enter.prevent="comment(t)"></textarea>
            <div class="acts"><button type="button" class="act" @click="rated = ''">{{ labels.close }}</button><button type="submit" class="act solid" :disabled="remark.trim() === t.remark">{{ labels.sendRemark }}</button></div></form></div></div>
        <details v-if="t.summary" class="thoughts" data-testid="summary"><summary><span class="material-icons" aria-hidden="true">compress</span>{{ labels.summary }}</summary><div class="thought" tabindex="0">{{ t.summary }}</div></details></div>
    </div></div>
    <button v-if="!atEnd" type="button" class="tobottom" :aria-label="labels.toEnd" :title="labels.toEnd" @click="toEnd"><span class="material-icons" aria-hidden="true">arrow_downward</span></button></div>`,
  props: { turns: Array, labels: Object, name: String, initials: String, picture: String, welcome: Object, older: Boolean },
  data() { return { list: this.turns.map((t) => ({ ...t })), atEnd: true, copied: "", editing: "", draft: "", rated: "", remark: "", longest: 10000, prefix: window.path_prefix || "" }; },
  computed: { running() { return this.list.some((t) => t.state === "running"); } },
  mounted() { this.$nextTick(this.toEnd); },
  methods: {
    emit(name, turn) { this.$emit(name, { message_id: turn.id }); },
    letters(name) { return name.split(/\s+/).filter((word) => /^[\p{L}\p{N}]/u.test(word)).slice(0, 2).map((word) => word[0]).join("").toUpperCase() || "S"; },
    find(id) { return this.list.find((t) => t.id === id); },
    add(turn) { this.list.push({ ...turn }); this.atEnd = true; this.$nextTick(this.toEnd); },
    replace(turns) { this.list = turns.map((t) => ({ ...t })); this.editing = ""; this.$nextTick(() => { this.follow(); if (this.way) this.back(this.way.id, this.way.name); this.way = null; }); },
    edit(turn) { this.editing = turn.id; this.draft = turn.question; this.$nextTick(() => { const box = this.$refs.box.querySelector(".edit textarea"); box.focus(); box.setSelectionRange(this.draft.length, this.draft.length); }); },
    cancel(turn) { this.editing = ""; this.$nextTick(() => this.back(turn.id, "edit")); },
    ask(turn) { if (this.draft.trim()) this.$emit("edit", { message_id: turn.id, text: this.draft }); },
    branch(id, name) { this.way = { id, name }; this.$emit("branch", { message_id: id }); },
    /* Whoever uses the keyboard stays where they were. */
    back(id, name) { const place = `[data-turn="${id}"]`, box = this.$refs.box; (box.querySelector(`${place} [data-way="${name}"]:not(:disabled)`) || box.querySelector(`${place} button:not(:disabled)`))?.focus({ preventScroll: true }); },
    prepend(turns) { const box = this.$refs.box, below = box.scrollHeight - box.scrollTop; this.list.unshift(...turns); this.$nextTick(() => (box.scrollTop = box.scrollHeight - below)); },
    update(id, changes) { const turn = this.find(id); if (turn) Object.assign(turn, changes, "answer" in changes ? { count: undefined } : {}); this.$nextTick(this.follow); },
    /* offset counts Unicode characters, as the server does; what is already here is skipped, a gap asks for the rest */
    append(id, offset, text) {
      const turn = this.find(id);
      if (!turn) return;
      turn.count ??= [...turn.answer].length;
      if (offset > turn.count) { this.$emit("gap", { message_id: id, have: turn.count }); return; }
      const fresh = offset === turn.count ? text : [...text].slice(turn.count - offset).join("");
      if (fresh) { turn.answer += fresh; turn.count += [...fresh].length; }
    },
    /* What a model thinks before it answers; from the beginning when another model was asked. */
    think(id, from, text) {
      const turn = this.find(id);
      if (!turn) return;
      const count = [...turn.thought].length;
      if (from > count) { this.$emit("thought", { message_id: id }); return; }
      turn.thought = from ? [...turn.thought].slice(0, from).join("") + text : text;
      this.$nextTick(this.follow);
    },
    scrolled() { const b = this.$refs.box; this.atEnd = b.scrollHeight - b.scrollTop - b.clientHeight < 60; },
    follow() { if (this.atEnd && this.$refs.box) this.$refs.box.scrollTop = this.$refs.box.scrollHeight; },
    toEnd() { this.atEnd = true; this.follow(); },
    rate(turn, value) {
      if (turn.rating !== value) turn.remark = "";
      turn.rating = value;
      this.rated = turn.id;
      this.remark = turn.remark;
      this.$emit("rate", { message_id: turn.id, value, text: turn.remark });
      this.$nextTick(this.follow);
    },
    comment(turn) {
      turn.remark = this.remark.trim();
      this.rated = "";
      this.$emit("rate", { message_id: turn.id, value: turn.rating, text: turn.remark });
      this.$nextTick(() => this.back(turn.id, turn.rating === 1 ? "good" : "bad"));
    },
    async rich(e, turn) {
      const prose = e.currentTarget.closest(".body").querySelector(".prose");
      try { await copyRich(prose, turn.answer, turn.cited || [], this.labels.sources); } catch { this.$emit("refused", {}); return; }
      this.copied = `${turn.id}+`; setTimeout(() => (this.copied = ""), 1500);
    },
    async copy(turn) {
      try { await window.samradCopy(turn.answer); } catch { this.$emit("refused", {}); return; }
      this.copied = turn.id; setTimeout(() => (this.copied = ""), 1500);
    },
  },
};
