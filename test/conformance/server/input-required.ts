import { randomBytes } from 'node:crypto'
import {
  acceptedContent,
  createRequestStateCodec,
  type InputRequest,
  inputRequired,
  inputResponse,
  type McpServer,
  type ToolCallback,
} from '@modelcontextprotocol/server'
import { z } from 'zod'
import { findCapabilities } from './capabilities.ts'
import { formatText } from './samples.ts'

/**
 * What a tool of several rounds remembers: the client carries it, sealed, from round to round. One key for all instances, since every
 * request of 2026-07-28 gets an instance of its own.
 */
export const roundState = createRequestStateCodec<{ round: number }>({ key: randomBytes(32) })

const name = z.object({ name: z.string() })
const color = z.object({ color: z.string() })
const confirmation = z.object({ ok: z.boolean() })
const promptContext = z.object({ context: z.string() })

const askName = (message: string) => inputRequired.elicit({ message, requestedSchema: name })
const askConfirmation = () => inputRequired.elicit({ message: 'Please confirm', requestedSchema: confirmation })
const askModel = (text: string, maxTokens: number) =>
  inputRequired.createMessage({ messages: [{ role: 'user', content: { type: 'text', text } }], maxTokens })

/** Registers what needs the client's input first, as 2026-07-28 has it: it answers with what is missing, and is called again. */
export function addInputRequiring(server: McpServer): void {
  addSingleRounds(server)
  addSealedRounds(server)
  addMultipleInputs(server)
  addCapabilityTool(server)
  server.registerPrompt('test_input_required_result_prompt', { description: 'Needs to know its context' }, ({ mcpReq }) => {
    const given = acceptedContent(mcpReq.inputResponses, 'user_context', promptContext)
    if (given === undefined)
      return ask({
        user_context: inputRequired.elicit({ message: 'What context should the prompt use?', requestedSchema: promptContext }),
      })
    return { messages: [{ role: 'user', content: { type: 'text', text: `In this context: ${given.context}` } }] }
  })
}

function ask(inputRequests: Record<string, InputRequest>) {
  return inputRequired({ inputRequests })
}

async function askSealed(round: number, inputRequests: Record<string, InputRequest>) {
  return inputRequired({ inputRequests, requestState: await roundState.mint({ round }) })
}

function addSingleRounds(server: McpServer): void {
  const add = (tool: string, run: ToolCallback) =>
    server.registerTool(tool, { description: 'Needs the input of the client' }, run)

  add('test_input_required_result_elicitation', ({ mcpReq }) => {
    const given = acceptedContent(mcpReq.inputResponses, 'user_name', name)
    return given === undefined ? ask({ user_name: askName('What is your name?') }) : formatText(`Hello, ${given.name}!`)
  })
  add('test_input_required_result_sampling', ({ mcpReq }) => {
    const given = inputResponse(mcpReq.inputResponses, 'capital_question')
    if (given.kind !== 'sampling') return ask({ capital_question: askModel('What is the capital of France?', 100) })
    return formatText(`The model says: ${JSON.stringify(given.result.content)}`)
  })
  add('test_input_required_result_list_roots', ({ mcpReq }) => {
    const given = inputResponse(mcpReq.inputResponses, 'client_roots')
    if (given.kind !== 'roots') return ask({ client_roots: inputRequired.listRoots() })
    return formatText(`Roots: ${given.roots.map(({ uri }) => uri).join(', ')}`)
  })
  add('test_streaming_elicitation', ({ mcpReq }) => {
    const given = acceptedContent(mcpReq.inputResponses, 'user_name', name)
    return given === undefined ? ask({ user_name: askName('Who is there?') }) : formatText(`Hello, ${given.name}!`)
  })
}

function addSealedRounds(server: McpServer): void {
  for (const tool of ['test_input_required_result_request_state', 'test_input_required_result_tampered_state']) {
    server.registerTool(tool, { description: 'Needs a confirmation, and its own state back' }, ({ mcpReq }) => {
      const given = acceptedContent(mcpReq.inputResponses, 'confirm', confirmation)
      const state = mcpReq.requestState<{ round: number }>()
      return given === undefined || state?.round !== 1 ? askSealed(1, { confirm: askConfirmation() }) : formatText('state-ok')
    })
  }
  server.registerTool('test_input_required_result_multi_round', { description: 'Asks twice' }, ({ mcpReq }) => {
    const round = mcpReq.requestState<{ round: number }>()?.round
    const second = acceptedContent(mcpReq.inputResponses, 'step2', color)
    if (round === 2 && second !== undefined) return formatText(`${second.color} it is`)
    const first = acceptedContent(mcpReq.inputResponses, 'step1', name)
    if (round === undefined || first === undefined) return askSealed(1, { step1: askName('Step 1: What is your name?') })
    const step2 = inputRequired.elicit({ message: 'Step 2: What is your favorite color?', requestedSchema: color })
    return askSealed(2, { step2 })
  })
}

function addMultipleInputs(server: McpServer): void {
  server.registerTool('test_input_required_result_multiple_inputs', { description: 'Asks three things' }, ({ mcpReq }) => {
    const responses = mcpReq.inputResponses
    const given = acceptedContent(responses, 'user_name', name)
    const greeting = inputResponse(responses, 'greeting')
    const roots = inputResponse(responses, 'client_roots')
    if (given !== undefined && greeting.kind === 'sampling' && roots.kind === 'roots')
      return formatText(`${JSON.stringify(greeting.result.content)} ${given.name}, with ${roots.roots.length} roots`)
    return askSealed(1, {
      user_name: askName('What is your name?'),
      greeting: askModel('Generate a greeting', 50),
      client_roots: inputRequired.listRoots(),
    })
  })
}

/** Asks only in the ways that the client has declared (2026-07-28, patterns, multi round-trip requests). */
function addCapabilityTool(server: McpServer): void {
  server.registerTool(
    'test_input_required_result_capabilities',
    { description: 'Asks what the client can answer' },
    ({ mcpReq }) => {
      const declared = findCapabilities(mcpReq.envelope)
      const requests: Record<string, InputRequest> = {
        ...(declared.sampling && { greeting: askModel('Generate a greeting', 50) }),
        ...(declared.elicitation && { user_name: askName('What is your name?') }),
      }
      const isAnswered = Object.keys(requests).every((key) => mcpReq.inputResponses?.[key] !== undefined)
      return isAnswered ? formatText('Nothing is left to ask') : ask(requests)
    },
  )
}
