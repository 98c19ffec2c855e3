// Follows a log or a build's output: reads an event stream, gathers what came, and draws it once a frame.
(() => {
  const MOST_LINES = 5000;
  const BLOCK = 200;
  const RETRY = [500, 1000, 2000, 5000, 10000];

  window.startLogViewer = (root) => {
    if (root.dataset.started !== undefined) return;
    root.dataset.started = '';
    new LogViewer(root).start();
  };

  class LogViewer {
    constructor(root) {
      this.root = root;
      this.box = root.querySelector('[data-log-lines]');
      this.searchInput = root.querySelector('[data-log-search]');
      this.followButton = root.querySelector('[data-log-follow]');
      this.newButton = root.querySelector('[data-log-new]');
      this.statusText = root.querySelector('[data-log-status]');
      this.lastId = root.dataset.lastId;
      this.isBuild = root.dataset.kind === 'build';
      this.ended = root.dataset.ended !== undefined;
      this.waiting = [];
      this.unseen = 0;
      this.following = true;
      this.search = '';
      this.failures = 0;
      this.count = 0;
    }

    start() {
      this.#adopt();
      for (const bar of this.root.querySelectorAll('[data-log-bar]')) bar.hidden = false;
      this.followButton.hidden = this.ended;
      this.#filterAtOnce();
      this.searchInput.addEventListener('input', () => this.#filter());
      this.followButton.addEventListener('click', () => this.#follow(!this.following));
      this.newButton.addEventListener('click', () => this.#follow(true));
      this.box.addEventListener('scroll', () => this.#scrolled(), { passive: true });
      if (!this.ended) {
        document.addEventListener('visibilitychange', () => this.#watchWhileVisible());
        this.#watchWhileVisible();
      }
      if (!this.ended || !this.isBuild) this.#toEnd();
    }

    /** Takes over the lines that came with the page. */
    #adopt() {
      const lines = [...this.box.children];
      for (const time of this.box.querySelectorAll('time')) time.textContent = clock(new Date(time.dateTime));
      for (let i = 0; i < lines.length; i += BLOCK) {
        const block = newBlock();
        block.append(...lines.slice(i, i + BLOCK));
        this.box.append(block);
      }
      this.count = lines.length;
    }

    /** With a script the choice needs no button. */
    #filterAtOnce() {
      const form = this.root.querySelector('[data-log-filter]');
      if (!form) return;
      form.querySelector('[data-log-apply]').hidden = true;
      form.addEventListener('change', () => form.submit());
    }

    // One stream a tab, and none while nobody looks.
    #watchWhileVisible() {
      if (document.hidden) {
        this.abort?.abort();
        this.abort = undefined;
      } else if (!this.abort && !this.ended && this.root.isConnected) {
        this.abort = new AbortController();
        this.#watch(this.abort.signal);
      }
    }

    async #watch(signal) {
      while (!signal.aborted && !this.ended && this.root.isConnected) {
        try {
          await this.#read(signal);
        } catch {
          this.failures++;
        }
        if (signal.aborted || this.ended) return;
        this.#say('Connecting again…');
        await sleep(RETRY[Math.min(this.failures, RETRY.length - 1)]);
      }
    }

    async #read(signal) {
      const headers = this.lastId ? { 'Last-Event-ID': this.lastId } : {};
      const response = await fetch(this.root.dataset.log, { headers, signal, cache: 'no-store' });
      if (response.status === 401 || response.status === 404) location.reload();
      if (!response.ok) throw new Error(String(response.status));
      this.failures = 0;
      this.#say(this.following ? 'Live' : 'Paused');
      await readEvents(response.body, (event) => this.#take(event));
    }

    #take({ id, type, data }) {
      if (id) this.lastId = id;
      if (type === 'end') {
        this.ended = true;
        this.#finishBuild();
      } else if (type === 'gap') {
        this.#queue([null]);
      } else if (data) {
        this.#queue(JSON.parse(data));
      }
    }

    #queue(lines) {
      for (const line of lines) this.waiting.push(line);
      if (this.waiting.length > MOST_LINES) this.waiting.splice(0, this.waiting.length - MOST_LINES);
      this.frame ??= requestAnimationFrame(() => this.#draw());
    }

    #draw() {
      this.frame = undefined;
      const lines = this.waiting;
      this.waiting = [];
      this.box.querySelector('[data-log-empty]')?.remove();
      let block = this.box.lastElementChild;
      for (const line of lines) {
        if (!block || block.childElementCount >= BLOCK) {
          block = newBlock();
          this.box.append(block);
        }
        block.append(this.#lineElement(line));
      }
      this.count += lines.length;
      this.#trim();
      if (this.following) {
        this.#toEnd();
      } else {
        this.unseen += lines.length;
        this.newButton.hidden = false;
        this.newButton.textContent = `${this.unseen.toLocaleString()} new ↓`;
      }
    }

    /** Forgets the oldest block, and keeps what the reader looks at where it is. */
    #trim() {
      while (this.count > MOST_LINES && this.box.childElementCount > 1) {
        const oldest = this.box.firstElementChild;
        const before = this.following ? 0 : this.box.scrollHeight;
        this.count -= oldest.childElementCount;
        oldest.remove();
        if (!this.following) this.box.scrollTop -= before - this.box.scrollHeight;
      }
    }

    /** Text is only ever set as text, and classes come from our own server's closed list: nothing here can be markup. */
    #lineElement(line) {
      const element = document.createElement('div');
      element.className = 'line';
      if (line === null) {
        element.className = 'line gap';
        element.textContent = '… some lines are missing here; the download has them …';
        return element;
      }
      const [at, who, hue, segments] = this.isBuild ? [undefined, '', 0, line] : line;
      if (at !== undefined) {
        const time = document.createElement('time');
        const date = new Date(at);
        time.dateTime = date.toISOString();
        time.title = time.dateTime;
        time.textContent = clock(date);
        const name = document.createElement('span');
        name.className = `who hue-${hue}`;
        name.textContent = who;
        element.append(time, name);
      }
      const text = document.createElement('span');
      text.className = 'text';
      for (const segment of segments) {
        if (typeof segment === 'string') {
          text.append(segment);
        } else {
          const span = document.createElement('span');
          span.className = segment[0];
          span.textContent = segment[1];
          text.append(span);
        }
      }
      element.append(text);
      element.hidden = this.search !== '' && !element.textContent.toLowerCase().includes(this.search);
      return element;
    }

    #filter() {
      this.search = this.searchInput.value.trim().toLowerCase();
      for (const line of this.box.querySelectorAll('.line')) {
        line.hidden = this.search !== '' && !line.textContent.toLowerCase().includes(this.search);
      }
      if (this.following) this.#toEnd();
    }

    #follow(following) {
      this.following = following;
      this.followButton.setAttribute('aria-pressed', String(following));
      if (!this.ended) this.#say(following ? 'Live' : 'Paused');
      if (following) this.#toEnd();
    }

    #toEnd() {
      this.unseen = 0;
      this.newButton.hidden = true;
      this.box.scrollTop = this.box.scrollHeight;
      this.bottom = this.box.scrollTop;
    }

    /** Scrolling up stops following, and the end takes it up again. */
    #scrolled() {
      const { scrollTop, scrollHeight, clientHeight } = this.box;
      const atEnd = scrollHeight - scrollTop - clientHeight < 30;
      if (this.following && !atEnd && scrollTop < this.bottom - 5) this.#follow(false);
      else if (!this.following && atEnd) this.#follow(true);
    }

    #finishBuild() {
      this.followButton.hidden = true;
      const status = { target: '#build-status', select: '#build-status', swap: 'outerHTML' };
      if (this.isBuild) window.htmx.ajax('GET', location.pathname, status);
    }

    #say(text) {
      if (this.statusText) this.statusText.textContent = text;
    }
  }

  /** An event stream (WHATWG HTML, 9.2.6) as our server writes it. */
  async function readEvents(body, take) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = '';
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const blocks = (rest + value).split('\n\n');
      rest = blocks.pop();
      for (const block of blocks) take(parseEvent(block));
    }
  }

  function parseEvent(block) {
    const event = { id: '', type: '', data: '' };
    for (const line of block.split('\n')) {
      if (line.startsWith('id: ')) event.id = line.slice(4);
      else if (line.startsWith('event: ')) event.type = line.slice(7);
      else if (line.startsWith('data: ')) event.data += line.slice(6);
    }
    return event;
  }

  function newBlock() {
    const block = document.createElement('div');
    block.className = 'lines';
    return block;
  }

  function clock(date) {
    return [date.getHours(), date.getMinutes(), date.getSeconds()]
      .map((n) => String(n).padStart(2, '0'))
      .join(':');
  }

  function sleep(milliseconds) {
    return new Promise((resolve) => setTimeout(resolve, milliseconds));
  }
})();
