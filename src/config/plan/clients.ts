import type { ClientKeysPlan, ClientPlan } from '../../core/plan/client-plan.ts'
import { parsePublicKeys } from '../format/key-material.ts'
import type { ClientConfig } from '../schema/clients.ts'
import type { SecretsAndFiles } from '../source/secrets-and-files.ts'

/** Settles a client of the broker that is known beforehand. */
export function createClientPlan(client: ClientConfig, secretsAndFiles: SecretsAndFiles): ClientPlan {
  return {
    id: client.client_id,
    name: client.name ?? client.client_id,
    redirectUris: client.redirect_uris,
    authentication: createAuthentication(client, secretsAndFiles),
    grants: client.grants,
    scopes: client.scopes,
    servers: client.servers,
  }
}

function createAuthentication(client: ClientConfig, secretsAndFiles: SecretsAndFiles): ClientKeysPlan {
  if (client.jwks_uri !== undefined) return { method: 'private_key_jwt', jwksUri: client.jwks_uri }
  if (client.public_keys_file !== undefined) {
    const keys = parsePublicKeys(secretsAndFiles.findFile(client.public_keys_file) ?? '')
    if (keys.length === 0) throw new Error('the public keys have not been checked')
    return { method: 'private_key_jwt', keys }
  }
  if (client.client_secret === undefined) return { method: 'none' }
  const secret = secretsAndFiles.findSecret(client.client_secret)
  if (secret === undefined) throw new Error('the secret has not been checked')
  return { method: 'client_secret', secret }
}
