// Follows a log or a build's output: reads an event stream, gathers what came, and draws it once a frame.
(() => {
  const MOST_LINES = 100000;
  const BLOCK = 50;
  /** More lines at once than anybody reads: then the next ones may wait (ms), so that the page stays quick. */
  const FLOOD = 100;
  const FLOOD_PAUSE = 100;
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
      this.list = new LineList(this.box, this.isBuild);
      this.waiting = [];
      this.flooded = false;
      this.unseen = 0;
      this.following = true;
      this.failures = 0;
    }

    start() {
      this.list.adopt();
      for (const bar of this.root.querySelectorAll('[data-log-bar]')) bar.hidden = false;
      this.followButton.hidden = this.ended;
      this.#filterAtOnce();
      this.searchInput.addEventListener('input', () => this.#search());
      this.followButton.addEventListener('click', () => this.#follow(!this.following));
      this.newButton.addEventListener('click', () => this.#follow(true));
      this.box.addEventListener('scroll', () => this.#scrolled(), { passive: true });
      if (!this.ended) {
        document.addEventListener('visibilitychange', () => this.#watchWhileVisible());
        this.#watchWhileVisible();
      }
      if (!this.ended || !this.isBuild) this.#toEnd();
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
      this.frame ??= this.flooded
        ? setTimeout(() => requestAnimationFrame(() => this.#draw()), FLOOD_PAUSE)
        : requestAnimationFrame(() => this.#draw());
    }

    #draw() {
      this.frame = undefined;
      const lines = this.waiting;
      this.waiting = [];
      this.flooded = lines.length > FLOOD;
      this.list.append(lines);
      if (this.following) {
        this.#toEnd();
      } else {
        this.unseen += lines.length;
        this.newButton.hidden = false;
        this.newButton.textContent = `${this.unseen.toLocaleString()} new ↓`;
      }
    }

    #search() {
      clearTimeout(this.searchTimer);
      this.searchTimer = setTimeout(() => {
        this.list.filter(this.searchInput.value);
        if (this.following) this.#toEnd();
      }, 120);
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

  /**
   * Lines in blocks, of which only those near the reader's window have elements; the others are a height. So a
   * flood costs what is seen of it, and a hundred thousand lines little memory.
   */
  class LineList {
    constructor(box, isBuild) {
      this.box = box;
      this.isBuild = isBuild;
      this.blocks = [];
      this.count = 0;
      this.wanted = '';
      this.lineHeight = 20;
      this.observer = new IntersectionObserver((entries) => this.#moved(entries), {
        root: box,
        rootMargin: '800px 0px',
      });
    }

    /** Takes over the lines that came with the page. */
    adopt() {
      for (const time of this.box.querySelectorAll('time')) time.textContent = clock(new Date(time.dateTime));
      const lines = [...this.box.querySelectorAll('.line:not([data-log-empty])')];
      if (lines.length === 0) return;
      this.lineHeight = lines[0].getBoundingClientRect().height || this.lineHeight;
      this.box.replaceChildren();
      this.append(lines);
    }

    append(lines) {
      this.box.querySelector('[data-log-empty]')?.remove();
      const fresh = new Set();
      for (const line of lines) {
        let block = this.blocks.at(-1);
        if (!block || block.lines.length >= BLOCK) block = this.#addBlock();
        block.lines.push(line);
        fresh.add(block);
      }
      this.count += lines.length;
      const [last, beforeLast] = [this.blocks.at(-1), this.blocks.at(-2)];
      for (const block of fresh) {
        if (block === last || block === beforeLast || block.drawn) this.#draw(block);
        else this.#rest(block);
      }
      while (this.count > MOST_LINES) this.#dropOldest();
    }

    filter(text) {
      this.wanted = text.trim().toLowerCase();
      for (const block of this.blocks) {
        for (const element of block.element.children) element.hidden = !this.#isWanted(element);
        if (block.drawn) this.#hideIfEmpty(block);
        else this.#rest(block);
      }
    }

    /** Blocks of no height would all be in the window, and be drawn. */
    #hideIfEmpty(block) {
      block.element.hidden = this.wanted !== '' && !block.lines.some((line) => this.#isWanted(line));
    }

    #addBlock() {
      const element = document.createElement('div');
      const block = { element, lines: [], drawn: false };
      element.block = block;
      this.box.append(element);
      this.blocks.push(block);
      this.observer.observe(element);
      return block;
    }

    #dropOldest() {
      const oldest = this.blocks.shift();
      this.observer.unobserve(oldest.element);
      oldest.element.remove();
      this.count -= oldest.lines.length;
    }

    #moved(entries) {
      for (const { target, isIntersecting, boundingClientRect } of entries) {
        const { block } = target;
        if (isIntersecting) {
          this.#draw(block);
        } else if (block.drawn && block !== this.blocks.at(-1)) {
          if (!this.wanted) {
            block.height = boundingClientRect.height;
            this.lineHeight = block.height / block.lines.length;
          }
          this.#rest(block);
        }
      }
    }

    /** Makes the elements that are missing. */
    #draw(block) {
      block.drawn = true;
      block.element.style.height = '';
      for (const line of block.lines.slice(block.element.childElementCount)) {
        const element = line instanceof Element ? line : lineElement(line, this.isBuild);
        element.hidden = !this.#isWanted(element);
        block.element.append(element);
      }
      this.#hideIfEmpty(block);
    }

    /** Leaves the height alone. */
    #rest(block) {
      const count = this.wanted
        ? block.lines.filter((line) => this.#isWanted(line)).length
        : block.lines.length;
      const known = this.wanted ? undefined : block.height;
      block.drawn = false;
      block.element.hidden = count === 0;
      block.element.replaceChildren();
      block.element.style.height = `${known ?? count * this.lineHeight}px`;
    }

    #isWanted(line) {
      return this.wanted === '' || textOf(line).toLowerCase().includes(this.wanted);
    }
  }

  function textOf(line) {
    if (line === null) return '';
    if (line instanceof Element) return line.textContent;
    return line.flat(3).join('');
  }

  /** Text is only ever set as text, and classes come from our own server's closed list: nothing here can be markup. */
  function lineElement(line, isBuild) {
    const element = document.createElement('div');
    element.className = 'line';
    if (line === null) {
      element.className = 'line gap';
      element.textContent = '… some lines are missing here; the download has them …';
      return element;
    }
    const segments = isBuild ? line : line[3];
    if (!isBuild) element.append(...prefix(line));
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
    return element;
  }

  function prefix([at, who, hue]) {
    const date = new Date(at);
    const time = document.createElement('time');
    time.dateTime = date.toISOString();
    time.title = time.dateTime;
    time.textContent = clock(date);
    const name = document.createElement('span');
    name.className = `who hue-${hue}`;
    name.textContent = who;
    return [time, name];
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

  function clock(date) {
    return [date.getHours(), date.getMinutes(), date.getSeconds()]
      .map((n) => String(n).padStart(2, '0'))
      .join(':');
  }

  function sleep(milliseconds) {
    return new Promise((resolve) => setTimeout(resolve, milliseconds));
  }
})();
