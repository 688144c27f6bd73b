import type { SecurityEvent } from '../core/security-event.ts'
import { cutText, SCHEMA_VERSION } from './record-text.ts'

/** The members of records, by those of events. What is not here is written by its own name. */
const NAMES: Readonly<Record<string, string>> = {
  kind: 'event',
  clientId: 'client_id',
  requestId: 'request_id',
  identityProvider: 'identity_provider',
  clientName: 'client_name',
  redirectUris: 'redirect_uris',
  grantType: 'grant_type',
  tokenId: 'token_id',
  grantId: 'grant_id',
  keyId: 'key_id',
  configurationDigest: 'configuration_digest',
}

/** Most items of a list: clients register as many redirect URIs as they like. */
const MAX_ITEMS = 50

/** The record of an event: one line, without its end. @param now - milliseconds since the epoch */
export function formatEvent(event: SecurityEvent, now: number): string {
  const members = Object.entries(event).map(([name, value]) => [NAMES[name] ?? name, cut(value)])
  return JSON.stringify({
    audit: SCHEMA_VERSION,
    type: 'event',
    time: new Date(now).toISOString(),
    ...Object.fromEntries(members),
  })
}

function cut(value: unknown): unknown {
  if (typeof value === 'string') return cutText(value)
  if (Array.isArray(value)) return value.slice(0, MAX_ITEMS).map(cut)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .slice(0, MAX_ITEMS)
      .map(([name, member]) => [name, cut(member)]),
  )
}
