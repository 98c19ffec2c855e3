/** Why a request is not taken: it is answered with the status, and the connection closed. */
export class Refusal extends Error {
  readonly status: number;

  constructor(status: number, why: string) {
    super(why);
    this.name = 'Refusal';
    this.status = status;
  }
}
