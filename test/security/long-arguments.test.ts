import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { callRaw } from '../support/policy-messages.ts'
import { type Outcome, type PolicyStage, startPolicyStage } from '../support/policy-stage.ts'

/** More than is read where it arrives. */
const LONG = `"note":"${'x'.repeat(100_000)}"`

let stage: PolicyStage
let group: string
beforeAll(async () => {
  const rules = [
    { tool: 'pay', require: 'args.amount <= 100' },
    { tool: 'exact', require: 'args.amount == 9007199254740993' },
    { tool: 'drop', require: '!has(args.force)' },
    { tool: 'order', require: 'args.order.total <= 100' },
    { tool: 'hide', require: 'args.amount <= 100', on_deny: 'hide' as const },
    { tool: 'try', require: 'args.amount <= 100', mode: 'shadow' as const },
    { tool: 'own', require: "args.user == principal.subject || 'admins' in principal.groups" },
    { tool: 'told', require: 'args.amount <= 100', reason: 'Pay less.' },
    { tool: 'both', require: 'args.amount <= 100' },
    { tool: 'both', require: 'args.amount >= 50' },
  ]
  stage = await startPolicyStage({ '/mcp': { rules } })
  group = await stage.mint({ sub: 'bob' })
})
afterAll(() => stage.close())

const check = (tool: string, args: string, outcome: Outcome, token = stage.token) =>
  stage.checkOutcome({ target: '/mcp', token, body: callRaw(tool, args) }, outcome)

describe('rules decide on the arguments of a long body as on those of a short one', () => {
  const cases: readonly (readonly [tool: string, args: string, outcome: Outcome])[] = [
    ['pay', '"amount":5', 'served'],
    ['pay', '"amount":500', 'refused'],
    ['pay', '"amount":"5"', 'refused'],
    ['pay', '"other":5', 'refused'],
    ['pay', '"amount":5,"AMOUNT":500', 'refused'],
    ['pay', '"amount":5,"amount":5', '400 json_ambiguous'],
    ['exact', '"amount":9007199254740993', 'served'],
    ['exact', '"amount":9007199254740992', 'refused'],
    ['drop', '"force\\u0000":true', 'refused'],
    ['drop', '"forced":true', 'served'],
    ['order', '"order":{"total":5}', 'served'],
    ['order', '"order":{"total":5,"TOTAL":500}', 'refused'],
    ['own', '"user":"bob"', 'refused'],
    ['told', '"amount":500', 'refused: Pay less.'],
    ['both', '"amount":70', 'served'],
    ['both', '"amount":7', 'refused'],
    ['both', '"amount":700', 'refused'],
    ['try', '"amount":5', 'served'],
    ['try', '"amount":500', 'would deny rules[5]'],
    ['unruled', '"amount":500', 'served'],
  ]
  it.each(cases)('%s {%s}: %j', async (tool, args, outcome) => {
    await check(tool, `{${args},"note":"short"}`, outcome)
    await check(tool, `{${args},${LONG}}`, outcome)
    await check(tool, `{${LONG},${args}}`, outcome)
  })

  it('by the user who calls', async () => {
    await check('own', `{"user":"bob",${LONG}}`, 'served', group)
    await check('own', `{"user":"alice",${LONG}}`, 'refused', group)
  })

  it('also where what they refuse is hidden', async () => {
    await check('hide', `{"amount":5,${LONG}}`, 'served')
    const { body } = await stage.checkOutcome(
      { target: '/mcp', token: stage.token, body: callRaw('hide', `{"amount":500,${LONG}}`) },
      { hidden: [{ error: expect.objectContaining({ code: -32602 }) }] },
    )
    expect(body.toString()).not.toContain('rule')
  })

  it('for each call of a batch', async () => {
    const headers = ['MCP-Protocol-Version: 2025-03-26']
    const batch = (amount: number) =>
      `[${[callRaw('pay', '{"amount":1}'), callRaw('both', '{"amount":60}'), callRaw('pay', `{"amount":${amount},${LONG}}`)].join()}]`
    await stage.checkOutcome({ target: '/mcp', token: stage.token, headers, body: batch(5) }, 'served')
    await stage.checkOutcome({ target: '/mcp', token: stage.token, headers, body: batch(500) }, 'refused')
  })
})
