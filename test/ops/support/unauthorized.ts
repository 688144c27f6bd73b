import { Agent, request } from 'node:http'
import type { TestIssuer } from '../../support/tokens.ts'
import { formatCall } from './client.ts'

/** Header fields of requests that must never reach an MCP server, by what is wrong with them. */
export type UnauthorizedKinds = Readonly<Record<string, Readonly<Record<string, string>>>>

const HOURS = 3600

/**
 * Tokens of one issuer that no MCP server may see the call of.
 *
 * @param foreign - another issuer, whose keys count for nothing
 */
export async function createUnauthorizedKinds(
  issuer: TestIssuer,
  foreign: TestIssuer,
  resource: string,
): Promise<UnauthorizedKinds> {
  const now = Math.floor(Date.now() / 1000)
  const aud = resource
  const { kid } = issuer.signingKey
  const good = await issuer.mint({ claims: { aud } })
  const [head = '', claims = '', signature = ''] = good.split('.')
  const tokens = {
    'not a token': 'not.a.token',
    'a broken signature': `${head}.${claims}.${signature.slice(0, -8)}AAAAAAAA`,
    'no signature': `${Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url')}.${claims}.`,
    'a foreign key': await foreign.mint({ claims: { aud, iss: issuer.issuer }, header: { kid } }),
    'an unknown key': await foreign.mint({ claims: { aud, iss: issuer.issuer } }),
    'an unknown issuer': await foreign.mint({ claims: { aud } }),
    'another audience': await issuer.mint({ claims: { aud: 'https://other.example.com/mcp' } }),
    'a missing scope': await issuer.mint({ claims: { aud, scope: 'mcp:other' } }),
    'an expired token': await issuer.mint({ claims: { aud, iat: now - 3 * HOURS, exp: now - 2 * HOURS } }),
    'a token of the future': await issuer.mint({ claims: { aud, nbf: now + 2 * HOURS, exp: now + 3 * HOURS } }),
  }
  const withTokens = Object.entries(tokens).map(([kind, token]) => [kind, { authorization: `Bearer ${token}` }] as const)
  return Object.fromEntries([['no token', {}], ...withTokens])
}

/** How often each status came. */
export type Statuses = Map<number, number>

/** Sends calls with these header fields in turn, several at a time. */
export async function sendMany(
  url: string,
  kinds: readonly Readonly<Record<string, string>>[],
  count: number,
  atATime = 20,
): Promise<Statuses> {
  const agent = new Agent({ keepAlive: true, maxSockets: atATime })
  const statuses: Statuses = new Map()
  let next = 0
  const work = async (): Promise<void> => {
    while (next < count) {
      const index = next++
      const status = await ask(url, agent, kinds[index % kinds.length] ?? {}, `unauthorized-${index}`)
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
    }
  }
  await Promise.all(Array.from({ length: atATime }, work))
  agent.destroy()
  return statuses
}

/** @returns the status; 0 where no answer came */
function ask(url: string, agent: Agent, headers: Readonly<Record<string, string>>, id: string): Promise<number> {
  const body = formatCall(id)
  const fields = { 'content-type': 'application/json', 'content-length': String(body.length), ...headers }
  return new Promise((resolve) => {
    const sent = request(url, { method: 'POST', agent, headers: fields }, (response) => {
      response.resume().once('end', () => resolve(response.statusCode ?? 0))
    })
    sent.once('error', () => resolve(0))
    sent.end(body)
  })
}
