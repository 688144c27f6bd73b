import { setTimeout as wait } from 'node:timers/promises'
import { McpServer, ResourceTemplate, type ServerContext } from '@modelcontextprotocol/server'
import { z } from 'zod'

/** How often each tool was called, over all connections. */
export type Counters = Map<string, number>

/**
 * An MCP server as anybody might write it. It knows nothing of OAuth: who may call what is decided before a call gets here.
 *
 * @param counters - shared by all instances, since one is made for each connection or request
 */
export function createExampleServer(counters: Counters): McpServer {
  const server = new McpServer({ name: 'example-mcp-server', version: '1.0.0' })
  const count = (tool: string) => counters.set(tool, (counters.get(tool) ?? 0) + 1)
  addEcho(server, count)
  addSlowTool(server, count)
  addAdminTool(server, counters, count)
  addResource(server)
  addPrompt(server)
  return server
}

function addEcho(server: McpServer, count: (tool: string) => void): void {
  server.registerTool(
    'echo',
    { title: 'Echo', description: 'Says back what it is told', inputSchema: z.object({ message: z.string() }) },
    ({ message }) => {
      count('echo')
      return formatText(`Echo: ${message}`)
    },
  )
}

function addSlowTool(server: McpServer, count: (tool: string) => void): void {
  const inputSchema = z.object({
    steps: z.number().int().min(1).max(100).default(5),
    step_ms: z.number().int().min(0).max(10_000).default(500),
  })
  server.registerTool(
    'count_slowly',
    { title: 'Count slowly', description: 'Takes its time and reports progress while it works', inputSchema },
    async ({ steps, step_ms: milliseconds }, context) => {
      count('count_slowly')
      for (let step = 1; step <= steps; step++) {
        await reportProgress(context, step, steps)
        await wait(milliseconds, undefined, { signal: context.mcpReq.signal })
      }
      return formatText(`Counted to ${steps}`)
    },
  )
}

async function reportProgress(context: ServerContext, progress: number, total: number): Promise<void> {
  const progressToken = context.mcpReq._meta?.progressToken
  if (progressToken === undefined) return
  const params = { progressToken, progress, total, message: `Step ${progress} of ${total}` }
  await context.mcpReq.notify({ method: 'notifications/progress', params })
}

function addAdminTool(server: McpServer, counters: Counters, count: (tool: string) => void): void {
  server.registerTool(
    'admin_reset',
    { title: 'Reset the counters', description: 'Shows how often each tool was called and begins anew. For administrators' },
    () => {
      count('admin_reset')
      const summary = [...counters].map(([tool, calls]) => `${tool}: ${calls}`).join(', ')
      counters.clear()
      return formatText(`Calls until now: ${summary}. The counters are reset.`)
    },
  )
}

function addResource(server: McpServer): void {
  const template = new ResourceTemplate('echo://{message}', {
    list: () => ({ resources: [{ name: 'hello', uri: 'echo://hello', mimeType: 'text/plain' }] }),
  })
  server.registerResource('echo', template, { title: 'Echo', mimeType: 'text/plain' }, (uri, { message }) => ({
    contents: [{ uri: uri.href, mimeType: 'text/plain', text: `Resource echo: ${decodeURIComponent(String(message))}` }],
  }))
}

function addPrompt(server: McpServer): void {
  const argsSchema = z.object({ message: z.string() })
  server.registerPrompt('echo', { title: 'Echo', description: 'A prompt made from a message', argsSchema }, ({ message }) => ({
    messages: [{ role: 'user', content: { type: 'text', text: `Please process this message: ${message}` } }],
  }))
}

function formatText(text: string) {
  return { content: [{ type: 'text' as const, text }] }
}
