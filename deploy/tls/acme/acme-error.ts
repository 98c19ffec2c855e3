/** What a certificate authority refuses (RFC 8555, 6.7), or why it cannot be asked. The message is for people, on one line. */
export class AcmeError extends Error {
  /** e.g. `rateLimited`, without its namespace; `unreachable`: there was no answer of its. */
  readonly type: string;
  /** Not to be asked again before. */
  readonly retryAfter: Date | undefined;

  constructor(
    type: string,
    message: string,
    options: { retryAfter?: Date | undefined; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.name = 'AcmeError';
    this.type = type;
    this.retryAfter = options.retryAfter;
  }
}

/** Reads a problem document (RFC 7807); whatever else came says its status. */
export function acmeError(status: number, body: string, retryAfter: Date | undefined): AcmeError {
  const problem = parseObject(body);
  const type = textOf(problem.type)?.replace(/^urn:ietf:params:acme:error:/, '') ?? `status ${status}`;
  const parts = Array.isArray(problem.subproblems) ? problem.subproblems.slice(0, 10) : [];
  const details = [problem, ...parts].map((part) => textOf(part?.detail)).filter(Boolean);
  return new AcmeError(type, [type, ...new Set(details)].join(': '), { retryAfter });
}

/** The problem that stands in a challenge or an order. */
export function problemOf(document: Record<string, unknown>): string | undefined {
  const { type, detail } = (document.error ?? {}) as Record<string, unknown>;
  const text = [textOf(type)?.replace(/^urn:ietf:params:acme:error:/, ''), textOf(detail)]
    .filter(Boolean)
    .join(': ');
  return text === '' ? undefined : text;
}

function parseObject(body: string): Record<string, unknown> {
  try {
    const value = JSON.parse(body);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}

/** Of a stranger's: on one line, and bounded. */
function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value.replaceAll(/\p{Cc}+/gu, ' ').slice(0, 500) : undefined;
}
