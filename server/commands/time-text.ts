/** `2026-08-10 10:00:00 +0000 (~ 1h ago)`, as Heroku writes it. */
export function timeText(at: Date, now = new Date()): string {
  return `${at.toISOString().slice(0, 19).replace('T', ' ')} +0000 (~ ${agoText(now.getTime() - at.getTime())} ago)`;
}

/** `5s`, `12m`, `3h`, `9d` */
export function agoText(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

/** `340 ms`, `2.1 s`, `3 min 4 s`, `2 h 5 min`, `3 d 4 h` */
export function durationText(milliseconds: number): string {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 60_000) return `${(milliseconds / 1000).toFixed(1)} s`;
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  const minutes = Math.floor(seconds / 60);
  if (seconds < 86_400) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  const hours = Math.floor(minutes / 60);
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}
