import { migrateConfigFile } from '../config/migrate.ts'
import { createJsonSchema } from '../config/schema/json-schema.ts'
import { listErrors } from '../core/list-errors.ts'
import { formatAccounts } from './account-lines.ts'
import { formatIdentityProvider } from './identity-provider-lines.ts'
import { formatNotices } from './notice-lines.ts'
import { formatAccess, formatRoutes, formatRules } from './route-table.ts'
import type { Source } from './source.ts'
import { formatTable } from './table.ts'
import type { Terminal } from './terminal.ts'
import { wrapHanging } from './wrap.ts'

/** `check`: loads the configuration and prints what it means. */
export function printCheck(source: Source, terminal: Terminal): void {
  const { plan, notices, overridden } = source.load()
  const { head, lines: routes } = formatRoutes(plan, terminal.columns)
  const lines = [
    terminal.paintOutput('green', `The configuration (${source.name}) is valid.`),
    `Listens on ${plan.listen.host}, port ${plan.listen.port}${plan.listen.tls ? ', with TLS' : ''}. Clients reach it as ${plan.publicUrl}.`,
    ...overridden.map(({ key, name }) => `${key} is what ${name} says.`),
    '',
    terminal.paintOutput('bold', head),
    ...routes,
    ...[formatAccess(plan), formatRules(plan)].flatMap(([title, ...rows]) =>
      title === undefined ? [] : ['', terminal.paintOutput('bold', title), ...rows],
    ),
    ...(plan.broker ? ['', ...formatIdentityProvider(plan.broker).flatMap((line) => wrapHanging(line, 4))] : []),
    ...formatAccounts(plan).flatMap((line) => wrapHanging(line, 4)),
    ...(notices.length > 0 ? ['', ...formatNotices(notices, terminal.paintOutput)] : []),
  ]
  for (const line of lines) terminal.print(line)
}

/** `schema`: prints the JSON Schema of the configuration file. */
export function printSchema(terminal: Terminal): void {
  terminal.print(JSON.stringify(createJsonSchema(), null, 2))
}

/** `errors`: prints the catalogue of errors. */
export function printErrors(terminal: Terminal): void {
  const rows = listErrors().map(({ code, status, challengeError, jsonRpcCode, message, remedy, reasons }) => [
    [code],
    [String(status)],
    [challengeError ?? ''],
    [String(jsonRpcCode)],
    [message, remedy, ...reasons.map(({ reason, meaning }) => `${reason}: ${meaning}`)],
  ])
  const [head = '', ...lines] = formatTable(['CODE', 'HTTP', 'CHALLENGE', 'JSON-RPC', 'MESSAGE, AND WHAT TO DO'], rows)
  for (const line of [terminal.paintOutput('bold', head), ...lines]) terminal.print(line)
}

/** `migrate`: prints a configuration of the Go proxy's format in ours. */
export function printMigration(file: string, terminal: Terminal): void {
  terminal.print(migrateConfigFile(file).trimEnd())
}
