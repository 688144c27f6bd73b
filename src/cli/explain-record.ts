import { readFileSync } from 'node:fs'
import { explainReadError } from '../config/source/read-failure.ts'
import type { Plan } from '../core/plan/plan.ts'
import type { ServerPlan } from '../core/plan/server-plan.ts'
import { createRedaction, escapeControlCharacters } from '../doctor/untrusted-text.ts'
import { createCircumstances, createExplainer } from '../explain/explanation.ts'
import { createPrincipalOfClaims } from '../explain/principal.ts'
import type { NamedOperation } from '../explain/request.ts'
import type { Arguments } from './arguments.ts'
import { formatExplained } from './explain-lines.ts'
import type { Source } from './source.ts'
import type { Terminal } from './terminal.ts'
import { UsageError } from './usage-error.ts'
import { wrapHanging } from './wrap.ts'

/** A request of the audit log, as far as an explanation needs it: `docs/audit.schema.json`. */
interface RecordedRequest {
  readonly time: string
  readonly began: string
  readonly server: string
  readonly path: string
  readonly address: string
  readonly issuer?: string
  readonly subject?: string
  readonly client_id?: string
  readonly scopes?: readonly string[]
  readonly groups?: readonly string[]
  readonly revision?: string
  readonly outcome: string
  readonly decision?: 'permit' | 'deny'
  readonly status: number
  readonly detail?: string
  readonly operations?: readonly RecordedOperation[]
}

interface RecordedOperation {
  readonly kind: string
  readonly method?: string
  readonly target?: string
  readonly decision?: 'permit' | 'deny'
  readonly arguments?: string
}

const NOTES = [
  'The record has no claims of the token but these: conditions on others are taken as not fulfilled.',
  'Access and rules are those of this configuration, which may have changed since.',
]

/**
 * `explain --audit FILE --request ID`: explains a request that was recorded, by what its record says of it.
 *
 * @returns the exit code: 0 permitted then, 3 denied
 * @throws UsageError, ConfigError
 */
export function explainRecord({ values }: Arguments, source: Source, terminal: Terminal): 0 | 3 {
  const [id] = values.get('request') ?? []
  const files = values.get('audit') ?? []
  if (id === undefined || files.length === 0) throw new UsageError('Give both --audit FILE and --request ID.')
  const record = findRecord(files, id)
  const { plan } = source.load()
  const server = plan.servers.find(({ name }) => name === record.server)
  if (server === undefined) throw new UsageError(`The configuration has no server ${JSON.stringify(record.server)}.`)
  for (const line of wrapHanging(escapeControlCharacters(formatRecorded(record)), 2)) terminal.print(line)
  for (const line of explainOperations(record, server, plan, terminal)) terminal.print(line)
  terminal.print('')
  terminal.print(
    `The exit code tells what was decided then: ${record.decision === 'permit' ? '0, permitted' : '3, not permitted'}.`,
  )
  return record.decision === 'permit' ? 0 : 3
}

function findRecord(files: readonly string[], id: string): RecordedRequest {
  for (const file of files) {
    const found = readText(file)
      .split('\n')
      .filter((line) => line.includes(JSON.stringify(id)))
      .map(parse)
      .find(({ type, request_id }) => type === 'request' && request_id === id)
    if (found !== undefined) return found as unknown as RecordedRequest
  }
  throw new UsageError(
    `No request ${JSON.stringify(id)} is recorded there. Name each file that was set aside with a --audit of its own.`,
  )
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new UsageError(`${JSON.stringify(file)} cannot be read: ${explainReadError(error)}.`)
  }
}

function parse(line: string): Record<string, unknown> {
  try {
    return JSON.parse(line) as Record<string, unknown>
  } catch {
    // A line that is still being written.
    return {}
  }
}

function formatRecorded(record: RecordedRequest): string {
  const { began, address, outcome, status, detail, operations = [] } = record
  const wasAsked = operations.some(({ decision }) => decision !== undefined)
  const what = record.decision === 'permit' ? 'permitted' : wasAsked ? 'denied' : 'refused before policy was asked'
  return `Recorded: ${began}, from ${address}: ${what}; ${status}, ${outcome}${detail === undefined ? '' : ` (${detail})`}.`
}

function explainOperations(record: RecordedRequest, server: ServerPlan, plan: Plan, terminal: Terminal): string[] {
  const { issuer, subject, client_id, scopes = [], groups = [], path, address, began, revision } = record
  if (issuer === undefined) return []
  const principal = createPrincipalOfClaims({ iss: issuer, sub: subject, client_id }, server, { scopes, groups })
  const at = Date.parse(began)
  const circumstances = createCircumstances(server, { path, address, now: () => at, ...(revision !== undefined && { revision }) })
  const explainer = createExplainer(server, plan.limits)
  return (record.operations ?? []).filter(isExplained).flatMap((operation) => {
    const asked = nameOperation(operation)
    const explained = {
      asked: { operation: asked, server: server.name, path, revision: circumstances.revision },
      notes: [...NOTES, ...listNotes(operation)],
      principal,
      explanation: explainer.explain(principal, asked, circumstances),
      refusedToken: undefined,
    }
    return ['', ...formatExplained(explained, terminal.paintOutput, createRedaction([]))]
  })
}

/** What a client answers, and completions, whose arguments are not recorded, are about nothing that could be asked again. */
function isExplained({ kind, method }: RecordedOperation): boolean {
  return kind !== 'response' && method !== undefined && method !== 'completion/complete'
}

/** Longer arguments are recorded in part. */
const MAX_ARGUMENTS_LENGTH = 16 * 1024

function listNotes({ method, arguments: args }: RecordedOperation): string[] {
  const hasArguments = method === 'tools/call' || method === 'prompts/get'
  return hasArguments && findWholeArguments(args) === undefined
    ? ['The arguments were not recorded: conditions on them are taken as without any.']
    : []
}

function findWholeArguments(text: string | undefined): string | undefined {
  return text !== undefined && text.length < MAX_ARGUMENTS_LENGTH ? text : undefined
}

function nameOperation({ method = '', target, arguments: recorded }: RecordedOperation): NamedOperation {
  const argsText = findWholeArguments(recorded)
  if (target !== undefined && method === 'tools/call') return { kind: 'tool', name: target, argsText }
  if (target !== undefined && method === 'prompts/get') return { kind: 'prompt', name: target, argsText }
  if (target !== undefined && method === 'resources/read') return { kind: 'resource', name: target, argsText: undefined }
  return { kind: 'method', name: method, argsText: target === undefined ? undefined : JSON.stringify({ uri: target }) }
}
