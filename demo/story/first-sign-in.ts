import { UnauthorizedError } from '@modelcontextprotocol/client'
import type { User } from '../../src/sandbox/users.ts'
import type { Narrator } from '../narrator.ts'
import { type Actor, createTransport, type Stage } from './actor.ts'
import { check, formatName, shorten, tell, tellToken, visitPages } from './telling.ts'

export async function callWithoutToken({ client, transport, wire }: Actor, stage: Stage, narrator: Narrator): Promise<void> {
  narrator.step('The client calls the MCP server and has no token')
  const refusal = await client.connect(transport).then(
    () => undefined,
    (error) => error,
  )
  check(refusal instanceof UnauthorizedError, `connecting without a token should end in "unauthorized", not in ${refusal}`)
  const exchange = wire.take('POST', stage.url)
  tell(narrator, exchange)
  const challenge = exchange.headers.get('www-authenticate') ?? ''
  narrator.detail('WWW-Authenticate', challenge)
  check(exchange.status === 401, 'a call without a token must be answered with 401')
  check(/^Bearer .*resource_metadata="[^"]+"/.test(challenge), 'the challenge must say where the metadata is')
  check(!challenge.includes('error='), 'nothing was wrong yet, so the challenge must not speak of an error')
  check(stage.received.requests === 0, 'a call without a token must not reach the MCP server')
  narrator.meaning('Nothing has reached the MCP server. The answer says where to learn how to sign in.')
}

export function findAuthorizationServer({ wire }: Actor, stage: Stage, narrator: Narrator): void {
  narrator.step('It asks the proxy who signs users in (protected resource metadata, RFC 9728)')
  const { origin, pathname } = new URL(stage.url)
  const exchange = wire.take('GET', `${origin}/.well-known/oauth-protected-resource${pathname}`)
  tell(narrator, exchange)
  const metadata = JSON.parse(exchange.body)
  narrator.detail('resource', metadata.resource)
  narrator.detail('authorization_servers', metadata.authorization_servers.join(', '))
  narrator.detail('scopes_supported', metadata.scopes_supported.join(', '))
  check(metadata.resource === stage.url, 'the resource must be the very URL that the client was given')
  check(metadata.authorization_servers.includes(stage.issuer), 'the metadata must name the authorization server')
}

export function readItsMetadata({ wire }: Actor, stage: Stage, narrator: Narrator): void {
  narrator.step('It asks that authorization server what it can do (RFC 8414)')
  const exchange = wire.take('GET', `${stage.issuer}/.well-known/oauth-authorization-server`)
  tell(narrator, exchange)
  const metadata = JSON.parse(exchange.body)
  for (const name of ['issuer', 'authorization_endpoint', 'token_endpoint', 'registration_endpoint'])
    narrator.detail(name, metadata[name])
  check(metadata.issuer === stage.issuer, 'the issuer must be the one that was asked for')
  check(metadata.code_challenge_methods_supported.includes('S256'), 'PKCE with S256 must be offered')
}

export function register({ wire, oauth }: Actor, stage: Stage, narrator: Narrator): void {
  narrator.step('They have never met, so it registers itself (RFC 7591)')
  const exchange = wire.take('POST', `${stage.issuer}/register`)
  tell(narrator, exchange)
  narrator.detail('client_name', String(oauth.clientMetadata.client_name))
  narrator.detail('client_id', shorten(oauth.clientInformation()?.client_id ?? ''))
  check(exchange.status === 201, 'the registration must be answered with 201')
}

export async function signIn({ oauth }: Actor, user: User, narrator: Narrator): Promise<URL> {
  narrator.step(`It opens a browser, and ${formatName(user)} signs in (authorization code with PKCE)`)
  const url = oauth.waitingFor()
  check(url !== undefined, 'the client must have begun an authorization')
  narrator.sent(`GET ${url.origin}${url.pathname}`)
  for (const name of ['resource', 'scope', 'code_challenge_method']) narrator.detail(name, url.searchParams.get(name) ?? '')
  check(url.searchParams.get('code_challenge_method') === 'S256', 'the client must use PKCE with S256')
  return visitPages(oauth, user, narrator)
}

export async function exchangeCode(
  { oauth, transport, wire }: Actor,
  stage: Stage,
  redirect: URL,
  narrator: Narrator,
): Promise<void> {
  narrator.step('It exchanges the code for an access token')
  await transport.finishAuth(redirect.searchParams)
  tell(narrator, wire.take('POST', `${stage.issuer}/token`))
  const claims = tellToken(oauth, narrator)
  check(claims.iss === stage.issuer, 'the token must come from the authorization server')
  check(claims.aud === stage.url, 'the token must be meant for this MCP server and no other')
  narrator.meaning('The token is good for this one MCP server: elsewhere it is worth nothing (RFC 8707).')
}

export async function connect(actor: Actor, stage: Stage, narrator: Narrator): Promise<void> {
  narrator.step('It calls again, with the token')
  actor.wire.clear()
  actor.transport = createTransport(stage, actor.oauth, actor.wire)
  await actor.client.connect(actor.transport)
  const exchange = actor.wire.take('POST', stage.url)
  tell(narrator, exchange)
  narrator.detail(
    'MCP server',
    `${actor.client.getServerVersion()?.name} (protocol ${actor.client.getNegotiatedProtocolVersion()})`,
  )
  check(exchange.requestHeaders.get('authorization')?.startsWith('Bearer ') === true, 'the client must send its token')
  check(exchange.status === 200, 'a call with a good token must pass')
  check(stage.received.requests > 0, 'the call must have reached the MCP server')
  check(stage.received.withCredentials === 0, 'the token must not have reached the MCP server')
  narrator.meaning('The proxy checked signature, issuer, audience, expiry and scopes, and passed the call on without the token.')
}
