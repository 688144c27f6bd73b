import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import {
  localhostHostValidation,
  localhostOriginValidation,
  type NodeIncomingMessageLike,
  toNodeHandler,
} from '@modelcontextprotocol/node'
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js'
import {
  createMcpHandler,
  isLegacyRequest,
  type McpServer,
  type Transport,
  WebStandardStreamableHTTPServerTransport,
} from '@modelcontextprotocol/server'
import { closeServer, listenOnLoopback } from '../src/sandbox/listen.ts'
import { type Counters, createExampleServer } from './mcp-server/example.ts'

export interface ExampleMcpServer {
  readonly port: number
  /** Streamable HTTP, every revision from 2025-03-26 on. */
  readonly streamableHttpUrl: string
  /** HTTP+SSE of 2024-11-05; its messages go to `/messages`. */
  readonly sseUrl: string
  /** What has arrived until now. */
  readonly received: { readonly requests: number; readonly withCredentials: number }
  close(): Promise<void>
}

/** MCP sessions kept at a time; the one that was opened first makes room. */
const MAX_SESSIONS = 200

/**
 * Starts an unprotected MCP server on 127.0.0.1: the kind that the proxy is made to stand in front of.
 *
 * @param options.port - 0, the default, takes a free port
 */
export async function startMcpServer({ port = 0 }: { port?: number } = {}): Promise<ExampleMcpServer> {
  const counters: Counters = new Map()
  const createExample = () => createExampleServer(counters)
  const streamable = createStreamableHttp(createExample)
  const sse = createSse(createExample)
  const isHostRight = localhostHostValidation()
  const isOriginRight = localhostOriginValidation()
  const received = { requests: 0, withCredentials: 0 }

  const server = createServer((request, response) => {
    received.requests += 1
    if (request.headers.authorization !== undefined) received.withCredentials += 1
    if (!isHostRight(request, response) || !isOriginRight(request, response)) return
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost')
    if (pathname === '/mcp') void streamable.handle(request as NodeIncomingMessageLike, response)
    else if (pathname === '/sse' && request.method === 'GET') void sse.open(response)
    else if (pathname === '/messages' && request.method === 'POST')
      void sse.post(searchParams.get('sessionId'), request, response)
    else response.writeHead(404).end()
  })
  const listening = await listenOnLoopback(server, port)
  const origin = `http://localhost:${listening}`
  return {
    port: listening,
    streamableHttpUrl: `${origin}/mcp`,
    sseUrl: `${origin}/sse`,
    received,
    close: async () => {
      await streamable.close()
      await closeServer(server)
    },
  }
}

/** One endpoint for all revisions: 2026-07-28 needs no sessions, the ones before do. */
function createStreamableHttp(createExample: () => McpServer) {
  const modern = createMcpHandler(createExample, { legacy: 'reject' })
  const sessions = new Map<string, WebStandardStreamableHTTPServerTransport>()

  const openSession = async (): Promise<WebStandardStreamableHTTPServerTransport> => {
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => {
        sessions.set(id, transport)
        const [oldest] = sessions
        if (oldest !== undefined && sessions.size > MAX_SESSIONS) void oldest[1].close()
      },
    })
    transport.onclose = () => void sessions.delete(transport.sessionId ?? '')
    await createExample().connect(transport)
    return transport
  }

  const serveSession = async (request: Request): Promise<Response> => {
    const id = request.headers.get('mcp-session-id')
    const transport = id === null ? await openSession() : sessions.get(id)
    if (transport !== undefined) return transport.handleRequest(request)
    return Response.json({ jsonrpc: '2.0', id: null, error: { code: -32001, message: 'Session not found' } }, { status: 404 })
  }

  return {
    handle: toNodeHandler({
      fetch: async (request, options) =>
        (await isLegacyRequest(request)) ? serveSession(request) : modern.fetch(request, options),
    }),
    close: async () => {
      await modern.close()
      await Promise.all([...sessions.values()].map((transport) => transport.close()))
    },
  }
}

/** The two endpoints of the first revision: a stream that is opened once, and a place to post messages to. */
function createSse(createExample: () => McpServer) {
  const sessions = new Map<string, SSEServerTransport>()

  return {
    open: async (response: ServerResponse) => {
      const transport = new SSEServerTransport('/messages', response)
      sessions.set(transport.sessionId, transport)
      response.once('close', () => sessions.delete(transport.sessionId))
      // The transport is of the SDK's first major version, the server of its second; what passes between them is the same.
      await createExample().connect(transport as Transport)
    },
    post: async (id: string | null, request: IncomingMessage, response: ServerResponse) => {
      const transport = id === null ? undefined : sessions.get(id)
      if (transport === undefined) response.writeHead(404).end('Session not found')
      else await transport.handlePostMessage(request, response)
    },
  }
}
