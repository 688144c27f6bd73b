// The two generations of the official client behind one face, so that one story can be told with both.
import {
  Client as ClientV2,
  SSEClientTransport as SseV2,
  StreamableHTTPClientTransport as StreamableV2,
} from '@modelcontextprotocol/client'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { SSEClientTransport as SseV1 } from '@modelcontextprotocol/sdk/client/sse.js'
import { StreamableHTTPClientTransport as StreamableV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { CreateMessageRequestSchema, LoggingMessageNotificationSchema } from '@modelcontextprotocol/sdk/types.js'
import type { OAuthClient } from '../../demo/oauth-client.ts'
import type { User } from '../../src/sandbox/users.ts'
import { withSignIn } from './oauth-client.ts'

export type Generation = 'v1' | 'v2 legacy' | 'v2 auto'
export type TransportKind = 'sse' | 'streamable'

/** Every generation over the transports that it has. */
export const SDK_CLIENTS: readonly (readonly [Generation, TransportKind])[] = [
  ['v1', 'sse'],
  ['v1', 'streamable'],
  ['v2 legacy', 'sse'],
  ['v2 legacy', 'streamable'],
  ['v2 auto', 'streamable'],
]

/** A connected client. */
export interface SdkClient {
  /** Revision that was agreed on; v1 over HTTP+SSE doesn't tell. */
  readonly revision: string | undefined
  listTools(): Promise<string[]>
  /** Text of the first content; a refusal that can be lifted by signing in is lifted by `user`. */
  callTool(
    name: string,
    args?: Record<string, unknown>,
    more?: { onprogress?: (progress: number) => void; user?: User },
  ): Promise<string>
  readResource(uri: string): Promise<string>
  getPrompt(name: string, args?: Record<string, string>): Promise<string>
  /** Resolves when the stream for messages of the server's own accord is open. */
  readonly streamOpened: Promise<void>
  /** The next log message that the server sends of its own accord. */
  nextLogMessage(): Promise<string>
  /** Ends the MCP session (DELETE), where the transport has one. */
  terminate(): Promise<void>
  close(): Promise<void>
}

export interface ConnectOptions {
  readonly generation: Generation
  readonly transport: TransportKind
  readonly url: string
  readonly oauth: OAuthClient
  readonly user: User
}

type AnyTransport = SseV1 | StreamableV1 | SseV2 | StreamableV2

const INFO = { name: 'test-client', version: '1.0.0' }
/** What the client answers when the server samples it. */
export const SAMPLED = 'Sampled by the client'

/** Connects, signing in when that is what it takes. */
export async function connectSdkClient({ generation, transport: kind, url, oauth, user }: ConnectOptions): Promise<SdkClient> {
  const stream = createStreamWatch()
  const messages = createInbox()
  let transport = createTransport(generation, kind, url, oauth, stream.fetch)
  const finishAuth = (redirect: URLSearchParams) => finish(transport, redirect)
  const client = await withSignIn(
    oauth,
    user,
    async () => {
      transport = createTransport(generation, kind, url, oauth, stream.fetch)
      const fresh = generation === 'v1' ? createV1(messages.put) : createV2(generation, messages.put)
      await fresh.connect(transport as never)
      return fresh
    },
    finishAuth,
  )

  return {
    revision: 'protocolVersion' in transport ? transport.protocolVersion : undefined,
    listTools: async () => (await client.listTools()).tools.map(({ name }) => name),
    callTool: (name, args = {}, { onprogress, user: asker = user } = {}) =>
      withSignIn(oauth, asker, async () => readText(await call(client, { name, arguments: args }, onprogress)), finishAuth),
    readResource: async (uri) => JSON.stringify((await client.readResource({ uri })).contents),
    getPrompt: async (name, args = {}) => JSON.stringify((await client.getPrompt({ name, arguments: args })).messages),
    streamOpened: stream.opened,
    nextLogMessage: messages.take,
    terminate: async () => {
      if ('terminateSession' in transport) await transport.terminateSession()
    },
    close: () => client.close(),
  }
}

function createTransport(
  generation: Generation,
  kind: TransportKind,
  url: string,
  authProvider: OAuthClient,
  fetch: typeof globalThis.fetch,
): AnyTransport {
  const address = new URL(url)
  // The first generation's types are stricter about absent members than its code.
  if (generation === 'v1')
    return kind === 'sse'
      ? new SseV1(address, { authProvider, fetch } as never)
      : new StreamableV1(address, { authProvider, fetch } as never)
  return kind === 'sse' ? new SseV2(address, { authProvider, fetch }) : new StreamableV2(address, { authProvider, fetch })
}

async function finish(transport: AnyTransport, redirect: URLSearchParams): Promise<void> {
  if (transport instanceof SseV1 || transport instanceof StreamableV1) await transport.finishAuth(redirect.get('code') ?? '')
  else await transport.finishAuth(redirect)
}

function createV1(onLogMessage: (text: string) => void): ClientV1 {
  const client = new ClientV1(INFO, { capabilities: { sampling: {} } })
  client.setRequestHandler(CreateMessageRequestSchema, () => createSample())
  client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => onLogMessage(String(params.data)))
  return client
}

function createV2(generation: Generation, onLogMessage: (text: string) => void): ClientV2 {
  const mode = generation === 'v2 auto' ? 'auto' : 'legacy'
  const client = new ClientV2(INFO, { capabilities: { sampling: {} }, versionNegotiation: { mode } })
  client.setRequestHandler('sampling/createMessage', () => createSample())
  client.setNotificationHandler('notifications/message', ({ params }) => onLogMessage(String(params.data)))
  return client
}

function createSample() {
  return { model: 'test', role: 'assistant' as const, content: { type: 'text' as const, text: SAMPLED } }
}

function call(
  client: ClientV1 | ClientV2,
  params: { name: string; arguments: Record<string, unknown> },
  onprogress?: (progress: number) => void,
) {
  const options = onprogress ? { onprogress: ({ progress }: { progress: number }) => onprogress(progress) } : {}
  return client instanceof ClientV1 ? client.callTool(params, undefined, options) : client.callTool(params, options)
}

function readText(result: unknown): string {
  const [first] = (result as { content: { text?: string }[] }).content
  return first?.text ?? ''
}

/** Tells when a GET was answered: only then can the server send something of its own accord. */
function createStreamWatch() {
  let open: () => void
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  const watching: typeof globalThis.fetch = async (input, init) => {
    const response = await globalThis.fetch(input, init)
    if (response.ok && response.headers.get('content-type')?.startsWith('text/event-stream') && (init?.method ?? 'GET') === 'GET')
      open()
    return response
  }
  return { opened, fetch: watching }
}

function createInbox() {
  const waiting: ((text: string) => void)[] = []
  const kept: string[] = []
  return {
    put: (text: string) => {
      const next = waiting.shift()
      if (next === undefined) kept.push(text)
      else next(text)
    },
    take: () =>
      new Promise<string>((resolve) => {
        const first = kept.shift()
        if (first === undefined) waiting.push(resolve)
        else resolve(first)
      }),
  }
}
