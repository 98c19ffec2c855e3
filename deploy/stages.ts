/** How long each named stage of a build took, in the order in which they ended. */
export class Stages {
  readonly list: { name: string; milliseconds: number }[] = [];

  async time<T>(name: string, work: () => Promise<T>): Promise<T> {
    const began = performance.now();
    try {
      return await work();
    } finally {
      this.note(name, performance.now() - began);
    }
  }

  note(name: string, milliseconds: number): void {
    this.list.push({ name, milliseconds: Math.round(milliseconds * 10) / 10 });
  }
}
