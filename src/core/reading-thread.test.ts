import { expect, it } from 'vitest'
import { createFakeClock } from '../../test/support/fake-clock.ts'
import { createReadingThread } from './reading-thread.ts'

const sender = { user: 'alice', hasLeft: () => false }
/** Says what it is asked, and nothing to `hang`. */
const entry = new URL(
  `data:text/javascript,${encodeURIComponent(`
    import { parentPort } from 'node:worker_threads'
    parentPort.on('message', (question) => {
      if (question !== 'hang') parentPort.postMessage({ outcome: question })
    })`)}`,
)

it('gives up a question that is not answered, and asks the next in another thread', async () => {
  const clock = createFakeClock()
  const thread = createReadingThread<string, string>(entry, 'the thread', clock)
  const ask = (question: string) => thread.ask(() => ({ question }), sender)
  expect(await ask('first')).toBe('first')
  const hanging = expect(ask('hang')).rejects.toThrow('the thread has not answered within 60 s')
  const next = ask('next')
  await new Promise((resolve) => setImmediate(resolve))
  clock.advance(60_000)
  await hanging
  expect(await next).toBe('next')
})
