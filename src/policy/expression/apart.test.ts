import { expect, it } from 'vitest'
import { callTool, createPrincipal } from '../../../test/support/policies.ts'
import { createReadingThread, type Sender } from '../../core/reading-thread.ts'
import { ApartOutcomes } from './apart.ts'
import { compileExpression } from './expression.ts'

const about = {
  principal: createPrincipal(),
  server: 'test',
  request: { revision: '2025-11-25', path: '/mcp', address: '127.0.0.1' },
  now: 0,
}
const alice: Sender = { user: 'alice', hasLeft: () => false }
const expression = compileExpression('args.n <= 100', 'require')

it('what an expression comes to is not known before a thread has evaluated it', async () => {
  const apart = new ApartOutcomes()
  const [one, other] = [callTool('a'), callTool('a')]
  expect([one, other].map((operation) => apart.find(expression, operation, false).value)).toEqual(['unknown', 'unknown'])
  expect(apart.isIncomplete).toBe(true)
  await apart.settle(about, (operation) => (operation === one ? '{"n":5}' : '{"n":500}'), alice)
  expect(apart.isIncomplete).toBe(false)
  expect([one, other].map((operation) => apart.find(expression, operation, false).value)).toEqual([true, false])
  expect(apart.find(expression, one, true).value).toBe('unknown')
})

it.each(['a file that is not there', 'a text that is no JSON'])('it stays unknown where the thread fails: %s', async (why) => {
  const broken = createReadingThread<never, never>(new URL('./no-such-file.js', import.meta.url), 'the thread')
  const apart = why.startsWith('a file') ? new ApartOutcomes(broken as never) : new ApartOutcomes()
  const call = callTool('a')
  apart.find(expression, call, false)
  await expect(apart.settle(about, () => '{"n":', alice)).rejects.toThrow()
  expect(apart.isIncomplete).toBe(true)
  expect(apart.find(expression, call, false).value).toBe('unknown')
})
