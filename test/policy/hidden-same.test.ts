// What is hidden cannot be told from what does not exist, and comes before all that would tell it.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  ask,
  batch,
  call,
  completePrompt,
  completeTemplate,
  getPrompt,
  notProcessed,
  read,
  speak,
  unknownTool,
} from '../support/policy-messages.ts'
import { type Outcome, type PolicyStage, startPolicyStage } from '../support/policy-stage.ts'
import type { RawResponse } from '../support/raw-client.ts'
import { sendRaw } from '../support/raw-client.ts'

let stage: PolicyStage
beforeAll(async () => {
  stage = await startPolicyStage({
    '/rules': {
      rules: [
        { tool: 'admin_*', deny: true, on_deny: 'hide' },
        { prompt: 'admin_*', require: "'admins' in principal.groups", on_deny: 'hide' },
        { resource: 'secret://**', scopes: ['gold'], on_deny: 'hide' },
      ],
    },
    '/entries': {
      access: [{ everyone: true, tools: ['echo'], prompts: ['greet'], resources: ['open://**'] }],
    },
    '/overlap': {
      scopes: ['base'],
      rules: [
        { tool: 'gone', deny: true, on_deny: 'hide' },
        { tool: 'g*', scopes: ['step'] },
        { tool: 'g*', deny: true, reason: 'Told.' },
        { tool: 'priced', scopes: ['gold'], on_deny: 'hide' },
        { tool: 'priced', scopes: ['step'] },
        { tool: 'priced', require: 'args.amount < 10', reason: 'Too much.' },
      ],
    },
    '/shut': {
      access: [{ groups: ['staff'], tools: ['report'] }],
      rules: [
        { tool: 'report', scopes: ['step'] },
        { tool: '*', require: "'office' in principal.groups", reason: 'Only from the office.' },
      ],
    },
  })
})
afterAll(() => stage.close())

const revisions = ['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25', '2026-07-28'] as const

/** The bytes of an answer, without what differs from one to the next. */
function mask({ status, headers, body }: RawResponse, name: string): string {
  const fields = headers.map(([field, value]) => `${field}: ${/^(?:date|x-request-id)$/i.test(field) ? '*' : value}`)
  return [status, ...fields, '', body.toString('latin1')].join('\r\n').replaceAll(name, 'NAME')
}

describe.each(revisions)('in revision %s a hidden name that exists and one that does not get the same bytes', (revision) => {
  const forms: readonly (readonly [what: string, form: (name: string) => string, hidden: string, made: string])[] = [
    ['a tool', call, 'admin_reset', 'admin_xyzzy'],
    ['a tool with arguments', (name) => call(name, { a: [1] }, 'text id'), 'admin_reset', 'admin_xyzzy'],
    ['a prompt', getPrompt, 'admin_letter', 'admin_xyzzy0'],
    ['a prompt that is completed', completePrompt, 'admin_letter', 'admin_xyzzy0'],
    ['a resource', read, 'secret://plan', 'secret://nope'],
    ['a template that is completed', completeTemplate, 'secret://{plan}', 'secret://{nope}'],
    ...(revision === '2026-07-28'
      ? []
      : (['subscribe', 'unsubscribe'] as const).map(
          (verb) =>
            [
              `a resource to ${verb}`,
              (uri: string) => ask(`resources/${verb}`, { uri }),
              'secret://plan',
              'secret://nope',
            ] as const,
        )),
  ]
  it.each(['/rules', '/entries'].flatMap((path) => forms.map((form) => [path, ...form] as const)))(
    'at %s: %s',
    async (target, _what, form, hidden, made) => {
      const token = await stage.tokenFor({})
      const receive = async (name: string): Promise<string> => {
        const { body, headers } = speak(revision, form(name))
        const lines = [`Authorization: Bearer ${token}`, 'Content-Type: application/json', ...headers]
        const head = [`POST ${target} HTTP/1.1`, `Host: localhost:${stage.proxy.port}`, ...lines]
        const answer = await sendRaw(
          stage.proxy.port,
          `${head.join('\r\n')}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
        )
        expect(answer.status).toBe(200)
        expect(answer.body.toString()).toContain('"error":{"code":-32')
        return mask(answer, name)
      }
      const requests = stage.upstream.requests.length
      expect(await receive(hidden)).toBe(await receive(made))
      expect(stage.upstream.requests.length).toBe(requests)
    },
  )
})

describe('where several rules refuse, the one that hides is heard', () => {
  const people = {
    nobody: {},
    base: { scope: 'base' },
    step: { scope: 'base step' },
    gold: { scope: 'base gold' },
    all: { scope: 'base step gold' },
    staff: { groups: ['staff'] },
    office: { groups: ['staff', 'office'] },
    visitor: { groups: ['office'] },
  } as const satisfies Record<string, object>
  const hidden = (name: string): Outcome => ({ hidden: [unknownTool(name)] })
  const cheap = call('priced', { amount: 1 })
  const dear = call('priced', { amount: 50 })

  it.each<readonly [path: string, who: keyof typeof people, body: string, outcome: Outcome]>([
    ['/overlap', 'nobody', call('gone'), hidden('gone')],
    ['/overlap', 'base', call('gone'), hidden('gone')],
    ['/overlap', 'all', call('gone'), hidden('gone')],
    ['/overlap', 'base', call('go'), 'refused: Told.'],
    ['/overlap', 'nobody', cheap, hidden('priced')],
    ['/overlap', 'base', cheap, hidden('priced')],
    ['/overlap', 'step', cheap, hidden('priced')],
    ['/overlap', 'base', dear, hidden('priced')],
    ['/overlap', 'gold', dear, 'refused: Too much.'],
    ['/overlap', 'gold', cheap, 'needs base gold step'],
    ['/overlap', 'all', dear, 'refused: Too much.'],
    ['/overlap', 'all', cheap, 'served'],
    ['/overlap', 'gold', batch(cheap, call('gone', {}, 8)), { hidden: [notProcessed(7), unknownTool('gone', 8)] }],
    ['/overlap', 'gold', batch(dear, call('gone', {}, 8)), { hidden: [notProcessed(7), unknownTool('gone', 8)] }],
    ['/shut', 'nobody', call('report'), hidden('report')],
    ['/shut', 'visitor', call('report'), hidden('report')],
    ['/shut', 'staff', call('report'), 'refused: Only from the office.'],
    ['/shut', 'office', call('report'), 'needs step'],
    ['/shut', 'office', call('other'), hidden('other')],
  ])('%s, %s: %s', async (target, who, body, outcome) => {
    await stage.checkOutcome({ target, token: await stage.tokenFor(people[who]), body }, outcome)
  })
})
