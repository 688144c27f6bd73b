import type { ElicitRequestFormParams, McpServer } from '@modelcontextprotocol/server'
import { z } from 'zod'
import { formatText } from './samples.ts'

/** Registers the tools that ask the client for something while they run, as revisions before 2026-07-28 do. */
export function addAskingTools(server: McpServer): void {
  server.registerTool(
    'test_sampling',
    { description: 'Has the client sample its model', inputSchema: z.object({ prompt: z.string() }) },
    async ({ prompt }, { mcpReq }) => {
      const messages = [{ role: 'user' as const, content: { type: 'text' as const, text: prompt } }]
      const { content } = await mcpReq.requestSampling({ messages, maxTokens: 100 })
      return formatText(`LLM response: ${JSON.stringify(content)}`)
    },
  )
  server.registerTool(
    'test_elicitation',
    { description: 'Asks the user for a name and an address', inputSchema: z.object({ message: z.string() }) },
    async ({ message }, { mcpReq }) => {
      const { action, content } = await mcpReq.elicitInput({ message, requestedSchema: USER_SCHEMA })
      return formatText(`User response: action=${action}, content=${JSON.stringify(content)}`)
    },
  )
  addFormTool(server, 'test_elicitation_sep1034_defaults', DEFAULTS_SCHEMA)
  addFormTool(server, 'test_elicitation_sep1330_enums', ENUMS_SCHEMA)
}

type FormSchema = ElicitRequestFormParams['requestedSchema']

function addFormTool(server: McpServer, name: string, requestedSchema: FormSchema): void {
  server.registerTool(name, { description: 'Asks the user to fill in a form' }, async ({ mcpReq }) => {
    const { action, content } = await mcpReq.elicitInput({ message: 'Please fill in this form', requestedSchema })
    return formatText(`Elicitation completed: action=${action}, content=${JSON.stringify(content)}`)
  })
}

const USER_SCHEMA: FormSchema = {
  type: 'object',
  properties: {
    username: { type: 'string', description: "User's response" },
    email: { type: 'string', description: "User's email address" },
  },
  required: ['username', 'email'],
}

const DEFAULTS_SCHEMA: FormSchema = {
  type: 'object',
  properties: {
    name: { type: 'string', default: 'John Doe' },
    age: { type: 'integer', default: 30 },
    score: { type: 'number', default: 95.5 },
    status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' },
    verified: { type: 'boolean', default: true },
  },
}

const ENUMS_SCHEMA: FormSchema = {
  type: 'object',
  properties: {
    untitledSingle: { type: 'string', enum: ['option1', 'option2', 'option3'] },
    titledSingle: { type: 'string', oneOf: formatTitled(['First Option', 'Second Option', 'Third Option']) },
    legacyEnum: { type: 'string', enum: ['opt1', 'opt2', 'opt3'], enumNames: ['Option One', 'Option Two', 'Option Three'] },
    untitledMulti: { type: 'array', items: { type: 'string', enum: ['option1', 'option2', 'option3'] } },
    titledMulti: { type: 'array', items: { anyOf: formatTitled(['First Choice', 'Second Choice', 'Third Choice']) } },
  },
}

function formatTitled(titles: string[]) {
  return titles.map((title, index) => ({ const: `value${index + 1}`, title }))
}
