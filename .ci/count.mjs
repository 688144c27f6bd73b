// Adds up what .ci/run has written down: `count.mjs FOLDER SUITE… --steps STEP…`. A suite is a vitest run, a step is a command that
// counts as one test. Prints one line; exit code 1 when something failed or a suite ran no test.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const [folder = '', ...names] = process.argv.slice(2)
const divide = names.indexOf('--steps')
const suites = names.slice(0, divide).map(countSuite)
const steps = names.slice(divide + 1).map(countStep)

const sum = (key) => [...suites, ...steps].reduce((total, count) => total + count[key], 0)
for (const { name, passed, failed, note } of [...suites, ...steps]) {
  if (failed > 0) console.log(`${name}: ${passed} passed, ${failed} failed${note ?? ''}`)
}
console.log(`${sum('passed')} passed, ${sum('failed')} failed`)
process.exitCode = sum('failed') > 0 ? 1 : 0

function countSuite(name) {
  const { numPassedTests: passed = 0, numFailedTests = 0, testResults = [] } = readResults(name)
  const failed = numFailedTests + testResults.filter(hasFailedAsAWhole).length
  // A check before the tests, or an error between two of them.
  if (failed === 0 && hasFailed(name)) return { name, passed, failed: 1, note: ', outside of any test' }
  if (passed + failed === 0) return { name, passed, failed: 1, note: ', for it ran no test' }
  return { name, passed, failed }
}

function readResults(name) {
  const file = join(folder, `${name}.json`)
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {}
}

/** A file that could not be loaded or prepared: its tests did not run, so none of them failed. */
function hasFailedAsAWhole({ status, assertionResults }) {
  return status === 'failed' && assertionResults.every((test) => test.status !== 'failed')
}

function countStep(name) {
  return hasFailed(name) ? { name, passed: 0, failed: 1 } : { name, passed: 1, failed: 0 }
}

function hasFailed(name) {
  const file = join(folder, `${name}.exit`)
  return !existsSync(file) || readFileSync(file, 'utf8').trim() !== '0'
}
