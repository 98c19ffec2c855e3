import type { Platform } from '../../deploy/platform.ts';

/** For tests of front ends in which nobody hears of anything. */
export const noWebhooks: Platform['webhooks'] = {
  list: () => [],
  add: async (_, { url, secret = 'made-for-you', user }) => ({
    id: 1,
    url,
    secret,
    createdAt: new Date(0),
    createdBy: user,
  }),
  remove: () => {},
  deliveries: () => [],
  redeliver: (_, id) => ({
    id,
    webhook: 1,
    action: 'deploy',
    state: 'pending',
    createdAt: new Date(0),
    attempts: 0,
    nextAt: undefined,
    status: undefined,
    reason: undefined,
  }),
};
