/** A time to the minute: `2026-08-10 03:00 UTC`. */
export function minuteText(at: Date): string {
  return `${at.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
