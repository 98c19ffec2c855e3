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
