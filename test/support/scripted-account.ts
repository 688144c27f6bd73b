import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { closeServer, listenOnLoopback } from '../../src/sandbox/listen.ts'
import { rememberSecret } from './secrets-in-use.ts'

/** A request, as it arrived at one of the endpoints. */
export interface AskedOnce {
  readonly path: string
  readonly query: URLSearchParams
  /** Of a form; empty for anything else. */
  readonly form: URLSearchParams
  readonly body: string
  readonly headers: IncomingMessage['headers']
}

/** Answers a request at one path; what it returns is sent as JSON with 200. */
export type Script = (asked: AskedOnce, response: ServerResponse) => unknown

/** An MCP server and its authorization server in one, which do what a test says. By default they work. */
export interface ScriptedAccount {
  readonly origin: string
  readonly url: string
  readonly asked: readonly AskedOnce[]
  /** What was asked for at a path. */
  at(path: string): readonly AskedOnce[]
  /** How requests at a path are answered from now on. */
  script(path: string, script: Script): void
  close(): Promise<void>
}

export const RESOURCE_METADATA = '/.well-known/oauth-protected-resource/mcp'
export const SERVER_METADATA = '/.well-known/oauth-authorization-server'

export async function startScriptedAccount(): Promise<ScriptedAccount> {
  const asked: AskedOnce[] = []
  const server = createServer((request, response) => void answer(request, response).catch(() => response.destroy()))
  const origin = `http://127.0.0.1:${await listenOnLoopback(server, 0)}`
  const scripts = createScripts(origin)

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '', origin)
    const body = await text(request)
    const isForm = request.headers['content-type']?.startsWith('application/x-www-form-urlencoded') === true
    const one = {
      path: pathname,
      query: searchParams,
      form: new URLSearchParams(isForm ? body : ''),
      body,
      headers: request.headers,
    }
    if (pathname !== '/mcp' || !body.includes('"ping"')) asked.push(one)
    const script = scripts.get(pathname)
    if (script === undefined) return void response.writeHead(404).end()
    const document = await script(one, response)
    if (document !== response && document !== undefined) sendJson(response, 200, document)
  }

  return {
    origin,
    url: `${origin}/mcp`,
    asked,
    at: (path) => asked.filter((one) => one.path === path),
    script: (path, script) => void scripts.set(path, script),
    close: () => closeServer(server),
  }
}

function createScripts(origin: string): Map<string, Script> {
  let issued = 0
  return new Map<string, Script>([
    [RESOURCE_METADATA, () => ({ resource: `${origin}/mcp`, authorization_servers: [origin], scopes_supported: ['files'] })],
    [SERVER_METADATA, () => describeServer(origin)],
    ['/register', (_, response) => sendJson(response, 201, { client_id: 'registered', token_endpoint_auth_method: 'none' })],
    ['/authorize', ({ query }, response) => sendBack(query, response, { code: 'a-code' })],
    ['/token', () => issueTokens(++issued)],
    ['/revoke', () => ({})],
    ['/mcp', answerCall],
  ])
}

export function describeServer(origin: string, more: object = {}): object {
  return {
    issuer: origin,
    authorization_endpoint: `${origin}/authorize`,
    token_endpoint: `${origin}/token`,
    registration_endpoint: `${origin}/register`,
    revocation_endpoint: `${origin}/revoke`,
    token_endpoint_auth_methods_supported: ['none'],
    code_challenge_methods_supported: ['S256'],
    ...more,
  }
}

/** Tokens that tell one issue from the next. */
export function issueTokens(number: number, more: object = {}): object {
  const [access, refresh] = [`access-token-number-${number}-of-the-account`, `refresh-token-number-${number}-of-the-account`]
  rememberSecret(access)
  rememberSecret(refresh)
  return { access_token: access, refresh_token: refresh, token_type: 'Bearer', expires_in: 3600, ...more }
}

/** Redirects a browser to the client, as an authorization endpoint does. */
export function sendBack(
  query: URLSearchParams,
  response: ServerResponse,
  answer: Readonly<Record<string, string>>,
): ServerResponse {
  const target = new URL(query.get('redirect_uri') ?? '')
  for (const [name, value] of Object.entries({ state: query.get('state') ?? '', ...answer })) target.searchParams.set(name, value)
  return response.writeHead(303, { location: target.href }).end()
}

export function sendJson(response: ServerResponse, status: number, document: unknown): ServerResponse {
  return response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(document))
}

/** Takes any bearer token, and answers with it so that a test sees whose it was: reversed, since no answer may hold a token. */
const answerCall: Script = ({ headers, body }, response) => {
  if (headers.authorization === undefined) return response.writeHead(401, { 'www-authenticate': 'Bearer' }).end()
  const { id } = JSON.parse(body) as { id: unknown }
  const number = /number-(\d+)/.exec(headers.authorization)?.[1]
  return { jsonrpc: '2.0', id, result: { content: [{ type: 'text', text: `issue ${number}` }] } }
}
