import type { Audit } from '../core/audit.ts'
import type { Clock } from '../core/clock.ts'
import type { AuditPlan, ChainPlan } from '../core/plan/audit-plan.ts'
import type { RequestObserver } from '../core/record.ts'
import type { OnEvent } from '../core/security-event.ts'
import { endSentence } from '../core/sentence.ts'
import { type AuditFile, createAuditFile } from './audit-file.ts'
import { createAuditWriter } from './audit-writer.ts'
import { type Chain, createChain, parseChainKey, readHead } from './chain.ts'
import { formatEvent } from './event-record.ts'
import { FileLockedError } from './file-lock.ts'
import { SCHEMA_VERSION } from './record-text.ts'
import { formatRequest } from './request-record.ts'
import { createStandardOutput } from './standard-output.ts'

/** The audit log: one record for each request to an MCP server, and for each event. */
export interface AuditLog extends Audit {
  /** Requests that are about no MCP server are none of its business: what they did is an event. */
  readonly observe: RequestObserver
  readonly onEvent: OnEvent
  /** Whether the last record could not be written. */
  isDown(): boolean
  /** Records that were lost until now. */
  lost(): number
  /** Writes what is left. {@link isBlocked} is true afterwards where that failed and `audit.fail` is `refuse`. */
  close(): Promise<void>
}

export interface AuditLogOptions {
  readonly plan: AuditPlan
  readonly clock: Clock
  readonly version: string
  /** Called with trouble, once an outage. */
  readonly onIssue: (message: string) => void
  /** Called with each checkpoint of the chain. */
  readonly onCheckpoint: (seq: number, digest: string) => void
}

const CONSEQUENCE: Readonly<Record<AuditPlan['fail'], string>> = {
  drop: 'Records wait in memory, and are lost when there are too many.',
  refuse:
    'Until it can, new requests are refused (503 `audit_unavailable`), since `audit.fail` is `refuse`. Writing is tried again each second.',
}

/** @throws Error that names the file, when it cannot be written */
export async function openAuditLog(options: AuditLogOptions): Promise<AuditLog> {
  const { plan, clock, version } = options
  const file = openTarget(options)
  const writer = createAuditWriter({
    file,
    openChain: plan.chain && (() => openChain(plan.chain as ChainPlan, file)),
    checkpointMs: (plan.chain?.checkpointSeconds ?? 0) * 1000,
    clock,
    onIssue: options.onIssue,
    consequence: CONSEQUENCE[plan.fail],
    onCheckpoint: ({ head }) => options.onCheckpoint(head.seq, head.digest),
    formatLost: (records) => formatNote('records_lost', clock, { records }),
  })
  await writer.start().catch((error: Error) => settleStart(error, plan))
  const onEvent: OnEvent = (event) => writer.add(formatEvent(event, clock.wall()))
  onEvent({ kind: 'process_started', outcome: 'success', version })
  return {
    digestsArguments: plan.digestsArguments,
    isBlocked: () => plan.fail === 'refuse' && writer.isDown(),
    observe(record) {
      if (record.server !== undefined) writer.add(formatRequest(record, clock))
    },
    onEvent,
    isDown: writer.isDown,
    lost: writer.lost,
    async close() {
      onEvent({ kind: 'process_stopped', outcome: 'success', version })
      await writer.close()
    },
  }
}

/** A process that takes over from another finds it still writing: its records wait until the file is free. */
function settleStart(error: Error, { target }: AuditPlan): void {
  if (error instanceof FileLockedError) return
  const name = target.kind === 'file' ? target.path : 'standard output'
  throw new Error(endSentence(`The audit log ${name} cannot be written: ${error.message}`))
}

function openTarget({ plan, clock, onIssue }: AuditLogOptions): AuditFile {
  const { target, rotation } = plan
  if (target.kind === 'stdout') return createStandardOutput()
  const onHealed = (bytes: number): void =>
    onIssue(`The audit log ${target.path} ended within a line, as after a crash. Its last ${bytes} bytes were removed.`)
  return createAuditFile({ path: target.path, rotation, clock, onHealed })
}

/** Goes on with the chain of the last record, or begins one. */
async function openChain({ key }: ChainPlan, file: AuditFile): Promise<Chain> {
  const { lastLine, firstLine } = file.past ?? {}
  const head = lastLine === undefined || firstLine === undefined ? undefined : readHead(lastLine, firstLine)
  // A file is chained from its first line on, or not at all.
  if (head === undefined && !file.isEmpty) {
    await file.setAside()
    await file.open()
  }
  return createChain(parseChainKey(key), head)
}

function formatNote(type: string, clock: Clock, members: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({ audit: SCHEMA_VERSION, type, time: new Date(clock.wall()).toISOString(), ...members })
}
