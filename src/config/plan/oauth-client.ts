import type { OAuthClientPlan } from '../../core/plan/oauth-client-plan.ts'
import { listKeyAlgorithms, parsePrivateKey } from '../format/key-material.ts'
import type { OAuthClientConfig } from '../schema/oauth-client.ts'
import type { SecretsAndFiles } from '../source/secrets-and-files.ts'

/** Settles how the proxy authenticates as a client. */
export function createOAuthClientPlan(client: OAuthClientConfig, secretsAndFiles: SecretsAndFiles): OAuthClientPlan {
  return { clientId: client.client_id, clientAuthentication: createClientAuthentication(client, secretsAndFiles) }
}

function createClientAuthentication(
  client: OAuthClientConfig,
  secretsAndFiles: SecretsAndFiles,
): OAuthClientPlan['clientAuthentication'] {
  const method = client.client_authentication
  if (method !== 'private_key_jwt') return { method, secret: read(client.client_secret, secretsAndFiles) }
  const key = parsePrivateKey(read(client.private_key, secretsAndFiles))
  const algorithm = client.algorithm ?? (key && listKeyAlgorithms(key)[0])
  if (key === undefined || algorithm === undefined) throw new Error('the private key has not been checked')
  return {
    method,
    // Always exported as PEM, whatever its original format.
    privateKey: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
    algorithm,
    keyId: client.key_id,
  }
}

function read(reference: OAuthClientConfig['client_secret'], secretsAndFiles: SecretsAndFiles): string {
  const secret = secretsAndFiles.findSecret(reference)
  if (secret === undefined) throw new Error('the secret has not been checked')
  return secret
}
