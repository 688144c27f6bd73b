import { createHeldMemory } from '../src/core/held-memory.ts'
import type { Reply } from '../src/core/reply.ts'
import { AnswerFilter } from '../src/mcp/list-filter/answer-filter.ts'
import { createPolicy } from '../src/policy/policy.ts'
import { accessOf, createPolicyPlan, createPrincipal } from '../test/support/policies.ts'
import { someFacts } from '../test/support/request-facts.ts'

/** What filtering one answer costs: microseconds, the median of many. The aim for a list of 100 tools is 150. */

const policy = createPolicy(
  createPolicyPlan({
    ...accessOf({ groups: ['support'], tools: ['tool_1*', 'tool_*5'] }, { groups: ['admins'], tools: ['*'] }),
    rules: Array.from({ length: 20 }, (_, index) => ({
      tool: `tool_${index}`,
      scopes: [],
      require: "args.amount <= 100 || 'finance' in principal.groups",
    })),
  }),
)
const principal = createPrincipal({ groups: ['support'] })
const facts = { ...someFacts, path: '/mcp' }
const memory = createHeldMemory(256 * 1024 * 1024).open('test', 'alice')
const createFilter = () => policy.createListFilter(principal, facts) ?? { shows: () => false }

const inputSchema = {
  type: 'object',
  properties: {
    query: { type: 'string', description: 'What to look for, in the words of the customer' },
    limit: { type: 'integer', minimum: 1, maximum: 100, default: 20 },
    state: { type: 'string', enum: ['open', 'closed', 'waiting'] },
  },
  required: ['query'],
}
const tools = Array.from({ length: 100 }, (_, index) => ({
  name: `tool_${index}`,
  title: 'Search tickets',
  description: 'Searches the tickets of a customer and returns the newest first, with their state. Use it before a refund.',
  inputSchema,
}))
const list = JSON.stringify({ jsonrpc: '2.0', id: 1, result: { tools, nextCursor: 'abc' } })
const answer = JSON.stringify({ jsonrpc: '2.0', id: 1, result: { content: [{ type: 'text', text: 'x'.repeat(2000) }] } })

const reply: Reply = {
  start() {},
  write: () => true,
  end() {},
  fail(error) {
    throw error
  },
  report() {},
  onDrain() {},
  onDone() {},
  onClose() {},
}

function filter(type: string, body: Buffer): void {
  const filtering = new AnswerFilter(reply, { createFilter, hasCacheScope: true, memory, awaitsMessage: true })
  filtering.start(200, { 'content-type': type })
  filtering.write(body)
  filtering.end()
}

function measure(what: string, type: string, text: string): void {
  const body = Buffer.from(text)
  const times = Array.from({ length: 6000 }, () => {
    const start = process.hrtime.bigint()
    filter(type, body)
    return Number(process.hrtime.bigint() - start) / 1000
  })
  const [median = 0] = times
    .slice(2000)
    .sort((one, other) => one - other)
    .slice(2000)
  console.log(`${what}, ${body.length} bytes: ${median.toFixed(1)} µs`)
}

measure('a list of 100 tools, JSON', 'application/json', list)
measure('a list of 100 tools, an event', 'text/event-stream', `event: message\ndata: ${list}\n\n`)
measure('the result of a call, JSON', 'application/json', answer)
measure('the result of a call, an event', 'text/event-stream', `event: message\ndata: ${answer}\n\n`)
