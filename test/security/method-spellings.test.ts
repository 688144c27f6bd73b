// A server that compares methods without regard to case, blanks or look-alikes would serve a call that no rule has seen.
import { afterAll, beforeAll, describe, it } from 'vitest'
import { checkAttempt, createCall, createModern, createNotification, type Stage, startStage } from '../support/stage.ts'

let ruled: Stage
let bare: Stage
beforeAll(async () => {
  const rules = [
    { tool: 'drop_db', deny: true as const },
    { method: 'vendor/reset', deny: true as const },
  ]
  ;[ruled, bare] = await Promise.all([startStage({ server: { rules } }), startStage({ server: { rules: [], scopes: [] } })])
})
afterAll(() => Promise.all([ruled.close(), bare.close()]))

const refused = { status: 400, code: 'message_invalid', rpc: -32600 }
const denied = { status: 403, code: 'policy_denied', rpc: -31403 }
const params = { name: 'drop_db', arguments: {} }

const spellings: [string, string][] = [
  ['in another case', 'Tools/Call'],
  ['in capitals', 'TOOLS/CALL'],
  ['with a blank behind it', 'tools/call '],
  ['with a blank before it', ' tools/call'],
  ['with a blank in it', 'tools /call'],
  ['with a tab', 'tools/call\t'],
  ['with a line end', 'tools/call\r\n'],
  ['with a no-break space', 'tools/call\u00a0'],
  ['with a space of no width', 'tools/\u200bcall'],
  ['with a byte order mark', '\ufefftools/call'],
  ['with a mark that turns the direction', '\u202etools/call'],
  ['with a control character', 'tools/call\u0001'],
  ['with a long s', 'tool\u017f/call'],
  ['in full width', '\uff54\uff4f\uff4f\uff4c\uff53\uff0f\uff43\uff41\uff4c\uff4c'],
  ['in mathematical letters', '\u{1d42d}\u{1d428}\u{1d428}\u{1d425}\u{1d42c}/call'],
  ['with a Cyrillic o', 't\u043eols/call'],
  ['with two Cyrillic letters', 'tools/\u0441\u0430ll'],
  ['with a Greek omicron', 't\u03bfols/call'],
  ['with a slash that is none', 'tools\u2215call'],
  ['with a letter that has a mark', 't\u00f3ols/call'],
  ['with a mark of its own', 'to\u0301ols/call'],
]

describe('a call of a tool is refused', () => {
  it.each(spellings)('%s, with rules and without', async (_how, method) => {
    for (const stage of [ruled, bare]) {
      await checkAttempt(stage, { body: createCall(method, params) }, refused)
      await checkAttempt(stage, { body: createNotification(method, params) }, { ...refused, id: undefined })
      await checkAttempt(stage, { body: [createCall('ping'), createCall(method, params)] }, { ...refused, id: [1] })
    }
  })

  it('in 2026-07-28, too, whatever the header says', async () => {
    for (const header of ['tools/call', 'Tools/Call']) {
      const { headers = [], body } = createModern('Tools/Call', params)
      const changed = headers.map(([name, value]) => [name, name.toLowerCase() === 'mcp-method' ? header : value] as const)
      await checkAttempt(ruled, { headers: changed, body }, refused)
    }
  })
})

describe('a method of its own that a rule names', () => {
  it.each(['vendor/reset', 'Vendor/Reset', 'vendor/reset ', 'vendor/r\u0435set', '\uff56endor/reset'])(
    'is denied however it is spelled: %j',
    async (method) => void (await checkAttempt(ruled, { body: createCall(method) }, denied)),
  )
})

describe('a method that looks like none of MCP passes', () => {
  it.each([
    'tool/call',
    'tools/calls',
    'tools//call',
    'vendor/gr\u00f6\u00dfe',
    '\u043f\u0438\u043d\u0433',
    'Vendor/Other',
    'pingu',
    ' ',
  ])('%j', async (method) => void (await checkAttempt(ruled, { body: createCall(method) }, { status: 200 })))
})
