// npm run test:chaos -- [--seconds N] [--seed TEXT]: ten minutes of faults, unless told otherwise.
import { parseArgs } from 'node:util'
import { listKept, tellChaos } from './story.ts'

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '600' }, seed: { type: 'string' } } })
const seed = values.seed ?? String(Date.now())
console.log(`seed ${seed}: the same faults come with --seed ${seed}`)
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
const startedAt = performance.now()
const say = (text: string): void => console.log(`${((performance.now() - startedAt) / 1000).toFixed(1).padStart(6)} s  ${text}`)
const report = await tellChaos({
  seed,
  seconds: Number(values.seconds),
  onFault: say,
})
const { complaints, miscarried, ...counts } = report
console.log(JSON.stringify(counts, undefined, 2))
const problems = [...complaints, ...miscarried, ...listKept(report)]
for (const problem of problems) console.log(problem)
console.log(problems.length === 0 ? 'lost 0, wrong 0, nothing kept' : `FAILED with seed ${seed}`)
process.exitCode = problems.length === 0 ? 0 : 1
