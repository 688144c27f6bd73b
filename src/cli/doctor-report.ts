import type { Finding, Verdict } from '../doctor/finding.ts'
import type { ClientPrediction } from '../doctor/predict-clients.ts'
import type { Report } from '../doctor/report.ts'
import type { Paint, Style } from './style.ts'
import { WIDTH, wrap } from './wrap.ts'

const STYLES: Readonly<Record<Verdict | ClientPrediction['verdict'], Style>> = {
  ok: 'green',
  warning: 'yellow',
  problem: 'red',
  skipped: 'dim',
  connects: 'green',
  prepare: 'yellow',
  fails: 'red',
}

const CLIENT_VERDICTS: Readonly<Record<ClientPrediction['verdict'], string>> = {
  connects: 'will connect',
  prepare: 'after a step',
  fails: 'will not',
}

/** The report in lines of at most 80 columns; a longer word, such as a URL, stays whole. */
export function formatReport({ findings, clients }: Report, name: string, paint: Paint): string[] {
  return [
    `What ${name} refers to, as clients and the proxy see it:`,
    ...[...groupBy(findings, ({ about }) => about)].flatMap(([about, group]) => [
      '',
      paint('bold', about),
      ...group.flatMap((finding) => formatFinding(finding, paint)),
    ]),
    ...[...groupBy(clients, ({ url }) => url)].flatMap(([url, group]) => [
      '',
      paint('bold', `clients of ${url}`),
      ...[...groupBy(group, ({ verdict, reasons }) => JSON.stringify([verdict, reasons])).values()].flatMap((alike) =>
        formatClients(alike, paint),
      ),
    ]),
    '',
    formatSummary(findings, paint),
  ]
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item])
  return groups
}

function formatFinding({ verdict, says, fix }: Finding, paint: Paint): string[] {
  const lines = [...wrap(says, WIDTH - 11), ...(fix === undefined ? [] : wrap(`Fix: ${fix}`, WIDTH - 11))]
  return lines.map((line, index) =>
    index === 0 ? `  ${paint(STYLES[verdict], verdict.padEnd(9))}${line}` : `${' '.repeat(11)}${line}`,
  )
}

/** Clients about which the same is to be said. */
function formatClients(alike: readonly ClientPrediction[], paint: Paint): string[] {
  const [{ verdict, reasons } = { verdict: 'connects' as const, reasons: [] }] = alike
  const names = alike.map(({ client }) => client).join(', ')
  const label = paint(STYLES[verdict], CLIENT_VERDICTS[verdict].padEnd(14))
  const text = reasons.length === 0 ? names : `${names}: ${reasons.join('; ')}.`
  return wrap(text, WIDTH - 16).map((line, index) => (index === 0 ? `  ${label}${line}` : `${' '.repeat(16)}${line}`))
}

function formatSummary(findings: readonly Finding[], paint: Paint): string {
  const count = (verdict: Verdict) => findings.filter((finding) => finding.verdict === verdict).length
  const name = (number: number, what: string) => `${number === 0 ? 'no' : number} ${what}${number === 1 ? '' : 's'}`
  const problems = count('problem')
  return paint(problems > 0 ? 'red' : 'green', `${name(problems, 'problem')}, ${name(count('warning'), 'warning')}.`)
}
