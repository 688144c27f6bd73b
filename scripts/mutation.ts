// Changes the sources one place at a time and reports the changes that no test notices (docs/mutation.md).
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { nameResult, parseMutationArguments } from './mutation/arguments.ts'
import { formatReport } from './mutation/report.ts'
import { judgeMutants } from './mutation/rounds.ts'

const chosen = parseMutationArguments(process.argv.slice(2))
const mutants = await judgeMutants(chosen)
console.log(formatReport(mutants))
const resultFile = `.cache/mutation/${nameResult(chosen.paths)}.json`
mkdirSync(dirname(resultFile), { recursive: true })
writeFileSync(resultFile, JSON.stringify(mutants, null, 2))
console.log(`Each mutant: ${resultFile}`)
