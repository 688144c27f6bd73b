// Rules as their authors write them elsewhere: they restrict what they seem to restrict.
import { afterAll, beforeAll, describe, it } from 'vitest'
import { callRaw, completeTemplate, read } from '../support/policy-messages.ts'
import { type Outcome, type PolicyStage, startPolicyStage } from '../support/policy-stage.ts'

let stage: PolicyStage
beforeAll(async () => {
  stage = await startPolicyStage({
    '/folders': {
      rules: [
        { resource: 'file:///srv/**/.env', deny: true },
        { resource: 'note://**/drafts/**/secret', deny: true, on_deny: 'hide' },
        { resource: 'file:///a/**/b/**/c/**/d/**/e/**/f', deny: true },
      ],
    },
    '/opened': { access: [{ everyone: true, resources: ['file:///srv/**/public/*'] }] },
    '/names': {
      rules: [
        { tool: 'pay', require: '!has(args.max_amount) || args.max_amount <= 100' },
        { tool: 'send', require: "!('dryRun' in args)" },
        { tool: 'find', require: 'args.id > 0' },
      ],
    },
  })
})
afterAll(() => stage.close())

const checkAt =
  (target: string) =>
  async (body: string, outcome: Outcome): Promise<void> => {
    await stage.checkOutcome({ target, token: stage.token, body }, outcome)
  }

describe('`/**/` in the pattern of a rule stands for no folder as well', () => {
  const hidden = {
    hidden: [{ id: 7, error: { code: -32002, message: 'Resource not found', data: { uri: 'note://x/drafts/secret' } } }],
  }
  it.each<readonly [body: string, outcome: Outcome]>([
    [read('file:///srv/.env'), 'refused'],
    [read('file:///srv/a/.env'), 'refused'],
    [read('file:///srv/a/b/.env'), 'refused'],
    [read('file:///srv/%2eenv'), 'refused'],
    [read('file:///SRV/.ENV'), 'refused'],
    [read('file:///srv/x.env'), 'served'],
    [read('file:///srv.env'), 'served'],
    [read('note://x/drafts/secret'), hidden],
    [completeTemplate('file:///srv/{name}', 'name', '.e'), 'refused'],
    [read('file:///a/b/c/d/e/f'), 'refused'],
    [read('file:///a/1/b/c/2/d/e/3/4/f'), 'refused'],
    [read('file:///a/b/c/d/e/g'), 'served'],
  ])('%s', checkAt('/folders'))

  it('but opens no more than it says', async () => {
    const token = stage.token
    await stage.checkOutcome({ target: '/opened', token, body: read('file:///srv/x/public/a') }, 'served')
    const uri = 'file:///srv/public/a'
    const error = { code: -32002, message: 'Resource not found', data: { uri } }
    await stage.checkOutcome({ target: '/opened', token, body: read(uri) }, { hidden: [{ id: 7, error }] })
  })
})

describe('an argument that is known by two names, with underscores and without, makes the rule fail', () => {
  it.each<readonly [tool: string, args: string, outcome: Outcome]>([
    ['pay', '{}', 'served'],
    ['pay', '{"max_amount":5}', 'served'],
    ['pay', '{"maxAmount":500}', 'refused'],
    ['pay', '{"MaxAmount":500}', 'refused'],
    ['pay', '{"MAX_AMOUNT":500}', 'refused'],
    ['pay', '{"max_amount":5,"maxAmount":500}', 'refused'],
    ['pay', '{"max_amount":5,"max__amount":500}', 'served'],
    ['send', '{"dry_run":false}', 'refused'],
    ['send', '{"dry_running":false}', 'served'],
    ['find', '{"id":1,"_id":2}', 'served'],
    ['find', '{"id":1,"id_":2}', 'served'],
    ['find', '{"id":1,"i_d":2}', 'refused'],
  ])('%s %s', async (tool, args, outcome) => checkAt('/names')(callRaw(tool, args), outcome))

  it('also among very many', async () => {
    const many = Array.from({ length: 2000 }, (_, index) => `"k${index}":${index}`).join()
    await checkAt('/names')(callRaw('pay', `{${many}}`), 'served')
    await checkAt('/names')(callRaw('pay', `{${many},"maxAmount":500}`), 'refused')
  })
})
