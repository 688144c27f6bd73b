import { closeSync, mkdtempSync, openSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A file that a log is really written to. */
export interface LogSink {
  readonly descriptor: number
  /** Path for an audit log beside it. */
  readonly auditFile: string
  /** Bytes written until now. */
  size(): number
  remove(): void
}

export function createLogSink(): LogSink {
  const folder = mkdtempSync(join(tmpdir(), 'bench-log-'))
  const file = join(folder, 'log')
  const descriptor = openSync(file, 'a', 0o600)
  return {
    descriptor,
    auditFile: join(folder, 'audit'),
    size: () => statSync(file).size,
    remove() {
      closeSync(descriptor)
      rmSync(folder, { recursive: true })
    },
  }
}
