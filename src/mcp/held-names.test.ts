import { expect, it } from 'vitest'
import { collectGarbage } from '../../test/support/memory.ts'
import { parseMessages } from './messages.ts'

function measure(): number {
  collectGarbage()
  return process.memoryUsage().heapUsed
}

it('a name that is remembered holds nothing of the message that it came in', () => {
  const text = 'x'.repeat(60_000)
  const remembered = new Set<string | undefined>()
  const before = measure()
  for (let i = 0; i < 200; i++) {
    const method = `custom/method_number_${i}`
    const message = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: `an id of its own ${i}`, method, params: { text } }))
    const [operation] = parseMessages(message.toString(), { jsonDepth: 128, batchMembers: 50 }).operations
    remembered.add(operation?.method).add(operation?.id)
  }
  expect(measure() - before).toBeLessThan(20 * text.length)
  expect([...remembered].slice(0, 2)).toEqual(['custom/method_number_0', '"an id of its own 0"'])
})
