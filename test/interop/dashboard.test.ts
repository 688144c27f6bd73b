// The dashboard of deploy/, read by Grafana's own library (grafana-foundation-sdk), since no registry here has Grafana itself.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { findProgram } from './programs.ts'

const program = findProgram('dashboard')
const text = readFileSync(new URL('../../deploy/grafana/dashboard.json', import.meta.url), 'utf8')

const read = (dashboard: string) => spawnSync(program ?? '', { input: dashboard, encoding: 'utf8' })

it.skipIf(program === undefined)('Grafana’s types know each member of the dashboard and miss none', () => {
  const { panels } = JSON.parse(text) as { panels: readonly unknown[] }
  const { stdout, stderr } = read(text)
  expect([stderr, stdout]).toEqual(['', `${panels.length} panels\n`])
})

it.skipIf(program === undefined)('Grafana’s types tell a member that is misspelled, missing or of another type', () => {
  for (const [from, to] of [
    ['"legendFormat"', '"legendFromat"'],
    ['"showLegend": true', '"show": true'],
    ['"schemaVersion": 37', '"schemaVersion": "37"'],
  ] as const) {
    expect(text).toContain(from)
    expect(read(text.replace(from, to)).status, to).toBe(1)
  }
})
