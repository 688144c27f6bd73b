import { setTimeout as wait } from 'node:timers/promises'
import { fromJsonSchema, inputRequired, inputResponse, type McpServer, type ServerContext } from '@modelcontextprotocol/server'
import { z } from 'zod'
import { formatText, SAMPLE_PNG, SAMPLE_WAV } from './samples.ts'

/** Milliseconds between two notifications of a tool that sends several. */
const PAUSE = 50

/** Tells clients that a list has changed, whatever revision they speak. */
export interface ChangeNotifier {
  toolsChanged(): void
  promptsChanged(): void
}

/** Registers the tools that answer at once, with every kind of content. */
export function addContentTools(server: McpServer): void {
  const image = { type: 'image' as const, data: SAMPLE_PNG, mimeType: 'image/png' }
  const add = (name: string, description: string, content: Parameters<typeof formatContent>[0]) =>
    server.registerTool(name, { description }, () => formatContent(content))

  add('test_simple_text', 'Answers with text', [{ type: 'text', text: 'This is a simple text response for testing.' }])
  add('test_image_content', 'Answers with an image', [image])
  add('test_audio_content', 'Answers with a sound', [{ type: 'audio', data: SAMPLE_WAV, mimeType: 'audio/wav' }])
  add('test_embedded_resource', 'Answers with a resource', [
    { type: 'resource', resource: { uri: 'test://embedded-resource', mimeType: 'text/plain', text: 'An embedded resource.' } },
  ])
  add('test_multiple_content_types', 'Answers with text, an image and a resource', [
    { type: 'text', text: 'Multiple content types test:' },
    image,
    {
      type: 'resource',
      resource: { uri: 'test://mixed-content-resource', mimeType: 'application/json', text: '{"test":"data","value":123}' },
    },
  ])
  server.registerTool('test_error_handling', { description: 'Always fails' }, () => {
    throw new Error('This tool intentionally returns an error for testing')
  })
}

type Content =
  | { type: 'text'; text: string }
  | { type: 'image' | 'audio'; data: string; mimeType: string }
  | { type: 'resource'; resource: { uri: string; mimeType: string; text: string } }

function formatContent(content: Content[]) {
  return { content }
}

/** Registers the tools that say something before they answer. */
export function addNotifyingTools(server: McpServer): void {
  server.registerTool('test_tool_with_logging', { description: 'Logs three lines' }, async (context) => {
    await context.mcpReq.log('info', 'Tool execution started')
    await wait(PAUSE)
    await context.mcpReq.log('info', 'Tool processing data')
    await wait(PAUSE)
    await context.mcpReq.log('info', 'Tool execution completed')
    return formatText('Logged three lines')
  })
  server.registerTool('test_logging_tool', { description: 'Logs a line if asked to' }, async (context) => {
    await context.mcpReq.log('info', 'A line for those who asked for it')
    return formatText('Logged')
  })
  server.registerTool('test_tool_with_progress', { description: 'Reports its progress' }, async (context) => {
    for (const progress of [0, 50, 100]) {
      await reportProgress(context, progress)
      await wait(PAUSE)
    }
    return formatText('Made progress')
  })
}

async function reportProgress({ mcpReq }: ServerContext, progress: number): Promise<void> {
  const progressToken = mcpReq._meta?.progressToken
  if (progressToken === undefined) return
  await mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress, total: 100 } })
}

/** Registers the tools about what passes underneath: broken streams, undeclared capabilities, changed lists. */
export function addProtocolTools(server: McpServer, changes: ChangeNotifier): void {
  server.registerTool('test_reconnection', { description: 'Breaks off its stream and answers on the next' }, async (context) => {
    await wait(PAUSE)
    context.http?.closeSSE?.()
    await wait(2 * PAUSE)
    return formatText('Answered after the stream was broken off')
  })
  // Whether the client can sample at all is checked by the SDK, before the request for it goes out.
  server.registerTool('test_missing_capability', { description: 'Needs a client that can sample' }, ({ mcpReq }) => {
    const given = inputResponse(mcpReq.inputResponses, 'anything')
    if (given.kind === 'sampling') return formatText('The client can sample')
    const messages = [{ role: 'user' as const, content: { type: 'text' as const, text: 'Say anything' } }]
    return inputRequired({ inputRequests: { anything: inputRequired.createMessage({ messages, maxTokens: 10 }) } })
  })
  server.registerTool('test_trigger_tool_change', { description: 'Tells that the tools have changed' }, () => {
    changes.toolsChanged()
    return formatText('Told')
  })
  server.registerTool('test_trigger_prompt_change', { description: 'Tells that the prompts have changed' }, () => {
    changes.promptsChanged()
    return formatText('Told')
  })
}

/** Registers the tools whose schemas matter more than what they do. */
export function addSchemaTools(server: McpServer): void {
  server.registerTool(
    'json_schema_2020_12_tool',
    {
      description: 'Tool with JSON Schema 2020-12 features',
      inputSchema: fromJsonSchema<Record<string, unknown>>(CONTACT_SCHEMA),
    },
    (contact) => formatText(`Contact: ${JSON.stringify(contact)}`),
  )
  server.registerTool(
    'test_region_header',
    {
      description: 'Has a parameter that travels in a header too',
      inputSchema: fromJsonSchema<{ region: string }>(REGION_SCHEMA),
    },
    ({ region }) => formatText(`Region: ${region}`),
  )
  server.registerTool(
    'test_echo',
    { description: 'Says back what it is told', inputSchema: z.object({ message: z.string() }) },
    ({ message }) => formatText(message),
  )
}

/** Every keyword of JSON Schema 2020-12 that a proxy or an SDK might lose on the way. */
const CONTACT_SCHEMA = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  $defs: {
    address: { $anchor: 'addressDef', type: 'object', properties: { street: { type: 'string' }, city: { type: 'string' } } },
  },
  properties: {
    name: { type: 'string' },
    address: { $ref: '#/$defs/address' },
    contactMethod: { type: 'string', enum: ['phone', 'email'] },
    phone: { type: 'string' },
    email: { type: 'string' },
  },
  allOf: [{ anyOf: [{ required: ['phone'] }, { required: ['email'] }] }],
  if: { properties: { contactMethod: { const: 'phone' } }, required: ['contactMethod'] },
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
  then: { required: ['phone'] },
  else: { required: ['email'] },
  additionalProperties: false,
}

/** `Mcp-Param-Region` must agree with the argument (2026-07-28, transports, custom headers from tool parameters). */
const REGION_SCHEMA = {
  type: 'object',
  properties: { region: { type: 'string', 'x-mcp-header': 'Region' } },
  required: ['region'],
}
