import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import type { Reply } from '../src/core/reply.ts'
import { accessOf, createPolicyPlan, createPrincipal } from '../test/support/policies.ts'
import { someFacts } from '../test/support/request-facts.ts'
import { median, quantile } from './statistics.ts'
import { formatTable } from './table.ts'

/**
 * What filtering one answer costs: microseconds of processor time. The aim for a list of 100 tools is 150. `--against FOLDER` measures
 * another checkout in turns with this one, and says what it takes beside it.
 */

const { values: flags } = parseArgs({ options: { against: { type: 'string' } } })

const ANSWERS_OF_TURN = 200
const WARM_UP_TURNS = 20
const ROUNDS = 60

const plan = createPolicyPlan({
  ...accessOf({ groups: ['support'], tools: ['tool_1*', 'tool_*5'] }, { groups: ['admins'], tools: ['*'] }),
  rules: Array.from({ length: 20 }, (_, index) => ({
    tool: `tool_${index}`,
    scopes: [],
    require: "args.amount <= 100 || 'finance' in principal.groups",
  })),
})
const principal = createPrincipal({ groups: ['support'] })
const facts = { ...someFacts, path: '/mcp' }

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

type Filter = (type: string, body: Buffer) => void

/** @param folder - a checkout */
async function createFilter(folder: URL): Promise<Filter> {
  const { AnswerFilter } = await load<typeof import('../src/mcp/list-filter/answer-filter.ts')>(
    'mcp/list-filter/answer-filter.ts',
  )
  const { createPolicy } = await load<typeof import('../src/policy/policy.ts')>('policy/policy.ts')
  const { createHeldMemory } = await load<typeof import('../src/core/held-memory.ts')>('core/held-memory.ts')
  const policy = createPolicy(plan)
  const memory = createHeldMemory(256 * 1024 * 1024).open('test', 'alice')
  const options = {
    createFilter: () => policy.createListFilter(principal, facts) ?? { shows: () => false },
    hasCacheScope: true,
    memory,
    awaitsMessage: true,
  }
  return (type, body) => {
    const filtering = new AnswerFilter(reply, options)
    filtering.start(200, { 'content-type': type })
    filtering.write(body)
    filtering.end()
  }
  function load<T>(file: string): Promise<T> {
    return import(new URL(`src/${file}`, folder).href)
  }
}

function measureTurn(filter: Filter, type: string, body: Buffer): number {
  const before = process.cpuUsage()
  for (let count = 0; count < ANSWERS_OF_TURN; count++) filter(type, body)
  const { user, system } = process.cpuUsage(before)
  return (user + system) / ANSWERS_OF_TURN
}

/** Microseconds an answer, of each filter in each round. Every second round has them in the other order. */
function measure(filters: readonly Filter[], type: string, text: string): number[][] {
  const body = Buffer.from(text)
  for (const filter of filters) for (let turn = 0; turn < WARM_UP_TURNS; turn++) measureTurn(filter, type, body)
  const times: number[][] = filters.map(() => [])
  for (let round = 0; round < ROUNDS; round++) {
    const order = [...filters.keys()]
    for (const place of round % 2 === 0 ? order : order.reverse()) {
      const filter = filters[place]
      if (filter !== undefined) times[place]?.push(measureTurn(filter, type, body))
    }
  }
  return times
}

const cases: readonly (readonly [what: string, type: string, text: string])[] = [
  ['a list of 100 tools, JSON', 'application/json', list],
  ['a list of 100 tools, an event', 'text/event-stream', `event: message\ndata: ${list}\n\n`],
  ['the result of a call, JSON', 'application/json', answer],
  ['the result of a call, an event', 'text/event-stream', `event: message\ndata: ${answer}\n\n`],
]

const here = new URL('..', import.meta.url)
const folders = flags.against === undefined ? [here] : [here, pathToFileURL(`${flags.against}/`)]
const filters = await Promise.all(folders.map(createFilter))
const rows = cases.map(([what, type, text]) => {
  const [own = [], ...others] = measure(filters, type, text)
  return [
    what,
    format(own),
    ...others.flatMap((other) => [
      format(other),
      format(
        other.map((time, at) => time / (own[at] ?? 0)),
        2,
      ),
    ]),
  ]
})
console.log(formatTable([['', 'µs (10 to 90 %)', ...(flags.against === undefined ? [] : [flags.against, '×'])], ...rows]))

function format(values: readonly number[], digits = 1): string {
  const [low, middle, high] = [quantile(values, 0.1), median(values), quantile(values, 0.9)]
  return `${middle.toFixed(digits)} (${low.toFixed(digits)} to ${high.toFixed(digits)})`
}
