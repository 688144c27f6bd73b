import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import {
  localhostHostValidation,
  localhostOriginValidation,
  type NodeIncomingMessageLike,
  toNodeHandler,
} from '@modelcontextprotocol/node'
import {
  createMcpHandler,
  isLegacyRequest,
  McpServer,
  WebStandardStreamableHTTPServerTransport,
} from '@modelcontextprotocol/server'
import { closeServer, listenOnLoopback } from '../../../src/sandbox/listen.ts'
import { addAskingTools } from './asking-tools.ts'
import { createEventStore } from './event-store.ts'
import { addInputRequiring, roundState } from './input-required.ts'
import { addPrompts, addResources, addSubscriptions } from './resources-and-prompts.ts'
import { addContentTools, addNotifyingTools, addProtocolTools, addSchemaTools, type ChangeNotifier } from './tools.ts'

export interface SuiteServer {
  readonly port: number
  /** `http://localhost:<port>/mcp`: the suite tests protection against DNS rebinding only where the name is local. */
  readonly url: string
  close(): Promise<void>
}

/** Milliseconds after which a client whose stream was broken off is told to come back. */
const RETRY = 100

/** Starts an MCP server on 127.0.0.1 that has every tool, prompt and resource that the conformance suite names, for every revision. */
export async function startSuiteServer(): Promise<SuiteServer> {
  const modern = createMcpHandler(() => createModern(modern.notify), { legacy: 'reject' })
  const sessions = createSessions()
  const handle = toNodeHandler({
    fetch: async (request, options) =>
      (await isLegacyRequest(request)) ? sessions.serve(request) : modern.fetch(request, options),
  })
  const isHostRight = localhostHostValidation()
  const isOriginRight = localhostOriginValidation()
  const server = createServer((request, response) => {
    if (!isHostRight(request, response) || !isOriginRight(request, response)) return
    if (request.url === '/mcp') void handle(request as NodeIncomingMessageLike, response)
    else response.writeHead(404).end()
  })
  const port = await listenOnLoopback(server, 0)
  return {
    port,
    url: `http://localhost:${port}/mcp`,
    close: async () => {
      await modern.close()
      await sessions.close()
      await closeServer(server)
    },
  }
}

export function createModern(changes: ChangeNotifier): McpServer {
  return addEverything(createEmpty(), changes)
}

export function createLegacy(): McpServer {
  const server = createEmpty()
  addAskingTools(server)
  addEverything(server, {
    toolsChanged: () => server.sendToolListChanged(),
    promptsChanged: () => server.sendPromptListChanged(),
  })
  addSubscriptions(server)
  return server
}

function createEmpty(): McpServer {
  return new McpServer(
    { name: 'conformance-server', version: '1.0.0' },
    { capabilities: { logging: {} }, requestState: { verify: roundState.verify } },
  )
}

function addEverything(server: McpServer, changes: ChangeNotifier): McpServer {
  addContentTools(server)
  addNotifyingTools(server)
  addProtocolTools(server, changes)
  addSchemaTools(server)
  addInputRequiring(server)
  addResources(server)
  addPrompts(server)
  return server
}

/** MCP sessions of the revisions before 2026-07-28, with streams that can be taken up again. */
function createSessions() {
  const sessions = new Map<string, WebStandardStreamableHTTPServerTransport>()

  const open = async (): Promise<WebStandardStreamableHTTPServerTransport> => {
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      eventStore: createEventStore(),
      retryInterval: RETRY,
      onsessioninitialized: (id) => void sessions.set(id, transport),
    })
    transport.onclose = () => void sessions.delete(transport.sessionId ?? '')
    await createLegacy().connect(transport)
    return transport
  }

  return {
    serve: async (request: Request): Promise<Response> => {
      const id = request.headers.get('mcp-session-id')
      const transport = id === null ? await open() : sessions.get(id)
      if (transport !== undefined) return transport.handleRequest(request)
      return Response.json({ jsonrpc: '2.0', id: null, error: { code: -32001, message: 'Session not found' } }, { status: 404 })
    },
    close: async () => void (await Promise.all([...sessions.values()].map((transport) => transport.close()))),
  }
}
