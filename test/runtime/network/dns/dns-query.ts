/** A query as a resolver sends it. */
export function dnsQuery(
  name: string,
  { id = 1, type = 1, payloadSize }: { id?: number; type?: number; payloadSize?: number } = {},
): Buffer {
  const header = Buffer.from([id >> 8, id & 0xff, 0x01, 0, 0, 1, 0, 0, 0, 0, 0, payloadSize ? 1 : 0]);
  const labels = name.split('.').flatMap((label) => [Buffer.from([label.length]), Buffer.from(label)]);
  const question = Buffer.concat([...labels, Buffer.from([0, type >> 8, type & 0xff, 0, 1])]);
  if (!payloadSize) return Buffer.concat([header, question]);
  const opt = Buffer.from([0, 0, 41, payloadSize >> 8, payloadSize & 0xff, 0, 0, 0, 0, 0, 0]);
  return Buffer.concat([header, question, opt]);
}
