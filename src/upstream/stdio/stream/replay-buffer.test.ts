import { expect, it } from 'vitest'
import { StreamLog } from './replay-buffer.ts'

it('forgets streams that are over, also where there is no memory for any event', () => {
  const log = new StreamLog<{ isEnded: boolean }>({ take: () => false, give: () => undefined })
  const running = { isEnded: false }
  const runningKey = log.register(running)
  const keys = Array.from({ length: 5000 }, () => {
    const stream = { isEnded: false }
    const key = log.register(stream)
    log.keep(stream, 1, 'event')
    stream.isEnded = true
    return key
  })
  expect(keys.filter((key) => log.find(`${key}_1`) !== undefined).length).toBeLessThan(2000)
  expect(log.find(`${runningKey}_1`)?.stream).toBe(running)
})
