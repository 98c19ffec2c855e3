// What our tests use of mocha, which brings no types of its own.
declare module 'mocha' {
  export interface Context {
    skip(): never;
    timeout(milliseconds: number): this;
    slow(milliseconds: number): this;
    retries(count: number): this;
    test?: { fullTitle(): string };
    currentTest?: { fullTitle(): string; state?: 'passed' | 'failed' };
  }

  type Body = (this: Context) => unknown;

  interface Adding<Result> {
    (title: string, body?: (this: Context) => unknown): Result;
    skip(title: string, body?: Body): Result;
    only(title: string, body?: Body): Result;
  }

  interface Suite {
    timeout(milliseconds: number): this;
  }

  interface Test {
    timeout(milliseconds: number): this;
    slow(milliseconds: number): this;
  }

  export const describe: Adding<Suite>;
  export const it: Adding<Test>;
  export function before(title: string, body: Body): void;
  export function before(body: Body): void;
  export function after(title: string, body: Body): void;
  export function after(body: Body): void;
  export function beforeEach(body: Body): void;
  export function afterEach(body: Body): void;

  interface Runner {
    stats?: Stats;
    on(event: 'pending' | 'pass' | 'fail', listener: (test: Titled) => void): void;
    on(event: 'retry', listener: (test: Titled, error: Error) => void): void;
  }

  interface Titled {
    title: string;
    titlePath(): string[];
  }

  interface Stats {
    passes: number;
    pending: number;
    failures: number;
  }

  export default class Mocha {
    constructor(options: {
      timeout?: number;
      slow?: number;
      reporter?: string;
      forbidOnly?: boolean;
      retries?: number;
      fgrep?: string;
    });
    addFile(path: string): this;
    loadFilesAsync(): Promise<void>;
    run(done: (failures: number) => void): Runner;
  }
}
