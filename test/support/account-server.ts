import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { json } from 'node:stream/consumers'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import {
  type AuthorizationServer,
  type AuthorizationServerOptions,
  startAuthorizationServer,
} from '../../src/sandbox/authorization-server.ts'
import { closeServer, listenOnLoopback } from '../../src/sandbox/listen.ts'
import { rememberSecret } from './secrets-in-use.ts'

/** An MCP server of another company: it takes tokens of its own authorization server alone. */
export interface AccountServer {
  readonly url: string
  readonly origin: string
  readonly authorizationServer: AuthorizationServer
  /** Values of `authorization` of the calls that it got, in their order; empty where there was none. */
  readonly shown: readonly string[]
  /** Bodies of the calls that it took. */
  readonly calls: readonly Readonly<Record<string, unknown>>[]
  /** Changes what it answers, from now on. */
  readonly behavior: Behavior
  close(): Promise<void>
}

export interface Behavior {
  /** Metadata of the protected resource; undefined for none. */
  metadata: object | undefined
  /** The challenge of its 401; undefined for the one that names the metadata. */
  challenge: string | undefined
  /** Answers to calls, whatever their token, with a status and headers. */
  refusal: { readonly status: number; readonly headers: Readonly<Record<string, string>> } | undefined
}

/** @param options - of its authorization server */
export async function startAccountServer(options: AuthorizationServerOptions = {}): Promise<AccountServer> {
  const authorizationServer = await startAuthorizationServer(options)
  const shown: string[] = []
  const calls: Readonly<Record<string, unknown>>[] = []
  const server = createServer((request, response) => void answer(request, response).catch(() => response.destroy()))
  const origin = `http://127.0.0.1:${await listenOnLoopback(server, 0)}`
  const url = `${origin}/mcp`
  authorizationServer.addResource(url)
  const keys = createRemoteJWKSet(new URL(`${authorizationServer.issuer}/jwks`))
  const behavior: Behavior = {
    metadata: { resource: url, authorization_servers: [authorizationServer.issuer], scopes_supported: ['mcp:tools'] },
    challenge: undefined,
    refusal: undefined,
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.url?.startsWith('/.well-known/')) return answerMetadata(request, response)
    const { authorization = '' } = request.headers
    const message = (await json(request)) as { id?: unknown; method: string; params?: { name?: string } }
    if (message.method !== 'ping') shown.push(authorization)
    rememberSecret(authorization.replace(/^Bearer /, ''))
    const payload = await verify(authorization)
    if (payload === undefined) {
      const own = `Bearer resource_metadata="${origin}/.well-known/oauth-protected-resource/mcp"`
      return void response.writeHead(401, { 'www-authenticate': behavior.challenge ?? own }).end()
    }
    if (behavior.refusal !== undefined)
      return void response.writeHead(behavior.refusal.status, { ...behavior.refusal.headers }).end()
    calls.push(message)
    if (message.id === undefined) return void response.writeHead(202).end()
    const headers = { 'content-type': 'application/json', ...(message.method === 'initialize' && { 'mcp-session-id': 's1' }) }
    response
      .writeHead(200, headers)
      .end(JSON.stringify({ jsonrpc: '2.0', id: message.id, result: createResult(message.method, payload) }))
  }

  function answerMetadata(request: IncomingMessage, response: ServerResponse): void {
    const isThere = behavior.metadata !== undefined && request.url === '/.well-known/oauth-protected-resource/mcp'
    response.writeHead(isThere ? 200 : 404, { 'content-type': 'application/json' }).end(JSON.stringify(behavior.metadata ?? {}))
  }

  async function verify(authorization: string) {
    try {
      const options = { audience: url, issuer: authorizationServer.issuer }
      return (await jwtVerify(authorization.replace(/^Bearer /, ''), keys, options)).payload
    } catch {
      return undefined
    }
  }

  return {
    url,
    origin,
    authorizationServer,
    shown,
    calls,
    behavior,
    async close() {
      await closeServer(server)
      await authorizationServer.close()
    },
  }
}

function createResult(method: string, { sub, scope }: { readonly sub?: string; readonly scope?: unknown }): object {
  if (method !== 'initialize') return { content: [{ type: 'text', text: `${sub} may ${scope}` }] }
  return { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'saas', version: '1' } }
}
