import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { SecurityEvent } from '../../src/core/security-event.ts'
import { findSchemaMistakes } from './json-schema.ts'
import { type CapturedLog, findSecrets } from './log.ts'
import { listSecretsInUse } from './secrets-in-use.ts'

/** An audit log that is kept of every test proxy, and what is checked of it when the proxy closes. */
export interface AuditCheck {
  readonly file: string
  /** @throws AssertionError */
  check(log: CapturedLog, events: readonly SecurityEvent[]): void
}

const schema = JSON.parse(readFileSync(new URL('../../docs/audit.schema.json', import.meta.url), 'utf8')) as object

export function createAuditCheck(): AuditCheck {
  const folder = mkdtempSync(join(tmpdir(), 'audited-'))
  const file = join(folder, 'audit.jsonl')
  return {
    file,
    check(log, events) {
      const text = readFileSync(file, 'utf8')
      const records = text
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as Record<string, unknown>)
      rmSync(folder, { recursive: true, force: true })
      expect(findSecrets(text, listSecretsInUse()), 'secrets in the audit log').toEqual([])
      expect(findSecrets(log.text(), listSecretsInUse()), 'secrets in the log').toEqual([])
      expect(findSecrets(JSON.stringify(events), listSecretsInUse()), 'secrets in events').toEqual([])
      for (const record of records) expect(findSchemaMistakes(schema, record), JSON.stringify(record)).toEqual([])
      expect(listIds(records), 'each request once').toEqual(listIds(readRequests(log)))
    },
  }
}

/** Requests to MCP servers, as the log has them. */
function readRequests(log: CapturedLog): Record<string, unknown>[] {
  return log
    .records()
    .filter((line) => line.request_id !== undefined && line.server !== undefined && line.ms !== undefined)
    .map((line) => ({ ...line, type: 'request' }))
}

function listIds(records: readonly Record<string, unknown>[]): unknown[] {
  return records.filter(({ type }) => type === 'request').map(({ request_id: id }) => id)
}
