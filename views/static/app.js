// What every page does besides htmx: fresh relative times, copy buttons, questions before what cannot be undone.
(() => {
  const UNITS = [
    [31536000, 'year'],
    [2592000, 'month'],
    [86400, 'day'],
    [3600, 'hour'],
    [60, 'minute'],
  ];

  /** The same words as in server/http/relative-time.ts. */
  function relativeTime(at) {
    const seconds = Math.round((Date.now() - at) / 1000);
    for (const [size, name] of UNITS) {
      const count = Math.floor(seconds / size);
      if (count >= 1) return `${count} ${name}${count === 1 ? '' : 's'} ago`;
    }
    return seconds < 5 ? 'just now' : `${seconds} seconds ago`;
  }

  function freshen(root) {
    for (const time of root.querySelectorAll('time[data-ago]')) {
      const text = relativeTime(Date.parse(time.dateTime));
      if (time.textContent !== text) time.textContent = text;
    }
  }

  function prepare(root) {
    freshen(root);
    if (navigator.clipboard) for (const button of root.querySelectorAll('[data-copy]')) button.hidden = false;
    for (const viewer of root.querySelectorAll('[data-log]')) window.startLogViewer(viewer);
  }

  document.addEventListener('click', async (event) => {
    const button = event.target.closest?.('[data-copy]');
    if (!button) return;
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = 'Copied';
    setTimeout(() => {
      button.textContent = 'Copy';
    }, 1500);
  });

  document.addEventListener('submit', (event) => {
    const question = event.target.dataset.confirm;
    if (question && !window.confirm(question)) event.preventDefault();
  });

  // The session ended while a live piece listened: the page says how to sign in again.
  document.addEventListener('htmx:sse:error', (event) => {
    if (event.detail.status === 401 || event.detail.status === 404) location.reload();
  });

  document.addEventListener('htmx:after:swap', () => prepare(document));
  document.querySelector('.tabs [aria-current]')?.scrollIntoView({ inline: 'center', block: 'nearest' });
  setInterval(() => freshen(document), 10000);
  prepare(document);
})();
