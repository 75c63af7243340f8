import { put } from "samrad-upload";

/* A draft in the browser: its text, and beside it the files that are already uploaded. */
const FILES = ":files";

function kept(key) {
  return { text: (key && localStorage.getItem(key)) || "", files: JSON.parse((key && localStorage.getItem(key + FILES)) || "[]") };
}

function keep(key, text, files) {
  if (!key) return;
  const uploaded = files.filter((f) => f.id).map(({ id, name }) => ({ id, name }));
  for (const [name, value] of [[key, text], [key + FILES, uploaded.length ? JSON.stringify(uploaded) : ""]]) value ? localStorage.setItem(name, value) : localStorage.removeItem(name);
}

export default {
  template: `<div class="composer" :class="{ over }">
    <ul class="files" role="list" v-if="files.length"><li v-for="f in files" :key="f.key"><span class="filechip" :class="{ bad: f.failed }" :title="f.failed || f.name">
      <span class="material-icons" aria-hidden="true" style="font-size:16px">{{ f.failed ? 'error_outline' : f.id ? 'description' : 'hourglass_empty' }}</span>
      <span class="fn">{{ f.name }}</span><span v-if="!f.id && !f.failed">{{ f.progress < 0.99 ? Math.round(f.progress * 100) + ' %' : labels.reading }}</span><span v-if="f.failed">{{ f.failed }}</span>
      <button type="button" @click="detach(f)" :aria-label="labels.removeFile + ' ' + f.name">×</button></span></li></ul>
    <ul class="files" role="list" :aria-label="labels.narrowed" v-if="narrowed.length" data-testid="narrowed"><li v-for="p in narrowed" :key="p.key"><span class="filechip"><span class="material-icons" aria-hidden="true" style="font-size:16px">filter_list</span>
      <span class="fn">{{ p.label }}</span><button type="button" @click="widen(p)" :aria-label="labels.widen.replace('{name}', p.label)">×</button></span></li></ul>
    <div v-if="offered" class="mentions" data-testid="mentions"><ul v-if="offered.length" :id="listId" role="listbox" :aria-label="labels.assistants">
      <li v-for="(a, i) in offered" :key="a.id" :id="listId + '-' + i" role="option" :aria-selected="i === at ? 'true' : 'false'" @mousedown.prevent="choose(a)" @mousemove="at = i"><img v-if="a.picture" class="face square picture" :src="a.picture" alt="" /><span v-else class="face square" aria-hidden="true">{{ a.initials }}</span><span class="named"><span class="clip">{{ a.name }}</span><span class="muted small clip">{{ a.space }}</span></span></li></ul>
      <p v-else class="muted small">{{ labels.nobody }}</p></div>
    <span class="sr-only" role="status">{{ said }}</span>
    <textarea ref="box" rows="1" data-testid="composer" v-model="text" :placeholder="labels.placeholder" :aria-label="labels.message" :disabled="blocked" aria-autocomplete="list" :aria-controls="offered?.length ? listId : null" :aria-activedescendant="offered?.length ? listId + '-' + at : null" @keydown="key" @input="typed" @blur="close" @paste="paste"></textarea>
    <div class="row2">
      <template v-if="uploadUrl"><button type="button" class="round" :disabled="blocked" :aria-label="labels.attach" :title="labels.attach" @click="$refs.file.click()"><span class="material-icons" aria-hidden="true">attach_file</span></button>
      <input ref="file" type="file" multiple hidden :accept="Object.keys(limits).join()" @change="attach($event.target.files); $event.target.value = ''" /></template>
      <button type="button" class="round" :disabled="blocked" :aria-label="labels.mention" :title="labels.mention" data-testid="mention" @mousedown.prevent @click="begin"><span class="material-icons" aria-hidden="true">alternate_email</span></button>
      <button v-if="narrowing" type="button" class="round" :disabled="blocked" :aria-label="labels.narrow" :title="labels.narrow" data-testid="narrow" @click="$emit('narrow', {})"><span class="material-icons" aria-hidden="true">filter_list</span></button>
      <span class="chip acc asked" v-if="mention" data-testid="mentioned"><span class="clip">@{{ mention.name }}</span><button type="button" :aria-label="labels.unmention + ' ' + mention.name" @click="unmention">×</button></span>
      <span class="chip acc clip" v-else-if="chip">{{ chip }}</span><span class="chip hide-sm clip" v-if="model">{{ model }}</span>
      <span class="grow"></span>
      <span v-if="room" class="gauge" :class="{ full: room.full }" role="meter" data-testid="room" :aria-label="labels.room" aria-valuemin="0" aria-valuemax="100" :aria-valuenow="Math.min(room.percent, 100)" :aria-valuetext="room.text" :title="room.text"><svg viewBox="0 0 20 20" width="18" height="18" aria-hidden="true"><circle cx="10" cy="10" r="7" /><circle cx="10" cy="10" r="7" class="taken" pathLength="100" :stroke-dasharray="Math.min(room.percent, 100) + ' 100'" transform="rotate(-90 10 10)" /></svg><span v-if="room.full" class="small">{{ room.percent }} %</span></span>
      <button v-if="busy" type="button" class="round go" data-testid="stop" :aria-label="labels.stop" :title="labels.stop" @click="$emit('stop')"><span class="material-icons" aria-hidden="true">stop</span></button>
      <button v-else type="button" class="round go" data-testid="send" :disabled="!ready" :aria-label="labels.send" :title="labels.send" @click="send"><span class="material-icons" aria-hidden="true">arrow_upward</span></button>
    </div></div>`,
  props: { labels: Object, draftKey: String, uploadUrl: String, token: String, language: String, limits: Object, chip: String, model: String, running: Boolean, blocked: Boolean, maxFiles: Number, narrowing: Boolean, narrowed: Array },
  data() { return { text: "", files: [], over: false, busy: this.running, next: 0, room: null, mention: null, offered: null, at: 0, said: "", listId: `mentions-${Math.random().toString(36).slice(2)}` }; },
  computed: {
    ready() {
      const pending = this.files.some((f) => !f.id && !f.failed);
      return !this.busy && !this.blocked && !pending && (this.text.trim() !== "" || this.files.some((f) => f.id));
    },
  },
  watch: { running(value) { this.busy = value; }, text() { this.store(); this.measure(); }, files: { deep: true, handler() { this.store(); this.measure(); } }, draftKey(_now, former) { keep(former, "", []); this.store(); } },
  mounted() {
    this.measured = JSON.stringify(["", []]);
    const draft = kept(this.draftKey);
    this.text = draft.text;
    this.files = draft.files.map((f) => ({ ...f, key: this.next++, progress: 1, failed: "", upload: null }));
    this.listen();
    this.$nextTick(() => { this.grow(); if (matchMedia("(hover: hover)").matches) this.$refs.box.focus(); });
  },
  beforeUnmount() { for (const [name, heard] of this.heard) this.page.removeEventListener(name, heard); },
  methods: {
    /* Files may be dropped anywhere on the page of the chat: beside it, the browser would leave for them. */
    listen() {
      this.page = this.$el.closest(".chatpage") || this.$el;
      const carries = (e) => e.dataTransfer?.types.includes("Files");
      this.heard = Object.entries({
        dragover: (e) => { if (carries(e)) { e.preventDefault(); this.over = true; } },
        dragleave: (e) => { if (!this.page.contains(e.relatedTarget)) this.over = false; },
        drop: (e) => { if (carries(e)) { e.preventDefault(); this.over = false; this.attach(e.dataTransfer.files); } },
      });
      for (const [name, heard] of this.heard) this.page.addEventListener(name, heard);
    },
    /* What is written, or sent and not yet taken in, outlives a reload. */
    store() { const from = this.text || this.files.length ? this : this.sent || this; keep(this.draftKey, from.text, from.files); },
    /* How much the question would take is asked when its writer pauses, and only when it may have changed. */
    measure() {
      clearTimeout(this.measuring);
      this.measuring = setTimeout(() => {
        const files = this.files.filter((f) => f.id).map((f) => f.id), now = JSON.stringify([this.text, files]);
        if (now === this.measured) return;
        this.measured = now;
        this.$emit("measure", { text: this.text, files });
      }, 500);
    },
    gauge(room) { if (room?.full && !this.room?.full) this.said = room.text; this.room = room; },
    grow() { const box = this.$refs.box; if (box) { box.style.height = "auto"; box.style.height = `${box.scrollHeight}px`; } },
    /* What stands between an @ at the beginning of a word and the cursor; null where there is none. */
    sought() { const found = /(?:^|\s)@([^@\n]{0,60})$/.exec(this.text.slice(0, this.$refs.box.selectionStart)); return found ? found[1] : null; },
    typed() {
      this.grow();
      clearTimeout(this.asking);
      const words = this.sought();
      if (words === null || words === this.dismissed) { if (words === null) this.dismissed = null; this.close(); return; }
      this.dismissed = null;
      this.asking = setTimeout(() => this.$emit("mention", { words }), 150);
    },
    begin() {
      const box = this.$refs.box, at = box.selectionStart;
      box.focus();
      const before = this.text.slice(0, at);
      box.setRangeText(/(^|\s)$/.test(before) ? "@" : " @", at, box.selectionEnd, "end");
      this.text = box.value;
      this.$nextTick(this.typed);
    },
    /* Only what answers the words that stand there now. */
    offer(words, found) {
      if (this.sought() !== words || document.activeElement !== this.$refs.box) return;
      if (!found.length && words.includes(" ")) { this.close(); return; }
      this.offered = found;
      this.at = 0;
      this.said = found.length ? this.labels.found.replace("{n}", found.length) : this.labels.nobody;
    },
    close() { clearTimeout(this.asking); this.offered = null; this.said = ""; },
    choose(found) {
      const box = this.$refs.box, end = box.selectionStart, from = end - this.sought().length - 1;
      box.setRangeText("", from, end, "end");
      this.text = box.value;
      this.mention = found.own ? null : found;
      this.close();
      this.said = this.labels.asked.replace("{name}", found.name);
      this.$nextTick(() => { this.grow(); box.focus(); });
    },
    widen(part) { this.$emit("widen", { key: part.key }); this.$refs.box.focus(); },
    unmention() { this.mention = null; this.$refs.box.focus(); },
    chosen(e) {
      if (!this.offered?.length || e.isComposing) return false;
      const count = this.offered.length;
      if (e.key === "ArrowDown") this.at = (this.at + 1) % count;
      else if (e.key === "ArrowUp") this.at = (this.at + count - 1) % count;
      else if ((e.key === "Enter" && !e.shiftKey) || e.key === "Tab") this.choose(this.offered[this.at]);
      else return false;
      this.$nextTick(() => this.$el.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" }));
      return true;
    },
    key(e) {
      if (this.chosen(e)) { e.preventDefault(); return; }
      if (e.key === "Escape" && this.offered) { e.preventDefault(); e.stopPropagation(); this.dismissed = this.sought(); this.close(); return; }
      if (e.key === "Enter" && !e.shiftKey && !e.isComposing) { e.preventDefault(); this.send(); }
    },
    paste(e) { if (this.uploadUrl && e.clipboardData.files.length) { e.preventDefault(); this.attach(e.clipboardData.files); } },
    send() {
      if (!this.ready) return;
      this.busy = true;
      this.sent = { text: this.text, files: this.files, mention: this.mention };
      this.$emit("ask", { text: this.text, files: this.files.filter((f) => f.id).map((f) => f.id), mention: this.mention?.id });
      this.text = "";
      this.files = [];
      this.mention = null;
      this.close();
      this.$nextTick(this.grow);
    },
    /* The question could not be taken in: give it back to its writer. */
    restore() {
      this.busy = false;
      if (this.sent) { this.text = [this.sent.text, this.text].filter(Boolean).join("\n\n"); this.files = [...this.sent.files, ...this.files]; this.mention ??= this.sent.mention; }
      this.sent = null;
      this.$nextTick(this.grow);
    },
    setBusy(value) { this.busy = value; this.sent = null; this.store(); if (!value && this.idle()) this.$refs.box?.focus({ preventScroll: true }); },
    /* Whether nobody does something elsewhere: the stop button, which has gone, leaves the focus to the page. */
    idle() { const at = document.activeElement; return !at || at === document.body || this.$el.contains(at); },
    fill(text) { this.text = text; this.$nextTick(() => { this.grow(); this.$refs.box.focus(); }); },
    attach(list) {
      if (!this.uploadUrl || this.blocked) return;
      for (const file of list) {
        this.files.push({ key: this.next++, name: file.name, progress: 0, id: "", failed: "", upload: null });
        const item = this.files[this.files.length - 1];
        const kind = Object.keys(this.limits).find((end) => file.name.toLowerCase().endsWith(end));
        if (!kind) item.failed = this.labels.wrongType;
        else if (file.size > this.limits[kind]) item.failed = this.labels.tooLarge;
        else if (this.files.filter((f) => !f.failed).length > this.maxFiles) item.failed = this.labels.tooMany;
        else this.upload(item, file);
      }
    },
    async upload(item, file) {
      item.upload = put(file, { url: this.uploadUrl, token: this.token, language: this.language, onProgress: (p) => (item.progress = p) });
      try { item.id = (await item.upload.done).id; } catch (error) { if (!error.aborted) item.failed = error.message || this.labels.failed; }
    },
    detach(item) { if (!item.id) item.upload?.cancel(); this.files = this.files.filter((f) => f.key !== item.key); },
  },
};
