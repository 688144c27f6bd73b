import { createPrivateKey, randomUUID } from 'node:crypto'
import { SignJWT } from 'jose'
import type { OAuthClientPlan } from '../core/plan/oauth-client-plan.ts'

/** What a request to the authorization server carries to show who we are. */
export interface ClientCredentials {
  readonly headers: Readonly<Record<string, string>>
  /** Parameters of the form. */
  readonly parameters: Readonly<Record<string, string>>
}

/** Makes the credentials for one request. */
export type AuthenticateClient = () => ClientCredentials | Promise<ClientCredentials>

const ASSERTION_SECONDS = 60

/**
 * Prepares client authentication (RFC 6749 §2.3.1, RFC 7523 §2.2).
 *
 * @param plan - client and how it authenticates
 * @param issuer - issuer identifier, the only audience of an assertion, so that no other server can use it
 * @param now - milliseconds since the epoch
 */
export function createClientAuthentication(plan: OAuthClientPlan, issuer: string, now: () => number): AuthenticateClient {
  const { clientId, clientAuthentication: how } = plan
  switch (how.method) {
    case 'client_secret_basic': {
      const pair = `${formEncode(clientId)}:${formEncode(how.secret)}`
      const headers = { authorization: `Basic ${Buffer.from(pair).toString('base64')}` }
      return () => ({ headers, parameters: {} })
    }
    case 'client_secret_post':
      return () => ({ headers: {}, parameters: { client_id: clientId, client_secret: how.secret } })
    case 'private_key_jwt': {
      const sign = createAssertionSigner(how, clientId, issuer, now)
      return async () => ({
        headers: {},
        parameters: {
          client_id: clientId,
          client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
          client_assertion: await sign(),
        },
      })
    }
  }
}

type PrivateKeyPlan = Extract<OAuthClientPlan['clientAuthentication'], { readonly method: 'private_key_jwt' }>

function createAssertionSigner(
  { privateKey, algorithm, keyId }: PrivateKeyPlan,
  clientId: string,
  issuer: string,
  now: () => number,
): () => Promise<string> {
  const key = createPrivateKey(privateKey)
  return () => {
    const issuedAt = Math.floor(now() / 1000)
    return new SignJWT()
      .setProtectedHeader({ alg: algorithm, ...(keyId !== undefined && { kid: keyId }) })
      .setIssuer(clientId)
      .setSubject(clientId)
      .setAudience(issuer)
      .setJti(randomUUID())
      .setIssuedAt(issuedAt)
      .setExpirationTime(issuedAt + ASSERTION_SECONDS)
      .sign(key)
  }
}

/** RFC 6749 §2.3.1: both halves are form-encoded before they are joined. */
export function formEncode(text: string): string {
  return new URLSearchParams([['', text]]).toString().slice(1)
}
