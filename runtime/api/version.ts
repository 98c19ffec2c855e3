/** The Engine API that we speak; see https://docs.docker.com/reference/api/engine/. */
export const API_VERSION = '1.47';
export const MIN_API_VERSION = '1.24';
