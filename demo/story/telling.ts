import { decodeJwt } from 'jose'
import type { User } from '../../src/sandbox/users.ts'
import type { Narrator } from '../narrator.ts'
import type { OAuthClient } from '../oauth-client.ts'
import type { Exchange } from '../wire.ts'

export function tell(narrator: Narrator, exchange: Exchange): void {
  narrator.sent(`${exchange.method} ${exchange.url}${formatCall(exchange)}`)
  narrator.received(`${exchange.status} ${exchange.statusText}`)
}

/** The JSON-RPC method and its target, where the request has one. */
function formatCall({ requestBody, url }: Exchange): string {
  if (!requestBody.startsWith('{') || !url.endsWith('/mcp')) return ''
  const { method, params } = JSON.parse(requestBody)
  return `  ${method}${params?.name === undefined ? '' : ` ${params.name}`}`
}

export function tellToken(oauth: OAuthClient, narrator: Narrator) {
  const claims = decodeJwt(oauth.tokens()?.access_token ?? '')
  narrator.received('an access token, in it:')
  for (const name of ['iss', 'aud', 'sub', 'scope']) narrator.detail(name, String(claims[name]))
  narrator.detail('valid for', `${(claims.exp ?? 0) - (claims.iat ?? 0)} seconds`)
  return claims
}

export async function visitPages(oauth: OAuthClient, user: User, narrator: Narrator): Promise<URL> {
  const redirect = await oauth.signInAs(user, (heading) => narrator.received(`page “${heading}”`))
  narrator.received(`redirect to ${redirect.origin}${redirect.pathname}`)
  narrator.detail('code', shorten(redirect.searchParams.get('code') ?? ''))
  narrator.detail('iss', redirect.searchParams.get('iss') ?? '')
  return redirect
}

export function readText(result: { content?: unknown }): string {
  const [content] = Array.isArray(result.content) ? result.content : []
  return content?.type === 'text' ? content.text : ''
}

export function readScopes(challenge: string): string[] {
  return /\bscope="([^"]*)"/.exec(challenge)?.[1]?.split(' ') ?? []
}

export function formatName({ displayName }: User): string {
  return displayName.split(',')[0] ?? displayName
}

/** Codes and ids are long, and nobody should get used to seeing secrets whole. */
export function shorten(text: string): string {
  return `${text.slice(0, 6)}…`
}

/** Ends the story unless this is so. */
export function check(isRight: boolean, expectation: string): asserts isRight {
  if (!isRight) throw new Error(expectation)
}
