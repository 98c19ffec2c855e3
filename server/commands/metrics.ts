import type { TrafficPeriod } from '../../deploy/platform.ts';
import type { Command } from './command.ts';
import { textTable } from './text-table.ts';

const show: Command = {
  name: 'metrics',
  summary: 'Show how many requests an app got, how many failed, and how long they took',
  details: [
    'Of the last 5 minutes, hour, day and week. p50, p95 and p99: what half, 95% and 99% of the requests took at most, from the request to the',
    'end of its answer, within a tenth or so; WebSockets are left out. Counts come every 10 seconds. With --json also the last hour by minutes.',
  ],
  app: 'required',
  examples: ['metrics -a blog', 'metrics blog --json'],
  access: 'look',
  json: true,
  async run({ platform, app, out, json }) {
    const periods = platform.metrics.periods(app);
    if (json) return out.json({ periods, minutes: platform.metrics.minutes(app, 60) });
    out.lines(textTable(HEADER, periods.map(rowOf)));
  },
};

export const metricsCommands: Command[] = [show];

function rowOf({
  name,
  seconds,
  requests,
  clientErrors,
  serverErrors,
  p50,
  p95,
  p99,
}: TrafficPeriod): string[] {
  const share = (count: number) => (requests === 0 ? '-' : `${((100 * count) / requests).toFixed(1)}%`);
  const rate = (requests / seconds).toFixed(2);
  return [
    `last ${name}`,
    String(requests),
    rate,
    share(clientErrors),
    share(serverErrors),
    ...[p50, p95, p99].map(inMs),
  ];
}

function inMs(time: number | undefined): string {
  return time === undefined ? '-' : `${Number(time.toPrecision(2))} ms`;
}

const HEADER = ['', 'REQUESTS', 'PER SECOND', '4XX', '5XX', 'P50', 'P95', 'P99'];
