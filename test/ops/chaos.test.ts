// Every fault once. `npm run test:chaos` has ten minutes of them.
import { expect, it } from 'vitest'
import { hasRedisServer } from '../support/redis-server.ts'
import { canMakeNetworks } from './support/chaos/network.ts'
import { listKept, tellChaos } from './support/chaos/story.ts'
import { hasProgram } from './support/programs.ts'
import { reportTarget } from './support/target.ts'

const runs = hasRedisServer() && hasProgram('haproxy', '-v') && canMakeNetworks()

it.skipIf(!runs)('two replicas lose no request and mix none up, whatever breaks', { timeout: 480_000 }, async () => {
  const seed = String(Date.now())
  const faults: string[] = [`seed ${seed}`]
  const report = await tellChaos({ seed, onFault: (name) => faults.push(name) })
  const { complaints, miscarried, refusals: _, before, after, ...counts } = report
  expect({ faults, complaints, miscarried }).toEqual({ faults, complaints: [], miscarried: [] })
  expect(counts).toMatchObject({ lost: 0, wrong: 0, unexplained: 0 })
  expect(listKept(report)).toEqual([])
  reportTarget('R5', 'two replicas lose no request and mix none up, whatever breaks', {
    ...counts,
    'MiB before': before.rssBytes / 2 ** 20,
    'MiB after': after.rssBytes / 2 ** 20,
  })
})
