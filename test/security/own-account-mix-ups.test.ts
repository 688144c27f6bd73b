// Many users with accounts at one MCP server, in two processes with one store: no token of one is shown for another, whatever happens meanwhile.
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type AccountProcesses, numberOf, openAccountProcesses } from '../support/account-processes.ts'
import { issueTokens } from '../support/scripted-account.ts'

const USERS = 50
const AT_A_TIME = 100
const CALLS_OF_EACH = 1000

let stage: AccountProcesses
beforeEach(async () => {
  stage = await openAccountProcesses()
})
afterEach(() => stage.close())

it('0 of 100,000 interleaved calls of 50 users get the token of another, while tokens end, are refused and are refreshed', async () => {
  const processes = [stage.start().account, stage.start().account] as const
  for (let user = 0; user < USERS; user++)
    await stage.connect(processes[0], issueTokens(user, { expires_in: user % 3 === 0 ? 0 : 3600 }), `user-${user}`)
  let refreshes = 0
  stage.saas.script('/token', ({ form }) => {
    refreshes += 1
    return issueTokens(Number(numberOf(form.get('refresh_token') ?? '')), { expires_in: refreshes % 4 === 0 ? 0 : 3600 })
  })
  const refused = new Set<number>()
  const count = { right: 0, wrong: 0 }
  const work = async (seed: number): Promise<void> => {
    for (let index = 0; index < CALLS_OF_EACH; index++) {
      const user = (seed * 31 + index * 17) % USERS
      const account = processes[(seed + index) % 2 === 0 ? 0 : 1]
      const token = await account.tokens.find(`user-${user}`)
      count[numberOf(token) === String(user) ? 'right' : 'wrong'] += 1
      // A second refusal in a row would end the account.
      if (token === undefined || index % 97 !== 0 || refused.has(user)) continue
      refused.add(user)
      await account.tokens.noteRefusal(`user-${user}`, token)
    }
  }
  // What a process knows of a token it knows for five seconds.
  await stage.passTime(Promise.all(Array.from({ length: AT_A_TIME }, (_, seed) => work(seed))), 10)
  expect(count).toEqual({ right: AT_A_TIME * CALLS_OF_EACH, wrong: 0 })
  expect(refreshes).toBeGreaterThan(USERS)
})
