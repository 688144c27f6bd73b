import type { Configuration } from 'oidc-provider'

type ExtraClientMetadata = NonNullable<Configuration['extraClientMetadata']>

/**
 * Calls a function with the metadata of every client before they are validated.
 *
 * Workaround for oidc-provider 9.13.3: it calls its hook once for each additional member that the configuration names, and not at all
 * where none is named. A member that no client uses makes it called once.
 *
 * @param change - works on the object itself
 */
export function createClientMetadataHook(change: (metadata: Record<string, unknown>) => void): ExtraClientMetadata {
  return {
    properties: ['client_note'],
    validator: (_ctx, _name, _value, metadata) => change(metadata as Record<string, unknown>),
  }
}
