import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import type { ReloadReport } from '../../core/reload-report.ts'
import { createReloadAction } from './reload-action.ts'

const folder = mkdtempSync(join(tmpdir(), 'reload-action-'))
afterAll(() => rmSync(folder, { recursive: true }))
const own = join(folder, 'own.yaml')
const other = join(folder, 'other.yaml')
const link = join(folder, 'link.yaml')
writeFileSync(own, '')
writeFileSync(other, '')
symlinkSync(own, link)

const RELOADED: ReloadReport = { outcome: 'reloaded', digest: 'd', changed: [] }

async function ask(input: object, configurationFile: string | undefined = own, report = RELOADED) {
  const failures: string[] = []
  let reloads = 0
  const reload = async () => {
    reloads++
    return report
  }
  const act = createReloadAction({ configurationFile, reload })
  const caller = { address: '127.0.0.1', tellFailure: (outcome: string) => void failures.push(outcome) }
  const answer = await Promise.resolve(act({ ...input }, caller)).catch((error) => error)
  return { answer, failures, reloads }
}

it.each([
  ['the file of the process', { file: own }],
  ['a link to it', { file: link }],
  ['no file', {}],
])('a reload that names %s reads it, and is told which it was', async (_name, input) => {
  expect(await ask(input)).toEqual({ answer: { ...RELOADED, file: own }, failures: [], reloads: 1 })
})

it.each([
  ['another file', other],
  ['a file that is not there', join(folder, 'none.yaml')],
])('a reload that names %s reads nothing, and is told which file the process has', async (_name, file) => {
  const { answer, reloads } = await ask({ file })
  expect(answer).toMatchObject({
    code: 'admin_input_invalid',
    cause: expect.stringContaining(`runs with ${own}, not with ${file}`),
  })
  expect(reloads).toBe(0)
})

it('a reload that names a file is refused by a process that has none', async () => {
  const reload = () => Promise.reject(new Error('was asked'))
  const act = createReloadAction({ configurationFile: undefined, reload })
  const asked = Promise.resolve(act({ file: own }, { address: '', tellFailure: () => undefined }))
  await expect(asked).rejects.toMatchObject({ code: 'admin_input_invalid' })
})

it.each<ReloadReport>([
  { outcome: 'invalid', problems: [] },
  { outcome: 'restart_needed', settings: ['admin'] },
  { outcome: 'failed', reason: 'x' },
  { outcome: 'shutting_down' },
])('a reload that changed nothing ($outcome) is a failure', async (report) => {
  expect(await ask({}, own, report)).toMatchObject({ answer: report, failures: [report.outcome] })
})
