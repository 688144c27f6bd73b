import { readFileSync } from 'node:fs'
import { relative } from 'node:path'
import type { MutantResult } from '@stryker-mutator/api/core'
import { isAlive } from './rounds.ts'

/** One line for each mutant that lives, with what was changed, and the score. */
export function formatReport(mutants: readonly MutantResult[]): string {
  const counted = mutants.filter((mutant) => isAlive(mutant) || isCaught(mutant))
  const caught = counted.filter(isCaught).length
  const score = counted.length === 0 ? 'nothing to change' : `${((100 * caught) / counted.length).toFixed(1)} %`
  return [...counted.filter(isAlive).map(formatSurvivor), `${caught} of ${counted.length} mutants were noticed: ${score}`].join(
    '\n',
  )
}

function isCaught({ status }: MutantResult): boolean {
  return status === 'Killed' || status === 'Timeout'
}

function formatSurvivor({ fileName, location: { start, end }, replacement, status }: MutantResult): string {
  const lines = readFileSync(fileName, 'utf8')
    .split('\n')
    .slice(start.line - 1, end.line)
  const last = lines.length - 1
  lines[last] = lines[last]?.slice(0, end.column - 1) ?? ''
  lines[0] = lines[0]?.slice(start.column - 1) ?? ''
  const untested = status === 'NoCoverage' ? ' (no test comes here)' : ''
  return `${relative('.', fileName)}:${start.line}:${start.column} ${shorten(lines.join('\n'))} → ${shorten(replacement ?? '')}${untested}`
}

function shorten(code: string): string {
  const line = code.replace(/\s+/g, ' ')
  return line.length > 100 ? `${line.slice(0, 99)}…` : line
}
