import { listKeyAlgorithms, parsePrivateKey } from '../format/key-material.ts'
import type { ConfigPath } from '../problem/problem.ts'
import type { OAuthClientConfig } from '../schema/oauth-client.ts'
import type { PartialConfig } from '../schema/partial-config.ts'
import type { CheckContext } from './check-context.ts'

type ClientKeys = Pick<OAuthClientConfig, 'client_secret' | 'client_authentication' | 'private_key' | 'algorithm'>

/** Checks that a client can authenticate the way it is to, and has no keys beside. */
export function checkOAuthClient(client: PartialConfig<ClientKeys>, at: ConfigPath, { isBroken, report }: CheckContext): void {
  const method = client.client_authentication
  if (method === undefined) return
  const [needed, useless] = method === 'private_key_jwt' ? ['private_key', 'client_secret'] : ['client_secret', 'private_key']
  const present = client as Record<string, unknown>
  if (present[needed] === undefined && !isBroken([...at, needed])) {
    report([...at, needed], { reason: `is missing; \`${method}\` needs it`, fix: 'Add it as { env: NAME } or { file: path }.' })
  }
  const unused = method === 'private_key_jwt' ? [useless] : [useless, 'algorithm', 'key_id']
  for (const key of unused) {
    if (present[key] === undefined) continue
    report([...at, key], {
      reason: `has no use with \`client_authentication: ${method}\``,
      fix: 'Remove it, or change the method.',
    })
  }
}

/** Checks that a private key can be used, with the algorithm that is named. */
export function checkPrivateKey(
  client: PartialConfig<ClientKeys>,
  at: ConfigPath,
  { secretsAndFiles, report }: CheckContext,
): void {
  const secret = secretsAndFiles.findSecret(client.private_key)
  if (secret === undefined) return
  const key = parsePrivateKey(secret)
  const algorithms = key ? listKeyAlgorithms(key) : []
  if (algorithms.length === 0) {
    report([...at, 'private_key'], {
      reason: 'is not a private key that can be used',
      fix: 'Give an unencrypted PEM or JWK: RSA of at least 2048 bits, EC on P-256, P-384 or P-521, or Ed25519.',
    })
  } else if (client.algorithm !== undefined && !algorithms.includes(client.algorithm)) {
    report([...at, 'algorithm'], {
      reason: `${client.algorithm} does not fit the private key`,
      fix: `Write one of ${algorithms.join(', ')}, or leave it out.`,
    })
  }
}
