import type { Container } from './container.ts';
import type { EventLog } from './events.ts';

/** Tells everybody what has happened to a container. */
export function publishContainerEvent(
  events: EventLog,
  container: Container,
  happened: { action: string; attributes?: Record<string, string> },
): void {
  const { imageName, name, process } = container.config;
  events.publish({
    Type: 'container',
    Action: happened.action,
    id: container.id,
    origin: container.config.origin,
    // A label may be called as these are.
    attributes: { ...process.Labels, image: imageName, name, ...happened.attributes },
  });
}
