import { Redis } from 'ioredis';

/** `redis`: unix socket path or redis:// URL. A Redis that is away is waited for. */
export function connectRedis(redis: string): Redis {
  const options = {
    maxRetriesPerRequest: null,
    retryStrategy: (times: number) => Math.min(times * 50, 1000),
  };
  const client = redis.startsWith('/') ? new Redis({ path: redis, ...options }) : new Redis(redis, options);
  // Whoever uses it hears of it, too; without a listener ioredis prints each attempt.
  return client.on('error', () => {});
}
