import type { Platform } from '../../deploy/platform.ts';

/** Of a platform in memory: no app redirects anything. */
export const noRedirects: Platform['redirects'] = {
  list: () => [],
  add: async (_app, { from, to, status }) => ({ hostname: from, to, status }),
  remove: async () => {},
};

/** Of a platform in memory: no port leads to an app. */
export const noPorts: Platform['ports'] = { list: () => [], add: async () => {}, remove: async () => {} };

/** Of a platform in memory: everybody may come in. */
export const noVisitorRules: Platform['visitors'] = {
  find: () => ({}),
  allow: async () => ({}),
  disallow: async () => ({}),
  setPassword: async () => {},
  removeLogin: async () => {},
  setRate: async () => {},
  setSticky: async () => {},
  setErrorPage: async () => {},
};

/** Of a platform in memory: an app that was asked once, and answered in 3 ms. */
export const fewMetrics: Platform['metrics'] = {
  periods: () => [
    {
      name: '5 minutes',
      seconds: 300,
      requests: 1,
      clientErrors: 0,
      serverErrors: 0,
      bytes: 5,
      p50: 3,
      p95: 3,
      p99: 3,
    },
  ],
  minutes: () => [],
};

/** Of a platform in memory: no host has a certificate. */
export const noCertificates: Platform['certificates'] = {
  list: () => [],
  add: async () => [],
  remove: async () => {},
  whyNone: undefined,
  isAutomatic: () => true,
  setAutomatic: async () => {},
  renew: async () => [],
};

/** Of a platform in memory: HTTP is as good as HTTPS. */
export const noHttps: Platform['https'] = {
  find: () => ({ redirect: false, hsts: undefined }),
  setRedirect: async () => {},
  setHsts: async () => {},
};
