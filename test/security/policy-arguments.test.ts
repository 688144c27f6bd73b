import { afterAll, beforeAll, describe, it } from 'vitest'
import { callRaw } from '../support/policy-messages.ts'
import { type Outcome, type PolicyStage, startPolicyStage } from '../support/policy-stage.ts'

let stage: PolicyStage
beforeAll(async () => {
  stage = await startPolicyStage(
    {
      '/mcp': {
        rules: [
          { tool: 'pay', require: 'args.amount <= 100' },
          { tool: 'drop', require: '!has(args.force)' },
          { tool: 'prune', require: "!('force' in args)" },
          { tool: 'log_in', require: "args['pass'] != 'x'" },
          { tool: 'order', require: 'args.order.total <= 100' },
          { tool: 'each', require: 'args.orders.all(o, o.total <= 100)' },
          { tool: 'only', require: "args.all(name, name in ['a', 'b'])" },
          { tool: 'hide', require: '!has(args.force)', on_deny: 'hide' },
        ],
      },
    },
    { limits: { json_depth: 400 } },
  )
})
afterAll(() => stage.close())

const check = async (tool: string, args: string, outcome: Outcome): Promise<void> => {
  await stage.checkOutcome({ target: '/mcp', token: stage.token, body: callRaw(tool, args) }, outcome)
}

describe('an argument that a lenient decoder takes for the one that a rule looks at makes the rule fail', () => {
  it.each<readonly [tool: string, args: string, outcome: Outcome]>([
    ['pay', '{"amount":5,"AMOUNT":500}', 'refused'],
    ['pay', '{"AMOUNT":500,"amount":5}', 'refused'],
    ['pay', '{"amount":5,"\\u0041mount":500}', 'refused'],
    ['pay', '{"amount":5,"amount\\u0000x":500}', 'refused'],
    ['pay', '{"Amount":5}', 'refused'],
    ['pay', '{"amount":5,"amounts":500,"x":1,"mount":500}', 'served'],
    ['drop', '{"FORCE":true}', 'refused'],
    ['drop', '{"force\\u0000":true}', 'refused'],
    ['drop', '{"forced":true}', 'served'],
    ['prune', '{"Force":true}', 'refused'],
    ['prune', '{"other":true}', 'served'],
    ['log_in', '{"pass":"y","pa\\u017f\\u017f":"x"}', 'refused'],
    ['log_in', '{"pass":"y","Pass":"x"}', 'refused'],
    ['log_in', '{"pass":"y","päss":"x"}', 'served'],
    ['order', '{"order":{"total":5,"TOTAL":500}}', 'refused'],
    ['order', '{"order":{"total":5},"Order":{"total":500}}', 'refused'],
    ['order', '{"order":{"total":5},"TOTAL":500}', 'served'],
    ['each', '{"orders":[{"total":5},{"total":5,"Total":500}]}', 'refused'],
    ['only', '{"a":1,"A":2}', 'refused'],
    ['only', '{"a":1,"b":2}', 'served'],
  ])('%s %s: %j', check)

  it('also with very many arguments', async () => {
    const many = Array.from({ length: 2000 }, (_, index) => `"k${index}":${index}`).join()
    await check('pay', `{"amount":5,${many}}`, 'served')
    await check('pay', `{"amount":5,${many},"AMOUNT":500}`, 'refused')
  })
})

describe('arguments as deep as bodies may be', () => {
  it('are read like others', async () => {
    const deep = `${'['.repeat(300)}${']'.repeat(300)}`
    await check('pay', `{"amount":5,"x":${deep}}`, 'served')
    await check('pay', `{"amount":500,"x":${deep}}`, 'refused')
    await check('pay', `{"amount":${deep}}`, 'refused')
  })
})
