import { put, size } from "samrad-upload";

const AT_ONCE = 3;

export default {
  template: `<div :data-url="url">
    <label class="drop" :class="{ over }" :for="uid" @dragover.prevent="over = true" @dragleave="over = false" @drop.prevent="over = false; add($event.dataTransfer.files)">
      <input :id="uid" type="file" class="fileinput" :multiple="multiple" :accept="accept" @change="add($event.target.files); $event.target.value = ''" />
      <strong>{{ labels.title }}</strong><span class="sub">{{ labels.hint }}</span>
    </label>
    <ul class="uploads" role="list" v-if="items.length" aria-live="polite">
      <li v-for="i in items" :key="i.key">
        <span class="fn" :title="i.file.name">{{ i.file.name }}</span><span class="pct">{{ sizeOf(i) }}</span>
        <progress v-if="!i.failed" :value="i.progress" max="1" :aria-label="i.file.name"></progress>
        <span class="pct" v-if="!i.failed">{{ Math.round(i.progress * 100) }} %</span>
        <button type="button" class="copy" v-if="!i.failed && i.progress < 1" @click="cancel(i)" :aria-label="labels.cancel + ' ' + i.file.name">{{ labels.cancel }}</button>
        <button type="button" class="copy" v-if="i.failed" @click="again(i)" :aria-label="labels.retry + ' ' + i.file.name">{{ labels.retry }}</button>
        <button type="button" class="copy" v-if="i.failed" @click="drop(i)" :aria-label="labels.remove + ' ' + i.file.name">{{ labels.remove }}</button>
        <span class="why" v-if="i.failed">{{ i.failed }}</span>
      </li>
    </ul></div>`,
  props: { url: String, token: String, language: String, labels: Object, multiple: Boolean, accept: String, limit: Number },
  data() { return { over: false, items: [], uid: `drop${Math.random().toString(36).slice(2)}`, next: 0 }; },
  beforeUnmount() { for (const i of this.items) i.upload?.cancel(); },
  methods: {
    sizeOf(i) { return size(i.file.size, this.language); },
    add(files) {
      for (const file of this.multiple ? files : [...files].slice(0, 1)) {
        this.items.push({ key: this.next++, file, progress: 0, failed: "", upload: null, waiting: true });
        const item = this.items[this.items.length - 1];
        if (this.limit && file.size > this.limit) this.fail(item, this.labels.tooLarge);
      }
      this.pump();
    },
    fail(item, why) { item.waiting = false; item.upload = null; item.failed = why; },
    pump() {
      const running = this.items.filter((i) => i.upload).length;
      for (const item of this.items.filter((i) => i.waiting).slice(0, AT_ONCE - running)) this.send(item);
    },
    async send(item) {
      item.waiting = false;
      item.upload = put(item.file, { url: this.url, token: this.token, language: this.language, onProgress: (p) => (item.progress = p) });
      try {
        const answer = await item.upload.done;
        item.progress = 1;
        item.upload = null;
        this.$emit("done", { name: item.file.name, answer });
        setTimeout(() => this.drop(item), 1200);
      } catch (error) {
        if (error.aborted) this.drop(item);
        else this.fail(item, error.message || (error.status === 413 ? this.labels.tooLarge : this.labels.failed));
      }
      this.pump();
    },
    cancel(item) { item.upload ? item.upload.cancel() : this.drop(item); },
    again(item) { Object.assign(item, { failed: "", progress: 0, waiting: true }); this.pump(); },
    drop(item) { this.items = this.items.filter((i) => i.key !== item.key); },
  },
};
