import { randomUUID } from 'node:crypto'
import type { IdentityProviderPlan } from '../core/plan/identity-provider-plan.ts'
import { formEncode } from '../oauth/client-authentication.ts'
import type { RawAnswer, SafeFetch } from '../oauth/safe-fetch.ts'

/** An endpoint, and who named it. */
export interface NamedEndpoint {
  readonly url: string
  readonly namedBy: 'operator' | 'metadata'
}

/** What a token endpoint answers to a code that cannot exist. */
export interface TokenRefusal {
  readonly status: number
  /** `error` of the answer; undefined where it has none. */
  readonly error: string | undefined
  /** Whether it gave tokens, of all things. */
  readonly isOpen: boolean
}

/** What a token endpoint says of a client, and of one that cannot exist. */
export interface ClientProbe {
  readonly configured: TokenRefusal
  /** Undefined where there is no telling. */
  readonly stranger: TokenRefusal | undefined
}

type Client = Pick<IdentityProviderPlan, 'clientId' | 'clientAuthentication'>

/** A client, and the endpoint of the identity provider that is asked about it. */
export interface ClientQuestion {
  readonly plan: IdentityProviderPlan
  readonly endpoint: NamedEndpoint
  /** Redirect URI of the proxy. */
  readonly callback: string
  readonly fetchRaw: SafeFetch['fetchRaw']
}

/**
 * Exchanges a code that cannot exist: a client that is known is told so of the code, not of itself (RFC 6749 §5.2). Servers that look at
 * the code first tell everybody the same, so a client that cannot exist asks, too.
 *
 * @throws Error when the endpoint does not answer
 */
export async function probeClient({ plan, endpoint, callback, fetchRaw }: ClientQuestion): Promise<ClientProbe> {
  const ask = async (client: Client): Promise<TokenRefusal> => {
    const { headers, parameters } = authenticate(client)
    const form = new URLSearchParams({
      grant_type: 'authorization_code',
      code: 'doctor-asks-for-nothing',
      redirect_uri: callback,
      code_verifier: 'd'.repeat(43),
      ...parameters,
    })
    const answer = await fetchRaw(endpoint.url, {
      method: 'POST',
      namedBy: endpoint.namedBy,
      deadlineMs: plan.timeoutSeconds * 1000,
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
      body: form.toString(),
    })
    const { error, access_token: token } = readAnswer(answer)
    return { status: answer.status, error: typeof error === 'string' ? error : undefined, isOpen: typeof token === 'string' }
  }
  const configured = await ask(plan)
  return { configured, stranger: await ask(makeStranger(plan)).catch(() => undefined) }
}

function makeStranger({ clientAuthentication: how }: Client): Client {
  return {
    clientId: `doctor-${randomUUID()}`,
    clientAuthentication: how.method === 'none' ? how : { ...how, secret: randomUUID() },
  }
}

function authenticate({ clientId, clientAuthentication: how }: Client): {
  readonly headers: Readonly<Record<string, string>>
  readonly parameters: Readonly<Record<string, string>>
} {
  if (how.method === 'none') return { headers: {}, parameters: { client_id: clientId } }
  if (how.method === 'client_secret_post') return { headers: {}, parameters: { client_id: clientId, client_secret: how.secret } }
  const credentials = Buffer.from(`${formEncode(clientId)}:${formEncode(how.secret)}`).toString('base64')
  return { headers: { authorization: `Basic ${credentials}` }, parameters: {} }
}

function readAnswer({ bytes }: RawAnswer): { readonly error?: unknown; readonly access_token?: unknown } {
  try {
    return (JSON.parse(bytes.toString('utf8')) as object | null) ?? {}
  } catch {
    return {}
  }
}
