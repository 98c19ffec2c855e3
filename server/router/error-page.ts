/** What went wrong between client and dyno, by Heroku's codes. */
export type ErrorCode = keyof typeof routerErrors;

/** Status and description, as they stand in an app's log. */
export const routerErrors = {
  H10: { status: 503, desc: 'App crashed' },
  H12: { status: 503, desc: 'Request timeout' },
  H13: { status: 503, desc: 'Connection closed without response' },
  H14: { status: 503, desc: 'No web dynos running' },
  H15: { status: 503, desc: 'Idle connection' },
  H17: { status: 503, desc: 'Poorly formed HTTP response' },
  H18: { status: 503, desc: 'Server Request Interrupted' },
  H19: { status: 503, desc: 'Backend connection timeout' },
  H20: { status: 503, desc: 'App boot timeout' },
  H21: { status: 503, desc: 'Backend connection refused' },
  H27: { status: 499, desc: 'Client Request Interrupted' },
  H28: { status: 499, desc: 'Client Connection Idle' },
  H80: { status: 503, desc: 'Maintenance mode' },
  H81: { status: 503, desc: 'Blank app' },
} as const;

/** An answer of the router's own. */
export interface Answer {
  status: number;
  title: string;
  text: string;
  /** A whole page in place of ours, as latin1. */
  page?: string;
  /** Of the page; HTML where it does not say. */
  type?: string;
  /** More field lines, each with its CRLF. */
  fields?: string;
}

/** The answer for a host that is nobody's; it names no app. */
export const unknownHost: Answer = {
  status: 404,
  title: 'Not found',
  text: 'There is nothing at this address.',
};

/** The answer while control restarts. */
export const dashboardAway: Answer = {
  status: 503,
  title: 'Restarting',
  text: 'The dashboard is not there at the moment. Try again in a few seconds.',
};

/** The answer to a client whose address is not among those that may come in. */
export const forbidden: Answer = {
  status: 403,
  title: 'Forbidden',
  text: 'This app is not open to your address.',
};

/** The answer to one who gives no password, or a wrong one (RFC 7617). */
export const unauthorized: Answer = {
  status: 401,
  title: 'Sign in',
  text: 'This app asks for a name and a password.',
  fields: 'WWW-Authenticate: Basic realm="Restricted", charset="UTF-8"\r\n',
};

/** The answer while too many passwords are being checked. */
export const overloaded: Answer = {
  status: 503,
  title: 'Busy',
  text: 'Too many people sign in at the moment. Try again in a few seconds.',
  fields: 'Retry-After: 2\r\n',
};

/** The answer to a client that asks too often (RFC 6585, 4). */
export function tooManyRequests(seconds: number): Answer {
  return {
    status: 429,
    title: 'Too many requests',
    text: 'Too many requests came from your address. Try again in a moment.',
    fields: `Retry-After: ${seconds}\r\n`,
  };
}

/** The answer that leads to another host. `location`: visible ASCII. */
export function redirection(status: number, location: string): Answer {
  return {
    status,
    title: 'Moved',
    text: 'This page is at another address.',
    fields: `Location: ${location}\r\n`,
  };
}

/** The answer to a request that came on a connection for another host: the client opens one of its own (RFC 9110, 15.5.20). */
export const misdirected: Answer = {
  status: 421,
  title: 'Misdirected request',
  text: 'This connection was opened for another address.',
};

/** What a certificate authority asked for (RFC 8555, 8.3). */
export function challengeAnswer(answer: string): Answer {
  return { status: 200, title: 'OK', text: '', page: answer, type: 'application/octet-stream' };
}

/** The answer for an app's error. `status` overrides the usual one, `page` the router's own page. */
export function appError(code: ErrorCode, status: number = routerErrors[code].status, page?: string): Answer {
  return { status, ...(APP_ERRORS[code] ?? APP_ERROR), ...(page !== undefined && { page }) };
}

const APP_ERRORS: Partial<Record<ErrorCode, Pick<Answer, 'title' | 'text'>>> = {
  H80: { title: 'Down for maintenance', text: 'This app is being looked after and will be back soon.' },
  H81: { title: 'Nothing here yet', text: 'This app has not been deployed yet.' },
};
const APP_ERROR = {
  title: 'Application error',
  text: 'This app could not answer. If it is yours, its log says why.',
};

/** The answer to a request that is refused. */
export function refusal(status: number): Answer {
  return { status, title: REASONS[status] ?? 'Bad Request', text: 'The request could not be understood.' };
}

/** Writes an answer down, head and page. */
export function formatAnswer(
  answer: Answer,
  options: { date: string; isHead: boolean; keepAlive: boolean },
): string {
  const page = answer.page ?? formatPage(answer);
  return (
    `HTTP/1.1 ${answer.status} ${REASONS[answer.status] ?? 'Error'}\r\n` +
    `Date: ${options.date}\r\n` +
    `Content-Type: ${answer.type ?? 'text/html; charset=utf-8'}\r\n` +
    `Content-Length: ${page.length}\r\n` +
    'Cache-Control: no-store\r\n' +
    `${answer.fields ?? ''}` +
    `${answer.status === 405 ? 'Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n' : ''}` +
    `Connection: ${options.keepAlive ? 'keep-alive' : 'close'}\r\n` +
    `\r\n${options.isHead ? '' : page}`
  );
}

/** ASCII only, so that its length is its bytes. */
function formatPage({ status, title, text }: Answer): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${title}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:32em;margin:20vh auto;padding:0 1em;color:#222}h1{font-size:1.4em}small{color:#666}@media(prefers-color-scheme:dark){body{background:#111;color:#ddd}}</style>
<h1>${title}</h1>
<p>${text}</p>
<p><small>${status}</small></p>
</html>
`;
}

const REASONS: Record<number, string> = {
  200: 'OK',
  301: 'Moved Permanently',
  302: 'Found',
  307: 'Temporary Redirect',
  308: 'Permanent Redirect',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  414: 'URI Too Long',
  417: 'Expectation Failed',
  421: 'Misdirected Request',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  505: 'HTTP Version Not Supported',
};
