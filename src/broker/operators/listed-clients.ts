import type { ClientPlan } from '../../core/plan/client-plan.ts'
import type { RegisteredClient, RegisteredSession } from '../../core/sign-in-register.ts'
import type { ReadEntries } from './read-entries.ts'

/** Clients of the configuration, registered ones, and those with a metadata document that users allowed something. */
export function listClients(
  configured: readonly ClientPlan[],
  registered: ReadEntries['entries'],
  sessions: readonly RegisteredSession[],
): readonly RegisteredClient[] {
  const known = new Map<string, RegisteredClient>()
  const add = (clientId: unknown, name: unknown, kind: RegisteredClient['kind']): void => {
    if (typeof clientId !== 'string' || known.has(clientId)) return
    known.set(clientId, { clientId, name: typeof name === 'string' ? name : undefined, kind })
  }
  for (const { id } of configured) add(id, undefined, 'configured')
  for (const { value } of registered) add(value.client_id, value.client_name, 'registered')
  for (const { clientId } of sessions) if (clientId?.startsWith('https://')) add(clientId, undefined, 'metadata_document')
  return [...known.values()]
}
