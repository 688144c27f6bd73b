import { createHash, randomBytes } from 'node:crypto'
import { readHidden, signIn } from '../../demo/browser.ts'
import type { User } from '../../src/sandbox/users.ts'

/** A client that sends just what a test wants, rather than what a good client would. */
export interface RawClient {
  readonly id: string
  readonly redirectUri: string
  readonly secret: string | undefined
}

export interface RawRequest {
  readonly url: URL
  readonly verifier: string
}

type Parameters = Readonly<Record<string, string | undefined>>

export async function register(origin: string, metadata: Record<string, unknown>): Promise<Response> {
  return fetch(`${origin}/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(metadata),
  })
}

// biome-ignore lint/suspicious/noExplicitAny: tests look at whatever came
export async function readJson(response: Response): Promise<any> {
  return response.json()
}

/** Registers a public client with one redirect URI. */
export async function createRawClient(
  origin: string,
  { redirectUri = 'https://client.example/cb', ...more }: { redirectUri?: string; [member: string]: unknown } = {},
): Promise<RawClient> {
  const response = await register(origin, { client_name: 'Raw client', redirect_uris: [redirectUri], ...more })
  const answer = await readJson(response)
  if (response.status !== 201) throw new Error(`registration: ${JSON.stringify(answer)}`)
  return { id: answer.client_id, redirectUri, secret: answer.client_secret }
}

/** An authorization request as it should be, but for what a test changes; undefined leaves a parameter out. */
export function createRequest(origin: string, client: RawClient, changes: Parameters = {}): RawRequest {
  const verifier = randomBytes(32).toString('base64url')
  const url = new URL('/authorize', origin)
  const parameters: Parameters = {
    response_type: 'code',
    client_id: client.id,
    redirect_uri: client.redirectUri,
    resource: `${origin}/mcp`,
    scope: 'mcp:tools',
    state: 'a state',
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    ...changes,
  }
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined) url.searchParams.set(name, value)
  return { url, verifier }
}

export interface RawCode extends RawRequest {
  readonly code: string
  readonly redirect: URL
}

/** Signs a user in and gives the redirect that ends it. */
export async function authorize(origin: string, client: RawClient, user: User, changes: Parameters = {}): Promise<RawCode> {
  const request = createRequest(origin, client, changes)
  const redirect = await signIn(request.url, user)
  return { ...request, redirect, code: redirect.searchParams.get('code') ?? '' }
}

export function postForm(url: string, form: Parameters, headers: Record<string, string> = {}): Promise<Response> {
  const body = new URLSearchParams()
  for (const [name, value] of Object.entries(form)) if (value !== undefined) body.set(name, value)
  return fetch(url, { method: 'POST', body, headers })
}

/** Exchanges a code as it should be done, but for what a test changes. */
export function redeem(
  origin: string,
  client: RawClient,
  { code, verifier }: RawCode,
  changes: Parameters = {},
  headers: Record<string, string> = {},
): Promise<Response> {
  const form = {
    grant_type: 'authorization_code',
    client_id: client.id,
    code,
    code_verifier: verifier,
    redirect_uri: client.redirectUri,
    ...changes,
  }
  return postForm(`${origin}/token`, form, headers)
}

export function refresh(origin: string, client: RawClient, refreshToken: string, changes: Parameters = {}): Promise<Response> {
  return postForm(`${origin}/token`, {
    grant_type: 'refresh_token',
    client_id: client.id,
    refresh_token: refreshToken,
    ...changes,
  })
}

/** From nothing to tokens. */
export async function obtainTokens(origin: string, client: RawClient, user: User, changes: Parameters = {}) {
  const response = await redeem(origin, client, await authorize(origin, client, user, changes))
  const tokens = await response.json()
  if (!response.ok) throw new Error(`no tokens: ${JSON.stringify(tokens)}`)
  return tokens as { access_token: string; refresh_token: string; scope: string; expires_in: number; token_type: string }
}

/** Calls the MCP server with a token; the status says whether that was let through. */
export async function callMcp(url: string, token: string): Promise<number> {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'initialize',
      params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1' } },
    }),
  })
  await response.body?.cancel()
  return response.status
}

/** A browser that a test leads by the hand: cookies, and nothing by itself. */
export interface Browser {
  readonly cookies: Map<string, string>
  open(url: string | URL, init?: RequestInit): Promise<Response>
}

/** @param send - how it reaches servers */
export function createBrowser(send: (url: string | URL, init: RequestInit) => Promise<Response> = fetch): Browser {
  const cookies = new Map<string, string>()
  return {
    cookies,
    async open(url, init = {}) {
      const headers = new Headers(init.headers)
      if (!headers.has('accept')) headers.set('accept', 'text/html')
      headers.set('cookie', [...cookies].map(([name, value]) => `${name}=${value}`).join('; '))
      const response = await send(url, { ...init, headers: Object.fromEntries(headers), redirect: 'manual' })
      for (const cookie of response.headers.getSetCookie()) {
        const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? []
        if (value === '') cookies.delete(name)
        else cookies.set(name, value)
      }
      return response
    },
  }
}

/** Opens an authorization request up to the consent page. */
export async function openConsentPage(
  browser: Browser,
  url: string | URL,
): Promise<{ url: string; html: string; headers: Headers }> {
  const redirect = await browser.open(url)
  const location = new URL(redirect.headers.get('location') ?? '', url).href
  const page = await browser.open(location)
  return { url: location, html: await page.text(), headers: page.headers }
}

/** Sends the form of a consent page. */
export function sendConsent(
  browser: Browser,
  page: { url: string; html: string },
  changes: Parameters = {},
  headers: Record<string, string> = {},
) {
  const form = { ...readHidden(page.html), action: 'allow', ...changes }
  const defined = Object.entries(form).filter((pair): pair is [string, string] => pair[1] !== undefined)
  return browser.open(page.url, { method: 'POST', body: new URLSearchParams(defined), headers })
}

/** Where a page leads on by itself. */
export function readRefresh(html: string): string {
  const target = /http-equiv="refresh" content="\d+;url=([^"]*)"/.exec(html)?.[1] ?? ''
  return target.replace(/&#(\d+);/g, (_match, code) => String.fromCharCode(Number(code)))
}
