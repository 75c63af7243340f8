import { chosen, dropped } from "samrad-folders";
import { put, size } from "samrad-upload";

const AT_ONCE = 3;
const SHOWN = 60;
const PATIENCE = 5000;

export default {
  template: `<div :data-url="url">
    <label class="drop" :class="{ over }" :for="uid" @dragover.prevent="over = true" @dragleave="over = false" @drop.prevent="over = false; take($event.dataTransfer)">
      <input :id="uid" type="file" class="fileinput" :multiple="multiple" :accept="accept" @change="pick($event.target)" />
      <strong>{{ labels.title }}</strong><span class="sub">{{ labels.hint }}</span>
    </label>
    <div class="line wrap" style="margin-top:8px" v-if="multiple">
      <input type="file" hidden webkitdirectory multiple ref="folder" @change="pick($event.target)" />
      <button type="button" class="copy" @click="$refs.folder.click()">{{ labels.folder }}</button>
      <span class="sub grow" role="status">{{ summary }}</span>
      <button type="button" class="copy" v-if="open.length > 1" @click="cancelAll">{{ labels.cancelAll }}</button>
      <button type="button" class="copy" v-if="failed.length > 1" @click="againAll">{{ labels.retryAll }}</button>
      <button type="button" class="copy" v-if="failed.length > 1" @click="dropFailed">{{ labels.removeAll }}</button>
    </div>
    <ul class="uploads" role="list" v-if="items.length">
      <li v-for="i in shown" :key="i.key">
        <span class="fn" :title="i.path">{{ i.path }}</span><span class="pct">{{ sizeOf(i) }}</span>
        <progress v-if="!i.failed" :value="i.progress" max="1" :aria-label="i.path"></progress>
        <span class="pct" v-if="!i.failed">{{ Math.round(i.progress * 100) }} %</span>
        <button type="button" class="copy" v-if="!i.failed && i.progress < 1" @click="cancel(i)" :aria-label="labels.cancel + ' ' + i.path">{{ labels.cancel }}</button>
        <button type="button" class="copy" v-if="i.failed && i.again" @click="again(i)" :aria-label="labels.retry + ' ' + i.path">{{ labels.retry }}</button>
        <button type="button" class="copy" v-if="i.failed" @click="forget(i)" :aria-label="labels.remove + ' ' + i.path">{{ labels.remove }}</button>
        <span class="why" v-if="i.failed">{{ i.failed }}</span>
      </li>
    </ul></div>`,
  props: { url: String, token: String, language: String, labels: Object, multiple: Boolean, accept: String, limit: Number, left: Number },
  data() { return { over: false, items: [], uid: `drop${Math.random().toString(36).slice(2)}`, next: 0, done: 0, total: 0 }; },
  computed: {
    open() { return this.items.filter((i) => i.waiting || i.upload); },
    failed() { return this.items.filter((i) => i.failed); },
    shown() { return [...this.failed, ...this.items.filter((i) => !i.failed)].slice(0, SHOWN); },
    summary() {
      if (this.total < 2) return "";
      const text = this.labels.summary.replace("{done}", this.done).replace("{total}", this.total);
      return this.failed.length ? `${text} ${this.labels.failures.replace("{count}", this.failed.length)}` : text;
    },
  },
  beforeUnmount() { this.gone = true; for (const i of this.items) i.upload?.cancel(); },
  methods: {
    sizeOf(i) { return size(i.file.size, this.language); },
    pick(input) { this.add(chosen(input.files)); input.value = ""; },
    async take(transfer) { this.add(await dropped(transfer)); },
    add(found) {
      if (!this.items.length) this.done = this.total = 0;
      for (const { file, path } of this.multiple ? found : found.slice(0, 1)) {
        this.items.push({ key: this.next++, file, path, progress: 0, failed: "", again: false, upload: null, waiting: true });
        const item = this.items[this.items.length - 1];
        this.total += 1;
        if (this.accept && !this.accept.split(",").some((end) => file.name.toLowerCase().endsWith(end))) this.fail(item, this.labels.wrongType);
        else if (this.limit && file.size > this.limit) this.fail(item, this.labels.tooLarge);
        else if (this.left >= 0 && file.size > this.left) this.fail(item, this.labels.noRoom);
      }
      this.pump();
    },
    fail(item, why, again = false) { Object.assign(item, { waiting: false, upload: null, failed: why, again }); },
    pump() {
      const running = this.items.filter((i) => i.upload).length;
      for (const item of this.items.filter((i) => i.waiting && !i.resting).slice(0, Math.max(0, AT_ONCE - running))) this.send(item);
    },
    async send(item) {
      item.waiting = false;
      const path = item.path === item.file.name ? "" : item.path;
      item.upload = put(item.file, { url: this.url, token: this.token, language: this.language, path, onProgress: (p) => (item.progress = p) });
      try {
        const answer = await item.upload.done;
        Object.assign(item, { progress: 1, upload: null });
        this.done += 1;
        this.$emit("done", { name: item.path, answer });
        setTimeout(() => this.drop(item), 1200);
      } catch (error) {
        if (error.aborted) this.forget(item);
        else if (error.status === 429) this.rest(item);
        else this.fail(item, error.message || (error.status === 413 ? this.labels.tooLarge : this.labels.failed), true);
      }
      this.pump();
    },
    rest(item) {
      // Too many in a minute: it waits for its turn instead of failing.
      Object.assign(item, { upload: null, waiting: true, resting: true, progress: 0 });
      setTimeout(() => { item.resting = false; if (!this.gone) this.pump(); }, PATIENCE);
    },
    cancel(item) { item.upload ? item.upload.cancel() : this.forget(item); },
    cancelAll() { for (const item of this.open) item.waiting = false; for (const item of [...this.items]) if (!item.failed && item.progress < 1) this.cancel(item); },
    again(item) { Object.assign(item, { failed: "", progress: 0, waiting: true }); this.pump(); },
    againAll() { for (const item of this.failed) if (item.again) Object.assign(item, { failed: "", progress: 0, waiting: true }); this.pump(); },
    dropFailed() { for (const item of this.failed) this.forget(item); },
    forget(item) { this.total -= 1; this.drop(item); },
    drop(item) { this.items = this.items.filter((i) => i.key !== item.key); },
  },
};
