/** A network of the runtime's, and what others in it call a container. */
export interface AppNetwork {
  name: string;
  aliases: string[];
}

/** An app's own network: its dynos reach each other, and no other app's. */
export function appNetwork(app: string, types: string[] = []): AppNetwork {
  return { name: `app-${app}`, aliases: types.map((type) => `${type}.${app}.internal`) };
}
