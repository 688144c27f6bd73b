import { afterAll, beforeAll, describe, it } from 'vitest'
import { ask, callRaw, read } from '../support/policy-messages.ts'
import { type Outcome, type PolicyStage, startPolicyStage } from '../support/policy-stage.ts'

const many = <Item>(count: number, create: (index: number) => Item): Item[] =>
  Array.from({ length: count }, (_, index) => create(index))

let stage: PolicyStage
beforeAll(async () => {
  stage = await startPolicyStage({
    '/rule': { rules: [{ resource: 'file:///srv/**', deny: true, mode: 'shadow' }] },
    '/access': { access: [{ everyone: true, resources: ['file:///srv/**'] }], access_mode: 'shadow' },
    '/authority': {
      rules: [
        { resource: 'db://secret/**', deny: true },
        { resource: 'db://public/**', scopes: ['x'], mode: 'shadow' },
      ],
    },
    '/expressions': {
      rules: many(200, (index) => ({ resource: '**', require: `'g${index}' in principal.groups`, mode: 'shadow' as const })),
    },
    '/patterns': { rules: many(40, (index) => ({ resource: `**/*a*${index}`, deny: true as const, mode: 'shadow' as const })) },
    '/arguments': {
      rules: [
        ...many(2, () => ({ tool: 't', require: 'args.list.all(x, args.list.all(y, x + y >= 0))', mode: 'shadow' as const })),
        { tool: 't', require: 'args.amount <= 100' },
        { tool: 't', require: 'args.more.x == 1' },
      ],
    },
  })
})
afterAll(() => stage.close())

const listen = (uris: readonly string[]): string =>
  ask('subscriptions/listen', { notifications: { resourceSubscriptions: uris } })
const check = async (target: string, body: string, outcome: Outcome): Promise<void> => {
  await stage.checkOutcome({ target, token: stage.token, body }, outcome)
}

describe('what is in shadow mode never changes what is decided', () => {
  it.each<readonly [target: string, body: string, outcome: Outcome]>([
    // URIs that a rule about resources would refuse to everyone.
    ['/rule', read('file://other.example/srv/x'), 'would deny names another host'],
    ['/rule', read('file:///srv/x%00y'), 'would deny '],
    ['/rule', read('srv/x'), 'would deny '],
    ['/access', read('file://other.example/srv/x'), 'would deny '],
    ['/access', read('../srv/x'), 'would deny '],
    // An authority that only a shadow rule names tells nothing apart.
    ['/authority', read('db://public/x'), 'refused'],
    ['/authority', read('other://public/x'), 'served'],
  ])('%s %s: %s', check)

  it('by using up what the decision may cost', async () => {
    const uris = many(1000, (index) => `file:///srv/reports/${index}.md`)
    await check('/expressions', listen(uris), 'would deny rules[0]')
    const manyReadings = many(1000, (index) => `note://x/a+b%20c;d/..%2f${'a/'.repeat(15)}a${index}`)
    await check('/patterns', listen(manyReadings), 'would deny ')
  })

  it('by looking at arguments first', async () => {
    const list = `[${many(20_000, (index) => index).join()}]`
    await check('/arguments', callRaw('t', `{"amount":5,"list":${list},"more":{"x":1}}`), 'would deny rules[0]')
    await check('/arguments', callRaw('t', `{"amount":500,"list":${list},"more":{"x":1}}`), 'refused')
  })
})
