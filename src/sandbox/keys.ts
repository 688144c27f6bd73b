import { exportJWK, generateKeyPair } from 'jose'
import type { JWK } from 'oidc-provider'

export type SigningAlgorithm = 'RS256' | 'PS256' | 'ES256' | 'ES384' | 'EdDSA'

let generated = 0

/** Makes a private key to sign tokens with; its id is unlike that of any other key of this process. */
export async function createSigningKey(algorithm: SigningAlgorithm): Promise<JWK & { kid: string }> {
  const { privateKey } = await generateKeyPair(algorithm, { extractable: true })
  generated += 1
  return { ...(await exportJWK(privateKey)), kid: `demo-key-${generated}`, alg: algorithm, use: 'sig' } as JWK & { kid: string }
}
